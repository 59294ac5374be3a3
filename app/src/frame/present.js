// Says of what the page asks by itself that nobody is there, so that a tab that is left open does not keep its session for ever. Whether
// somebody is there only the page knows, by their hand and their keys; what asks needs not know of it, since all that the program asks
// goes through `fetch`. Without this script whatever is asked counts as somebody's.
const THERE = 60_000;
const ask = window.fetch;
let touched = Date.now();

const touch = ({ isTrusted }) => {
  if (isTrusted) touched = Date.now();
};
for (const sign of ['pointerdown', 'keydown', 'wheel']) addEventListener(sign, touch, { capture: true, passive: true });

window.fetch = (asked, how) => {
  if (asked instanceof Request && Date.now() - touched > THERE) asked.headers.set('switchyard-unattended', '1');
  return ask.call(window, asked, how);
};
