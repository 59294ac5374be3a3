// How long somebody at the console waits: from the key or the click, as the browser stamps it, until what they asked for is painted.
// Drives the console at $CONSOLE as who has the cookie $COOKIE, in a real Chromium; prints a line of JSON for each thing that is done.
import { chromium } from '@playwright/test';
import { existsSync } from 'node:fs';

const { CONSOLE, COOKIE, BUSY } = process.env;
const TRIES = 40;
const installed = ['/usr/bin/chromium', '/usr/bin/chromium-headless-shell'].find((path) => existsSync(path));

const browser = await chromium.launch({
  executablePath: installed,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--no-first-run'],
});
const context = await browser.newContext({ baseURL: CONSOLE, viewport: { width: 1440, height: 900 } });
const [name, value] = COOKIE.split('=');
await context.addCookies([{ name, value, url: CONSOLE }]);
await context.addInitScript(() => {
  /** From the next event of this kind until `isDone` holds and the frame after it is painted. */
  window.wait = (kind, isDone) => {
    window.waited = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(`nothing came of a ${kind}`)), 10_000);
      let began;
      const look = () => {
        if (began === undefined || !isDone()) return;
        observer.disconnect();
        requestAnimationFrame(() => {
          // Behind the frame: its messages come after it is painted.
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => resolve(performance.now() - began);
          port2.postMessage(null);
        });
      };
      const observer = new MutationObserver(look);
      observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
      const begin = (event) => {
        if (event.key === 'Control') return;
        removeEventListener(kind, begin, true);
        began = event.timeStamp;
        queueMicrotask(look);
      };
      addEventListener(kind, begin, true);
    });
  };
});
const page = await context.newPage();

const go = async (path) => {
  await page.goto(path);
  await page.waitForFunction(() => document.documentElement.dataset.ready === 'true');
};
const waited = () => page.evaluate(() => window.waited);
const tell = (name, times) => console.log(JSON.stringify({ name, times }));

/** Waits for other rows than there are now. */
const waitForOtherRows = (kind) =>
  page.evaluate((kind) => {
    const rows = () => document.querySelector('table.rows tbody')?.textContent ?? document.querySelector('.panel')?.textContent;
    const before = rows();
    window.wait(kind, () => rows() !== undefined && rows() !== before);
  }, kind);

/** Waits for the palette to be there and to take what is typed. */
const waitForPalette = () =>
  page.evaluate(() => window.wait('keydown', () => document.querySelector('dialog.palette')?.open && document.activeElement?.role === 'combobox'));

async function opensTheFirstTime() {
  const times = [];
  for (let n = 0; n < TRIES; n += 1) {
    await go('/lines');
    // Its code comes when the page has come to rest.
    await page.waitForTimeout(2_000);
    await waitForPalette();
    await page.keyboard.press('Control+k');
    times.push(await waited());
  }
  tell('the palette opens, the first time, two seconds after a load', times);
}

async function palette() {
  const times = [];
  for (let n = 0; n < TRIES; n += 1) {
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.querySelector('dialog.palette').open);
    await waitForPalette();
    await page.keyboard.press('Control+k');
    times.push(await waited());
  }
  tell('the palette opens', times);
}

async function typing(what, texts) {
  const times = [];
  const list = page.locator('#palette-list[aria-busy=false]');
  for (let n = 0; n < TRIES; n += 1) {
    const text = texts(n);
    await page.getByRole('combobox', { name: 'Search everywhere' }).fill(text.slice(0, -1));
    await list.waitFor();
    // What was found before is asked for again: the list says that it is busy, and then that it is not.
    await page.evaluate(() => {
      let wasBusy = false;
      window.wait('keydown', () => {
        const isBusy = document.querySelector('#palette-list').ariaBusy === 'true';
        const isDone = wasBusy && !isBusy;
        wasBusy ||= isBusy;
        return isDone;
      });
    });
    await page.keyboard.press(text.at(-1));
    times.push(await waited());
  }
  tell(`the palette shows what is found by ${what}`, times);
}

async function filter() {
  await go('/lines');
  // The first lines are all of RingCentral.
  const types = ['inbox', 'ringcentral'];
  let times = [];
  for (let n = 0; n < TRIES; n += 1) {
    await waitForOtherRows('change');
    await page.getByRole('combobox', { name: 'Integration type' }).selectOption(types[n % types.length]);
    times.push(await waited());
  }
  tell('a list is narrowed by a choice', times);
  await go('/lines');
  times = [];
  for (let n = 0; n < TRIES; n += 1) {
    await page.getByRole('searchbox').fill(`desk ${n % 10}`);
    await waitForOtherRows('keydown');
    await page.keyboard.press('Enter');
    times.push(await waited());
  }
  tell('a list is narrowed by a text', times);
}

async function nextPage(what, path) {
  const times = [];
  await go(path);
  for (let n = 0; n < TRIES; n += 1) {
    const next = page.getByRole('link', { name: 'Next page' });
    if ((await next.count()) === 0) await go(path);
    await waitForOtherRows('click');
    await next.click();
    times.push(await waited());
  }
  tell(`the next page of ${what}`, times);
}

async function openRow(what, path) {
  const times = [];
  await go(path);
  for (let n = 0; n < TRIES; n += 1) {
    const link = page.locator('[data-row-link]').nth(n % 20);
    await link.focus();
    await page.evaluate(() => {
      const title = () => document.querySelector('h1')?.textContent;
      const [href, before] = [document.activeElement.href, title()];
      window.wait('keydown', () => location.href === href && title() !== undefined && title() !== before);
    });
    await page.keyboard.press('Enter');
    times.push(await waited());
    await page.goBack();
    await link.waitFor();
    // The row that was opened is given the focus again.
    await page.waitForTimeout(500);
  }
  tell(`${what} is opened`, times);
}

await opensTheFirstTime();
await palette();
await typing('a name', (n) => ['Ada', 'Bruno', 'Carla', 'Dario', 'Elena'][n % 5]);
await typing('digits', (n) => `500${n % 10}`);
await filter();
await nextPage('the lines', '/lines');
await nextPage('a busy line’s conversations', BUSY);
await nextPage('the audit', '/audit');
await openRow('a line', '/lines');
await openRow('a conversation', BUSY);
await browser.close();
