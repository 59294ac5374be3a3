// How the screens look: in both themes and two widths, compared with the pictures beside this file, with a tolerance for the edges of
// letters. `make screens` takes them anew after a change of look that is wanted; look at what changed before you keep it.
//
// Screens that show the demo's data as the other tests leave it are not among them: a house of this file's own is furnished alike each
// time. Times are covered, and what counts with them. Letters of another typeface have another width: where the machine has other
// typefaces than the one that took the pictures, only that each screen can be drawn is tested.
import { accessible, as, expect, product, ready, test } from '../product';
import { accept, start, type Program } from '../program';
import { setUp } from '../totp';
import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Browser, BrowserContextOptions, Locator, Page } from '@playwright/test';

const TYPEFACE = join(__dirname, 'screens.spec.ts-snapshots', 'typeface.txt');
const SCREENS = {
  'lines-new': '/lines/new',
  'accounts-new': '/accounts/new',
  'staff-new': '/staff/new',
  ui: '/ui',
  nowhere: '/nowhere',
  'no-such-line': '/lines/00000000-0000-0000-0000-000000000000',
  'sync-find': '/sync/find',
  'unknown-none': '/sync/unknown?q=%2B19995550199',
  search: '/search',
};
/** Of a house that nobody has moved into: nothing on them is of another test. */
const EMPTY = [
  '/lines',
  '/lines/types',
  '/accounts',
  '/connections',
  '/connections/new',
  '/sync',
  '/sync/unknown',
  '/findings',
  '/utilities',
  '/utilities/history',
  '/approvals',
  '/roles',
  '/bulk',
  '/simulator',
];

/** How wide a sentence is: the same on machines that have the same typefaces. */
const typeface = (page: Page) =>
  page.evaluate(() => {
    const pen = document.createElement('canvas').getContext('2d')!;
    pen.font = getComputedStyle(document.body).font;
    return pen.measureText('A line, a lane, and 1,234 messages: quick brown fox').width.toFixed(3);
  });

/** So many pixels may differ, of a window of 720 by 450 or 195 by 450: the edges of letters, and no word. */
const DIFFERENT = 150;

async function compare(page: Page, name: string, whole: boolean, covered: Locator[]): Promise<void> {
  const found = await typeface(page);
  if (test.info().config.updateSnapshots === 'all') {
    mkdirSync(dirname(TYPEFACE), { recursive: true });
    writeFileSync(TYPEFACE, found);
  }
  const isOurs = existsSync(TYPEFACE) && readFileSync(TYPEFACE, 'utf8') === found;
  const mask = [page.locator('time:not(details:not([open]) *)'), ...covered];
  const how = { mask, scale: 'device', fullPage: whole } as const;
  if (isOurs) await expect(page).toHaveScreenshot(`${name}.png`, { ...how, maxDiffPixels: DIFFERENT });
  else await page.screenshot(how);
}

let house: Program;
let moved: BrowserContextOptions['storageState'];
let furnished: Program;
let settled: BrowserContextOptions['storageState'];
/** Where what is in the furnished house is. */
let places: Record<string, string>;

const SECRET = 'a-secret-for-pictures';

/** A contact's text, by way of the carrier. */
async function texted(from: string, to: string, text: string): Promise<void> {
  const body = JSON.stringify({ id: `${from} to ${to}`, from, to: [to], text });
  const at = Math.floor(Date.now() / 1000);
  const signature = `t=${at},v1=${createHmac('sha256', SECRET).update(`${at}.${body}`).digest('hex')}`;
  const headers = { 'content-type': 'application/json', 'switchyard-signature': signature };
  const answer = await fetch(`${furnished.url}/webhooks/carrier/pictures/messages`, { method: 'POST', headers, body });
  expect(answer.status, await answer.text()).toBe(200);
}

/** A few of each thing, always the same ones, one after the other: what is listed by its age has one order. No carrier takes anything. */
async function furnish(page: Page): Promise<Record<string, string>> {
  /** Does what a form does. */
  const act = async (path: string, form: Record<string, string> = {}) => {
    const answer = await page.request.post(`/fn/${path}`, { form, headers: { origin: furnished.url } });
    expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
    return answer;
  };
  /** Does what leads to a page, and answers which. */
  const made = async (path: string, form: Record<string, string>) =>
    new URL((await act(path, form)).headers()['location'], furnished.url).pathname;
  const id = (path: string) => path.split('/').pop()!;

  const lakeside = await made('accounts/add', { name: 'Lakeside Dental', sends_blasts: 'true', has_conversations: 'true' });
  const northwind = await made('accounts/add', { name: 'Northwind Outfitters', sends_blasts: 'true', has_conversations: 'true' });
  const secrets = { client_id: 'sandbox-demo-pictures', client_secret: 'sandbox-demo-pictures', jwt: 'sandbox-demo-pictures' };
  await act('connections/add', { account: id(lakeside), base_url: product().sandbox, ...secrets });
  const line = (account: string, number: string, label: string, integration_type: string) =>
    made('lines/add', { account: id(account), number, label, integration_type });
  const desk = await line(lakeside, '+12025550101', 'Front desk', 'ringcentral');
  const reminders = await line(lakeside, '+12025550102', 'Reminders', 'none');
  const store = await line(northwind, '+13035550103', 'Store 14', 'inbox');
  await line(northwind, '+13035550104', 'Club', 'none');

  for (const name of ['Ada Byron', 'Grace Murray']) {
    const user = await made('users/add', { account: id(lakeside), name, email: `${name.split(' ')[0].toLowerCase()}@example.com` });
    if (name.startsWith('Ada')) await act('lines/access', { line: id(desk), user: id(user), access: 'true' });
  }
  await act('lines/responders/add', { line: id(desk), keyword: 'hours', reply: 'We are open Monday to Friday from eight to six.' });
  const contact = await made('contacts/add', { account: id(lakeside), number: '+16465550121', name: 'Rosa Diaz' });

  const blast = async (of: string, numbers: string, text: string, starts_at = '') => {
    const draft = (await (await act('blasts/draft', { line: id(of), text, numbers, starts_at })).json()) as string;
    return made('blasts/take', { line: id(of), draft });
  };
  type Board = { rows: { line_id: string; conversation_id: string; contact: string | null }[] };
  const board = async () => (await (await act('sync/list')).json()) as Board;
  for (const [n, number] of ['+16465550122', '+16465550123', '+16465550121'].entries()) {
    await blast(desk, number, 'We have free places for a check-up next week. Reply YES and we call you.');
    await expect.poll(async () => (await board()).rows.length, { timeout: 30_000 }).toBe(n + 1);
  }
  const rosa = (await board()).rows.find((row) => row.contact === 'Rosa Diaz')!;
  const month = new Date(Date.now() + 30 * 24 * 60 * 60 * 1000).toISOString().slice(0, 16);
  const later = await blast(reminders, '+16465550131, +16465550132', 'A reminder: your yearly check-up is due.', month);

  await texted('+16465550141', '+13035550103', 'Is the blue one still there in size 40?');
  await texted('+16465550142', '+14155550188', 'Is this still the salon?');
  await setUp(page);
  for (const [role, name] of [['support', 'Sam Support'], ['viewer', 'Vera Viewer']]) {
    furnished.shell(['staff', 'add', '--email', `${role}@example.com`, '--name', name, '--role', role, '--as', 'admin@example.com']);
  }

  await page.goto(store);
  await page.getByRole('link', { name: 'Transfer this line…' }).click();
  await ready(page);
  await page.getByLabel('To account').selectOption({ label: 'Lakeside Dental' });
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await page.waitForURL(/\/utilities\/runs\//);
  const run = new URL(page.url()).pathname;

  // The connection has signed in by then, once for all.
  await expect(async () => {
    await page.goto(lakeside);
    await expect(page.getByText('Signed in', { exact: true }).first()).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 60_000 });
  return {
    home: '/',
    lines: '/lines',
    line: desk,
    accounts: '/accounts',
    account: lakeside,
    sync: '/sync',
    unknown: '/sync/unknown',
    conversation: `/lines/${rosa.line_id}/conversations/${rosa.conversation_id}`,
    contact,
    blasts: `${desk}/blasts`,
    blast: later,
    run,
    staff: '/staff',
    roles: '/roles',
    // What was looked at for these pictures stands in the audit, too.
    audit: '/audit?action=line.add',
  };
}

test.beforeAll(async ({ browser }) => {
  test.setTimeout(240_000);
  house = await start('serve');
  const context = await accept(browser, house.invitation);
  moved = await context.storageState();
  await context.close();
  furnished = await start('serve', { CARRIER_SECRETS: `pictures=${SECRET}` });
  const owner = await accept(browser, furnished.invitation);
  settled = await owner.storageState();
  places = await furnish(await owner.newPage());
  await owner.close();
});

test.afterAll(async () => {
  await house?.end();
  await furnished?.end();
});

/** What is the same for each picture: it is compared, accessible where the window is wide, and no wider than that. */
async function look(page: Page, path: string, name: string, whole = false, covered: Locator[] = []): Promise<void> {
  await page.goto(path);
  await ready(page);
  await compare(page, name, whole, covered);
  if (page.viewportSize()!.width > 1000) await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
}

const stranger = async (browser: Browser, options: BrowserContextOptions) =>
  (await browser.newContext({ baseURL: product().url, ...options })).newPage();

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1440, 390]) {
    // Half as many pixels are enough to see what moved, and keep the pictures small.
    const how = { colorScheme, viewport: { width, height: 900 }, deviceScaleFactor: 0.5, reducedMotion: 'reduce' } as const;
    test(`the screens look as they did, ${colorScheme}, ${width} wide`, async ({ browser }) => {
      test.setTimeout(180_000);
      const nobody = await stranger(browser, how);
      await look(nobody, '/sign-in', `sign-in-${colorScheme}-${width}`);
      await look(nobody, '/invitation?token=none', `no-invitation-${colorScheme}-${width}`);
      const page = await as(browser, 'administrator', how);
      for (const [name, path] of Object.entries(SCREENS)) {
        // It has both themes on it.
        const isWhole = name === 'ui';
        if (!isWhole || colorScheme === 'light') await look(page, path, `${name}-${colorScheme}-${width}`, isWhole);
      }
      const viewer = await as(browser, 'viewer', how);
      await look(viewer, '/staff/new', `forbidden-${colorScheme}-${width}`);
    });

    test(`the screens of an empty house look as they did, ${colorScheme}, ${width} wide`, async ({ browser }) => {
      test.setTimeout(180_000);
      const page = await (await browser.newContext({ baseURL: house.url, storageState: moved, ...how })).newPage();
      for (const path of EMPTY) await look(page, path, `empty${path.replaceAll('/', '-')}-${colorScheme}-${width}`);
    });

    test(`the screens of a furnished house look as they did, ${colorScheme}, ${width} wide`, async ({ browser }) => {
      test.setTimeout(180_000);
      const at = { baseURL: furnished.url, storageState: settled, timezoneId: 'UTC' };
      const page = await (await browser.newContext({ ...at, ...how })).newPage();
      // What goes by the hour, and the numbers that entries get when they are sealed.
      const graphs = page.locator('section', { has: page.getByRole('heading', { name: 'How it goes' }) });
      const sealed = page.locator('td[data-label="No."]');
      for (const [name, path] of Object.entries(places)) {
        await look(page, path, `furnished-${name}-${colorScheme}-${width}`, false, [graphs, sealed]);
      }
    });
  }
}
