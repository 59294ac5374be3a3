// What had the focus may go with what it did: a message's fold, a row, a form that is folded up again. Then what is nearest of what is
// left has it, and nothing scrolls. Who leaves by a click beside everything has left.
const PLACE = 'details, li, tr, article, section, dialog, main';
const HEADING = 'h1, h2, h3, h4';
/** What has the focus, and what it stands in, from the inside out; nothing once somebody has left it. */
let path = [];
/** What can have the focus only because it was given it here. */
let lent = null;
let due = false;

const isThere = (element) => element.isConnected && element.checkVisibility();

function enter({ target }) {
  if (lent && lent !== target) {
    lent.removeAttribute('tabindex');
    lent = null;
  }
  // A dialog gives the focus back to what opened it.
  if (target.closest('dialog')) return;
  path = [];
  for (let at = target; at; at = at.parentElement) path.push(at);
}

function leave() {
  // What goes is left a moment before it is gone.
  setTimeout(() => {
    if (path.length > 0 && document.activeElement === document.body && isThere(path[0])) path = [];
  });
}

/**
 * The row or the message that it stood in; of anything larger the heading; of a fold what unfolds it. Of a page that has given way to
 * another its content, or the field that one begins with: that of a code, behind the one that asked for a password.
 */
function placeOf(left) {
  const place = left.closest(PLACE);
  if (place?.matches('details')) return place.querySelector('summary');
  if (place?.matches('article, section')) return place.querySelector(HEADING) ?? place;
  return place ?? document.getElementById('main') ?? document.querySelector('[autofocus]');
}

function look() {
  due = false;
  const [had] = path;
  const nowhere = [null, document.body, had];
  if (!had || isThere(had) || !nowhere.includes(document.activeElement)) return;
  const place = placeOf(path.find(isThere) ?? document.body);
  if (!place) return;
  if (!place.matches('summary, input, [tabindex]')) {
    place.tabIndex = -1;
    lent = place;
  }
  place.focus({ preventScroll: true });
}

addEventListener('focusin', enter);
addEventListener('focusout', leave);
new MutationObserver(() => {
  if (due || path.length === 0) return;
  due = true;
  requestAnimationFrame(look);
}).observe(document.body, { childList: true, subtree: true, attributeFilter: ['open', 'hidden'] });
