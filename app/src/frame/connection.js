// Says that the console does not answer, and when it does again. Nothing on the page moves or goes: one reads and types on. What is
// asked meanwhile fails where it was asked (`switchyard:unanswered`); `switchyard:connected` tells that asking again is of use.
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 8_000;
const PATIENCE = 5_000;
const SAID = 5_000;
const root = document.documentElement;
const notice = document.getElementById('connection');
let looking = false;
let silence;

async function answers() {
  try {
    return (await fetch('/readyz', { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) })).ok;
  } catch {
    return false;
  }
}

const pause = (time) =>
  new Promise((over) => {
    setTimeout(over, time);
    addEventListener('online', over, { once: true });
  });

function say(words) {
  clearTimeout(silence);
  notice.textContent = words;
}

/** Looks whether the console answers, and does not rest until it does. */
async function look() {
  if (looking) return;
  looking = true;
  if (!(await answers())) {
    root.dataset.connection = 'lost';
    say('Connection lost. Trying again… What you typed stays here.');
    for (let wait = FIRST_PAUSE; !(await answers()); wait = Math.min(wait * 2, LONGEST_PAUSE)) await pause(wait);
    root.dataset.connection = 'back';
    say('Connected again.');
    silence = setTimeout(() => {
      delete root.dataset.connection;
      say('');
    }, SAID);
    dispatchEvent(new Event('switchyard:connected'));
    // Where an answer is missing altogether there is nothing to lose; what was typed beside it is a draft.
    if (document.querySelector('[data-unanswered]')) location.reload();
  }
  looking = false;
  // The code of a screen did not come: one goes there by a full load.
  if (root.dataset.leave) location.href = root.dataset.leave;
}

addEventListener('offline', look);
// Who goes elsewhere meanwhile does not want to leave any more.
addEventListener('click', () => delete root.dataset.leave, true);
addEventListener('switchyard:unanswered', look);
addEventListener('switchyard:change', ({ detail }) => {
  if (JSON.parse(detail).kind === 'lost') look();
});
if (!navigator.onLine) look();
