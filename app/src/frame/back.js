// Back and forward lead to the place one came from: the row that was opened has the focus again and stands where it stood.
const STORE = 'switchyard.place:';
const PATIENCE = 4_000;
/** The page moves no more once the row was where it belongs for so many frames. */
const SETTLED = 12;
/** The page is loaded because somebody went back to it. */
const ONCE = 'switchyard.back';
const here = location.pathname + location.search;
let turn = 0;

const key = () => STORE + location.pathname + location.search;

function remember({ target }) {
  const row = target.closest?.('main [data-row-link]');
  if (!row) return;
  try {
    sessionStorage.setItem(key(), JSON.stringify({ y: Math.round(scrollY), href: row.getAttribute('href') }));
  } catch {
    // A browser that keeps nothing leads to the top of the page.
  }
}

function seek() {
  const place = JSON.parse(sessionStorage.getItem(key()));
  if (!place) return;
  const mine = ++turn;
  const end = performance.now() + PATIENCE;
  let settled = 0;
  const step = () => {
    if (mine !== turn || performance.now() > end) return;
    const rows = [...document.querySelectorAll('main [data-row-link]')];
    const row = rows.find((row) => row.getAttribute('href') === place.href);
    if (row && document.activeElement !== row) {
      settled = 0;
      scrollTo(0, place.y);
      row.focus({ preventScroll: true });
      // Rows may have come above it meanwhile.
      row.scrollIntoView({ block: 'nearest' });
    } else if (rows.length > 0) {
      settled += 1;
      if (!row && settled === SETTLED) scrollTo(0, place.y);
    }
    if (settled < SETTLED) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

addEventListener('click', remember, true);
addEventListener('focusin', remember);
addEventListener('popstate', () => {
  if (document.documentElement.dataset.ready === 'true' || location.pathname + location.search === here) return seek();
  // The program is not there yet and would not hear of it: the page that is shown would be another than the address says.
  sessionStorage.setItem(ONCE, 'true');
  location.reload();
});
// Whoever acts is where they want to be.
for (const act of ['keydown', 'pointerdown', 'wheel', 'touchstart']) addEventListener(act, () => (turn += 1), { passive: true, capture: true });
if (performance.getEntriesByType('navigation')[0]?.type === 'back_forward' || sessionStorage.getItem(ONCE)) seek();
sessionStorage.removeItem(ONCE);
