// Times in the reader's zone: the one they chose on their page, else the browser's. The server writes UTC, which is what is read without
// scripts; the exact moment stands in the title. Fields for a time are filled in in that zone, too, and sent in UTC, however their form
// is sent. What was chosen is kept in a cookie: a sign-out clears the browser's storage, and leaves cookies.
const COOKIE = 'switchyard_zone';
const YEAR = 365 * 24 * 60 * 60;
const DAY = 24 * 60 * 60 * 1_000;
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

/** The zone that was chosen, or nothing. */
function kept() {
  const cookie = document.cookie.split('; ').find((cookie) => cookie.startsWith(`${COOKIE}=`));
  return cookie?.slice(COOKIE.length + 1) ?? '';
}

/** Keeps it for a year, or no more when it is nothing; a browser that keeps nothing forgets it with the page. */
function keep(chosen) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${COOKIE}=${chosen}; Path=/; Max-Age=${chosen ? YEAR : 0}; SameSite=Lax${secure}`;
}

try {
  use(kept() || own);
} catch {
  // A zone that the browser does not know.
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

/** What a clock in the zone shows at a moment, as if it were UTC. */
function clockAt(at) {
  const { year, month, day, hour, minute, second } = parts(exact, new Date(at));
  return Date.parse(`${year.padStart(4, '0')}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** The moment at which a clock in the zone shows this: the first of two; where the clock leaps over it, as long after the leap. */
function momentOf(shown) {
  const clock = Date.parse(`${shown.length > 10 ? shown : `${shown}T00:00`}Z`);
  if (Number.isNaN(clock)) return '';
  const found = [clock - DAY, clock + DAY].map((at) => clock - (clockAt(at) - at));
  return new Date(found.find((at) => clockAt(at) === clock) ?? found[0]).toISOString().slice(0, 19);
}

/** The last second of a day in the zone. */
function lastOf(day) {
  const next = new Date(Date.parse(`${day}T00:00Z`) + DAY).toISOString().slice(0, 10);
  return new Date(Date.parse(`${momentOf(next)}Z`) - 1_000).toISOString().slice(0, 19);
}

/** What a field for a day shows of the moment that its page came with: UTC to the second, or a day of UTC. */
function shownOf({ dataset: { moment } }) {
  const at = Date.parse(moment.length > 10 ? `${moment}Z` : moment);
  return Number.isNaN(at) ? '' : new Date(clockAt(at)).toISOString().slice(0, 10);
}

function zoned(field) {
  const name = zone.replaceAll('_', ' ');
  // A draft of another zone's time is none of this one's.
  field.dataset.zoned = zone;
  for (const label of field.labels) {
    const text = label.querySelector('[data-zone]')?.firstChild;
    if (text && text.data !== name) text.data = name;
    if (field.title && field.title !== label.textContent) field.title = label.textContent;
  }
  const { moment } = field.dataset;
  const was = written.get(field);
  // Nothing is put over what is being typed.
  if (moment === undefined || field === document.activeElement || (was?.moment === moment && was.zone === zone)) return;
  written.set(field, { moment, zone });
  field.value = shownOf(field);
}

function choice(select) {
  if (select.options.length > 0) return;
  const zones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((name) => name !== 'UTC')];
  const chosen = kept();
  select.append(new Option(`As this browser has it (${own})`, ''), ...zones.map((name) => new Option(name, name, false, name === chosen)));
}

function paint() {
  document.querySelectorAll('time[datetime], title[data-at]').forEach(write);
  document.querySelectorAll('select[data-zones]').forEach(choice);
  document.querySelectorAll('input[data-zoned]').forEach(zoned);
}

addEventListener('change', ({ target }) => {
  if (!target.matches?.('select[data-zones]')) return;
  keep(target.value);
  use(target.value || own);
  paint();
});

addEventListener('formdata', ({ target, formData }) => {
  for (const field of target.querySelectorAll('input[data-zoned]')) {
    const { name, value, dataset } = field;
    if (!value || field.disabled) continue;
    // What was not touched is sent as it came, to the second.
    formData.set(name, dataset.moment && value === shownOf(field) ? dataset.moment : (dataset.last === undefined ? momentOf : lastOf)(value));
  }
});

new MutationObserver(paint).observe(document.body, { childList: true, subtree: true, characterData: true, attributeFilter: ['data-moment'] });
paint();
