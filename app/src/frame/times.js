// Times in the reader's zone: the one they chose on their page, else the browser's. The server writes UTC, which is what is read without
// scripts; the exact moment stands in the title, and is what one gets who copies a time.
const STORE = 'switchyard.zone';
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
let zone = own;
let minutes;
let exact;

function use(chosen) {
  const day = { year: 'numeric', month: '2-digit', day: '2-digit' };
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short' };
  minutes = new Intl.DateTimeFormat('en-US', { timeZone: chosen, ...day, ...clock });
  exact = new Intl.DateTimeFormat('en-US', { timeZone: chosen, ...day, ...clock, second: '2-digit', fractionalSecondDigits: 3 });
  zone = chosen;
}

try {
  use(localStorage.getItem(STORE) || own);
} catch {
  // A browser that keeps nothing, or a zone that it does not know.
  use(own);
}

const parts = (format, at) => Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));

// What was written last, of which moment and in which zone: a page with charts has a thousand of them, and is painted often.
const written = new WeakMap();

function write(time) {
  // A chart's hint is a `title` of SVG: the moment, then what was then.
  const moment = time.dateTime ?? time.dataset.at;
  const text = time.firstChild;
  if (text?.nodeType !== Node.TEXT_NODE) return;
  const was = written.get(text);
  if (was?.moment === moment && was.zone === zone && was.shown === text.data) return;
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return;
  const minute = parts(minutes, at);
  const [day, clock] = [`${minute.month}-${minute.day}`, `${minute.hour}:${minute.minute}`];
  const isHint = time.dateTime === undefined;
  const short = { day, clock }[time.dataset.short] ?? `${minute.year}-${day} ${clock} ${minute.timeZoneName}`;
  const shown = isHint ? short + text.data.slice(text.data.indexOf(': ')) : short;
  written.set(text, { moment, zone, shown });
  if (text.data === shown) return;
  text.data = shown;
  if (isHint) return;
  const whole = parts(exact, at);
  const second = `${whole.hour}:${whole.minute}:${whole.second}.${whole.fractionalSecond}`;
  time.title = `${whole.year}-${whole.month}-${whole.day} ${second} ${zone} (${time.dateTime})`;
}

function choice(select) {
  if (select.options.length > 0) return;
  const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((name) => name !== 'UTC')];
  const chosen = localStorage.getItem(STORE) ?? '';
  select.append(new Option(`As this browser has it (${own})`, ''), ...zones.map((name) => new Option(name, name, false, name === chosen)));
}

function paint() {
  document.querySelectorAll('time[datetime], title[data-at]').forEach(write);
  document.querySelectorAll('select[data-zones]').forEach(choice);
}

addEventListener('change', ({ target }) => {
  if (!target.matches?.('select[data-zones]')) return;
  if (target.value) localStorage.setItem(STORE, target.value);
  else localStorage.removeItem(STORE);
  use(target.value || own);
  paint();
});

addEventListener('copy', (event) => {
  const chosen = getSelection();
  const [time, more] = [...document.querySelectorAll('time[datetime]')].filter((time) => chosen.containsNode(time, true));
  if (!time || more || chosen.toString().trim() !== time.textContent) return;
  event.clipboardData.setData('text/plain', time.dateTime);
  event.preventDefault();
});

new MutationObserver(paint).observe(document.body, { childList: true, subtree: true, characterData: true });
paint();
