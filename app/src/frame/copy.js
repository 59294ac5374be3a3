// What one gets who copies: of a time the exact moment, of a phone number the number as machines take it. What is masked stays masked,
// and what is written in a field is copied as it is.
const GROUPED = /^\+(?=(?: ?\d){7,15}$)\d{1,3}(?: \d{2,4})+$/;

/** The moment of the one time that is chosen, and nothing else. */
function momentIn(chosen, text) {
  const [time, more] = [...document.querySelectorAll('time[datetime]')].filter((time) => chosen.containsNode(time, true));
  return time && !more && text === time.textContent ? time.dateTime : null;
}

addEventListener('copy', (event) => {
  if (event.target.closest?.('input, textarea')) return;
  const chosen = getSelection();
  const text = chosen.toString().trim();
  const exact = GROUPED.test(text) ? text.replaceAll(' ', '') : momentIn(chosen, text);
  if (!exact) return;
  event.clipboardData.setData('text/plain', exact);
  event.preventDefault();
});
