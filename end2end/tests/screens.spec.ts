// How the screens look: in both themes and two widths, compared with the pictures beside this file, with a tolerance for the edges of
// letters. `make screens` takes them anew after a change of look that is wanted; look at what changed before you keep it.
//
// Screens that show the demo's data as the other tests leave it are not among them: a house of this file's own is furnished alike each
// time. Times are covered, and what counts with them. Letters of another typeface have another width: where the machine has other
// typefaces than the one that took the pictures, only that each screen can be drawn is tested. A screen of the router that no picture is
// taken of, and that does not say why, fails.
import { accessible, as, expect, product, ready, test } from '../product';
import { accept, password, start, type Program } from '../program';
import { routeOf, routes } from '../routes';
import { setUp } from '../totp';
import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Browser, BrowserContextOptions, Locator, Page } from '@playwright/test';

const THEMES = ['light', 'dark'] as const;
const WIDTHS = [1440, 390];
/** Widths that no picture is taken in: between those and beyond. */
const OTHER_WIDTHS = [640, 768, 1024, 2560];
const HEIGHT = 900;
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

/** What nobody signed in is shown, and who is half signed in. */
const AT_THE_DOOR = { 'sign-in': '/sign-in', 'no-invitation': '/invitation?token=none' };
const CODE = '/sign-in/code';
/** Screens that no picture is taken of, by their routes, each with the reason. */
const WITHOUT_PICTURE: Record<string, string> = {};

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
/** Where what is in the furnished house is: the screens that are also put before axe here, and the others. */
let places: Record<string, string>;
let further: Record<string, string>;

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
async function furnish(page: Page): Promise<void> {
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
  /** Where a link of a list leads. */
  const linked = async (path: string, name: string) => {
    await page.goto(path);
    return (await page.getByRole('link', { name, exact: true }).first().getAttribute('href'))!;
  };

  const lakeside = await made('accounts/add', { name: 'Lakeside Dental', sends_blasts: 'true', has_conversations: 'true' });
  const northwind = await made('accounts/add', { name: 'Northwind Outfitters', sends_blasts: 'true', has_conversations: 'true' });
  const secrets = { client_id: 'sandbox-demo-pictures', client_secret: 'sandbox-demo-pictures', jwt: 'sandbox-demo-pictures' };
  const connection = await made('connections/add', { account: id(lakeside), base_url: product().sandbox, ...secrets });
  const line = (account: string, number: string, label: string, integration_type: string) =>
    made('lines/add', { account: id(account), number, label, integration_type });
  const desk = await line(lakeside, '+12025550101', 'Front desk', 'ringcentral');
  const reminders = await line(lakeside, '+12025550102', 'Reminders', 'none');
  const store = await line(northwind, '+13035550103', 'Store 14', 'inbox');
  await line(northwind, '+13035550104', 'Club', 'none');

  const person = (name: string, email: string) => made('users/add', { account: id(lakeside), name, email });
  const ada = await person('Ada Byron', 'ada@example.com');
  await act('lines/access', { line: id(desk), user: id(ada), access: 'true' });
  await person('Grace Murray', 'grace@example.com');
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

  const erasure = await made('erasures/ask', { account: id(northwind), number: '+16465550141', reference: 'Request 12' });

  // The connection has signed in by then, once for all, and is told of what happens.
  await expect(async () => {
    await page.goto(connection);
    await expect(page.getByText('Signed in', { exact: true }).first()).toBeVisible({ timeout: 1_000 });
    await expect(page.getByText('Alive', { exact: true }).first()).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 60_000 });
  const conversation = `/lines/${rosa.line_id}/conversations/${rosa.conversation_id}`;
  places = {
    home: '/',
    lines: '/lines',
    line: desk,
    accounts: '/accounts',
    account: lakeside,
    sync: '/sync',
    unknown: '/sync/unknown',
    conversation,
    contact,
    blasts: `${desk}/blasts`,
    blast: later,
    run,
    staff: '/staff',
    roles: '/roles',
    // What was looked at for these pictures stands in the audit, too.
    audit: '/audit?action=line.add',
  };
  further = {
    you: '/you',
    conversations: `${desk}/conversations`,
    ringcentral: `${conversation}/ringcentral`,
    consent: `${desk}/consent?conversation=${rosa.conversation_id}`,
    'blast-new': `${desk}/blasts/new`,
    'line-type': `${desk}/type?to=none`,
    'line-close': `${desk}/close`,
    types: `/lines/types?line=${id(desk)}&to=inbox`,
    bulk: `/bulk?act=close_users&row=${id(ada)}`,
    people: `${lakeside}/users`,
    user: ada,
    contacts: `${lakeside}/contacts`,
    'account-blasts': `${lakeside}/blasts`,
    'account-retention': `${lakeside}/retention`,
    'account-erase': `${lakeside}/erase`,
    'account-close': `${lakeside}/close`,
    erasure,
    findings: '/findings',
    connections: '/connections',
    connection,
    'connection-secrets': `${connection}/secrets`,
    'connection-remove': `${connection}/remove`,
    'line-transfer': '/utilities/new/line_transfer',
    // What is planned is no history yet, but for who planned it.
    history: '/utilities/history?state=planned',
    member: await linked('/staff', 'Sam Support'),
    role: await linked('/roles', 'Support'),
    'audit-retention': '/audit/retention',
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
  await furnish(await owner.newPage());
  await owner.close();
});

test.afterAll(async () => {
  await house?.end();
  await furnished?.end();
});

const isBeside = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

/** What is the same for each picture: it is compared, accessible where the window is wide, and no wider than that. */
async function look(page: Page, path: string, name: string, whole = false, covered: Locator[] = []): Promise<void> {
  await page.goto(path);
  await ready(page);
  await compare(page, name, whole, covered);
  if (page.viewportSize()!.width > 1000) await accessible(page);
  expect(await isBeside(page)).toBe(false);
}

/** The same in both themes and both widths, of a page that is there. Before axe it is put in `make accessibility`. */
async function looks(page: Page, name: string): Promise<void> {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: HEIGHT });
    for (const colorScheme of THEMES) {
      await page.emulateMedia({ colorScheme });
      await compare(page, `${name}-${colorScheme}-${width}`, false, changing(page));
    }
    expect(await isBeside(page), `${name} is no wider than ${width}`).toBe(false);
  }
}

/** What is another each time: what goes by the hour or the minute, the numbers that entries get when they are sealed, and addresses. */
function changing(page: Page): Locator[] {
  const section = (heading: string) => page.locator('section', { has: page.getByRole('heading', { name: heading, exact: true }) });
  return [
    ...['How it goes', 'Is it keeping up?', 'Budget'].map(section),
    section('Sessions').getByRole('listitem'),
    page.locator('td[data-label="No."]'),
    page.locator('main').getByText(product().sandbox),
  ];
}

const stranger = async (browser: Browser, options: BrowserContextOptions) =>
  (await browser.newContext({ baseURL: product().url, ...options })).newPage();

/** Half as many pixels are enough to see what moved, and keep the pictures small. */
const SMALL = { deviceScaleFactor: 0.5, reducedMotion: 'reduce' } as const;
/** The furnished house, for who owns it. */
const atHome = () => ({ baseURL: furnished.url, storageState: settled, timezoneId: 'UTC' });

for (const colorScheme of THEMES) {
  for (const width of WIDTHS) {
    const how = { colorScheme, viewport: { width, height: HEIGHT }, ...SMALL } as const;
    test(`the screens look as they did, ${colorScheme}, ${width} wide`, async ({ browser }) => {
      test.setTimeout(180_000);
      const nobody = await stranger(browser, how);
      for (const [name, path] of Object.entries(AT_THE_DOOR)) await look(nobody, path, `${name}-${colorScheme}-${width}`);
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
      const page = await (await browser.newContext({ ...atHome(), ...how })).newPage();
      for (const [name, path] of Object.entries(places)) {
        await look(page, path, `furnished-${name}-${colorScheme}-${width}`, false, changing(page));
      }
    });
  }
}

test('the further screens of a furnished house look as they did, each in both themes and widths', async ({ browser }) => {
  test.setTimeout(300_000);
  const page = await (await browser.newContext({ ...atHome(), ...SMALL, viewport: { width: WIDTHS[0], height: HEIGHT } })).newPage();
  for (const [name, path] of Object.entries(further)) {
    await page.goto(path);
    await ready(page);
    await looks(page, `furnished-${name}`);
  }
  // Who has given the password, and not the code yet.
  await page.context().clearCookies();
  await page.goto('/sign-in');
  await ready(page);
  await page.getByLabel('E-mail').fill('admin@example.com');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Second factor' })).toBeVisible();
  await page.goto(CODE);
  await ready(page);
  await looks(page, 'code');
});

/** Their tables have more columns than fit between a telephone and a desktop: there the page scrolls sideways, still. */
const WIDE = ['line', 'sync', 'unknown', 'blasts', 'audit', 'account-blasts', 'connections'];

test('no screen is wider than its window, in the widths that no picture is taken in', async ({ browser }) => {
  test.setTimeout(180_000);
  const page = await (await browser.newContext({ ...atHome(), reducedMotion: 'reduce' })).newPage();
  const wider: string[] = [];
  for (const [name, path] of Object.entries({ ...SCREENS, ...places, ...further })) {
    await page.goto(path);
    await ready(page);
    for (const width of OTHER_WIDTHS) {
      await page.setViewportSize({ width, height: HEIGHT });
      if ((width >= 1280 || !WIDE.includes(name)) && (await isBeside(page))) wider.push(`${name} at ${width}`);
    }
  }
  expect(wider).toEqual([]);
});

test('a very wide screen has nothing beside it, and lines no longer than one can read', async ({ browser }) => {
  const page = await (await browser.newContext({ ...atHome(), viewport: { width: 2560, height: 1300 } })).newPage();
  for (const name of ['home', 'lines', 'line', 'conversation', 'sync', 'run']) {
    await page.goto(places[name]);
    await ready(page);
    expect(await isBeside(page), `${name} is no wider than the window`).toBe(false);
    const rems = await page.locator('main').evaluate((main) => {
      const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
      return main.getBoundingClientRect().width / rem;
    });
    expect(rems, `the width of ${name}`).toBeCloseTo(80, 1);
  }
});

test('every screen of the router has a picture, or a reason why it has none', () => {
  const paths = [AT_THE_DOOR, SCREENS, places, further].flatMap((named) => Object.values(named)).concat(EMPTY, CODE);
  const drawn = new Set(paths.map(routeOf));
  const reasons = Object.keys(WITHOUT_PICTURE);
  expect(routes().filter((route) => !drawn.has(route) && !reasons.includes(route))).toEqual([]);
  expect(reasons.filter((route) => drawn.has(route) || !routes().includes(route)), 'a reason for what is drawn, or is no more').toEqual([]);
});
