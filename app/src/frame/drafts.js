// Keeps what is typed into a form until it is sent, in this tab alone: a reload, a restart or a step aside loses nothing. Passwords,
// codes, secrets, confirmations and files are never kept; drafts go with success and with sign-out, and nobody else is shown them.
const STORE = 'switchyard.draft:';
const LONGEST = 24 * 60 * 60 * 1_000;
const TYPED = ['text', 'email', 'tel', 'url', 'number', 'date', 'time', 'datetime-local', 'textarea'];
const KINDS = [...TYPED, 'checkbox', 'radio', 'select-one', 'select-multiple'];
const SECRET = /^(typed|confirm|code|token)$|secret|password|jwt/;
/** Hidden fields that say which state of a thing was seen, and not which thing it is. */
const SEEN = /^(version|versions\[\]|seen|was_.*)$/;
/** A hidden field that makes a form one that is sent once: it is new with each page and says nothing of the thing. A draft has it from
 * the page that it was written on: what was sent, and whose answer was lost, is not sent again. */
const ONCE = /^token$/;
const known = new WeakSet();
const touched = new WeakSet();
const shown = new WeakMap();
const sent = new WeakMap();
const others = new BroadcastChannel('switchyard-drafts');

const who = () => document.querySelector('[data-who]')?.dataset.who;
const formsHere = () => [...document.querySelectorAll('main form[method="post"]')].filter((form) => !form.closest('.confirm, [role="search"]'));
const hidden = (form) => [...form.elements].filter((field) => field.type === 'hidden' && field.name);
const seen = (form) => hidden(form).filter(({ name }) => SEEN.test(name)).map(({ value }) => value).join();
const once = (form) => hidden(form).filter(({ name }) => ONCE.test(name));

const isSecret = ({ name, autocomplete }) => SECRET.test(name) || /password|one-time/.test(autocomplete);

/** The fields whose contents are kept; the boxes that choose rows of a list are none. */
function fieldsOf(form) {
  return [...form.elements].filter(
    (field) => field.name && KINDS.includes(field.type) && !field.readOnly && !isSecret(field) && !field.closest('table.rows'),
  );
}

/** The form's key in the store: its page, where it is sent, and what of. */
function keyOf(form) {
  const plain = (one) => {
    const of = hidden(one).filter(({ name }) => !SEEN.test(name) && !ONCE.test(name));
    return [location.pathname, one.getAttribute('action'), ...of.map(({ name, value }) => `${name}=${value}`)].join(' ');
  };
  const own = plain(form);
  return `${STORE}${own} ${formsHere().filter((one) => plain(one) === own).indexOf(form)}`;
}

/** A field's key in its form; what is a time in one zone is another time in the next. */
const isChoice = (field) => field.type === 'checkbox' || field.type === 'radio';

const nameOf = (form, field) => {
  // What is chosen of a list stays itself when the list has other rows.
  if (isChoice(field)) return `${field.name} =${field.value}`;
  const at = fieldsOf(form).filter(({ name }) => name === field.name).indexOf(field);
  return `${field.name} ${at}${field.dataset.zoned ? ` ${field.dataset.zoned}` : ''}`;
};

const valueOf = (field) => {
  if (isChoice(field)) return field.checked;
  return field.type === 'select-multiple' ? [...field.selectedOptions].map(({ value }) => value) : field.value;
};

function fill(field, value) {
  if (isChoice(field)) field.checked = value;
  else if (field.type === 'select-multiple') for (const option of field.options) option.selected = value.includes(option.value);
  else field.value = value;
  for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }));
}

const isAsItWas = (field) => {
  if (isChoice(field)) return field.checked === field.defaultChecked;
  return 'defaultValue' in field && field.value === field.defaultValue;
};

function read(key) {
  try {
    const draft = JSON.parse(sessionStorage.getItem(key));
    if (!draft || (draft.who === who() && Date.now() - draft.at < LONGEST)) return draft;
  } catch {
    // What cannot be read is no draft.
  }
  sessionStorage.removeItem(key);
  return null;
}

function save(form) {
  const key = keyOf(form);
  const fields = { ...read(key)?.fields };
  for (const field of fieldsOf(form).filter((field) => touched.has(field))) {
    if (isAsItWas(field)) delete fields[nameOf(form, field)];
    else fields[nameOf(form, field)] = valueOf(field);
  }
  try {
    if (Object.keys(fields).length === 0) sessionStorage.removeItem(key);
    else {
      const draft = { who: who(), at: Date.now(), seen: seen(form), once: once(form).map(({ value }) => value), fields };
      sessionStorage.setItem(key, JSON.stringify(draft));
    }
  } catch {
    // A browser that keeps nothing, or is full: there is no draft, and nothing else is missing.
  }
}

function forget(form, key) {
  sessionStorage.removeItem(key);
  shown.get(form)?.note.remove();
  shown.delete(form);
}

function arrived(form) {
  forget(form, sent.get(form));
  for (const field of fieldsOf(form)) touched.delete(field);
}

const kept = () => Object.keys(sessionStorage).filter((key) => key.startsWith(STORE));

function forgetAll() {
  for (const key of kept()) sessionStorage.removeItem(key);
}

/** Drafts whose day is over go, of whichever page they are: most pages are not come back to. */
function sweep() {
  try {
    for (const key of kept()) if (isOver(sessionStorage.getItem(key))) sessionStorage.removeItem(key);
  } catch {
    // A browser that keeps nothing.
  }
}

function isOver(text) {
  try {
    return !(Date.now() - JSON.parse(text).at < LONGEST);
  } catch {
    return true;
  }
}

function button(words, does) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'text-link min-h-6 font-medium';
  button.textContent = words;
  button.addEventListener('click', does);
  return button;
}

/** A quiet word above the form, with the way back. */
function tell(form, key, words, ...ways) {
  shown.get(form)?.note.remove();
  const note = document.createElement('div');
  note.className = 'draft-note';
  note.setAttribute('role', 'status');
  const before = shown.get(form)?.before ?? new Map();
  const discard = () => {
    forget(form, key);
    for (const [field, value] of before) fill(field, value);
    sessionStorage.removeItem(key);
    (before.keys().next().value ?? form.elements[0])?.focus();
  };
  note.append(words, ...ways, button('Discard', discard));
  form.prepend(note);
  form.closest('details')?.setAttribute('open', '');
  shown.set(form, { note, before });
  return before;
}

function put(form, key, fields, draft) {
  const fresh = once(form).map((field) => [field, field.value]);
  fresh.forEach(([field, value], n) => {
    field.value = draft.once?.[n] ?? value;
  });
  const differ = fields.filter((field) => JSON.stringify(draft.fields[nameOf(form, field)]) !== JSON.stringify(valueOf(field)));
  if (differ.length === 0) return;
  const before = tell(form, key, 'Draft restored.');
  for (const field of differ) {
    before.set(field, valueOf(field));
    fill(field, draft.fields[nameOf(form, field)]);
  }
  // Behind the fields: the first of all has the focus when the draft is discarded, and what is written then is another thing to send.
  for (const [field, value] of fresh) if (!before.has(field)) before.set(field, value);
}

/** Fills what has come to the page since it was last looked at. */
function restore() {
  if (document.documentElement.dataset.ready !== 'true' || !who()) return;
  for (const form of formsHere()) {
    const fresh = fieldsOf(form).filter((field) => !known.has(field));
    if (fresh.length === 0) continue;
    fresh.forEach((field) => known.add(field));
    const key = keyOf(form);
    const draft = read(key);
    const mine = fresh.filter((field) => draft && nameOf(form, field) in draft.fields);
    if (mine.length === 0) continue;
    // A plain form that went well leaves its draft behind; one that went wrong has brought its error back.
    if (draft.sent && !location.search.includes('__err=')) sessionStorage.removeItem(key);
    else if (draft.seen === seen(form)) put(form, key, mine, draft);
    else tell(form, key, 'You left a draft here, and this was changed since.', button('Use it', () => put(form, key, mine, draft)));
  }
}

function typed({ target, isTrusted }) {
  const form = target.form;
  if (!form || !formsHere().includes(form) || !fieldsOf(form).includes(target)) return;
  if (isTrusted || known.has(target)) touched.add(target);
  known.add(target);
  save(form);
}

function submitted(event) {
  const form = event.target;
  if (form.getAttribute('action')?.endsWith('/sign-out')) {
    forgetAll();
    others.postMessage('forget');
  } else if (formsHere().includes(form)) {
    const key = keyOf(form);
    if (!sent.has(form)) form.addEventListener('switchyard:sent', () => arrived(form));
    sent.set(form, key);
    const draft = event.defaultPrevented ? null : read(key);
    if (draft) sessionStorage.setItem(key, JSON.stringify({ ...draft, sent: true }));
  }
}

sweep();
addEventListener('input', typed);
addEventListener('change', typed);
addEventListener('submit', submitted);
addEventListener('reset', ({ target }) => forget(target, keyOf(target)));
others.onmessage = forgetAll;
let due = false;
new MutationObserver(() => {
  if (due) return;
  due = true;
  requestAnimationFrame(() => {
    due = false;
    restore();
  });
}).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ['data-ready'] });
restore();
