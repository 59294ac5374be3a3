// Every screen of the router in every state that matters, light and dark, wide and narrow, with scripts and without, by the rules of
// WCAG 2.2 AA that axe can check. The list of screens is read from the code: one that is new and not here fails.
//
// `make accessibility` runs it, since it takes a quarter of an hour; `make test` sees that no screen is missing here, and has the main
// screens before axe in the other files. No rule and no part of a screen is left out. The house is one of its own, so that it can be filled with what nobody else wants.
import { expect, ready, test, violations } from '../product';
import { accept, password, start, type Program } from '../program';
import { routes } from '../routes';
import { code } from '../totp';
import type { APIResponse, Browser, BrowserContext, Page } from '@playwright/test';

const NOBODY = '00000000-0000-7000-8000-000000000000';

let program: Program;
let [ada, vera]: BrowserContext[] = [];
/** What stands in the paths: `{line}` and the like. */
const there: Record<string, string> = {};
/** The secret of Vera's second factor. */
let secret = '';

/** Sends a form as a page of the console would. */
async function send(page: Page, path: string, form: Record<string, string>, how: 'form' | 'multipart' = 'form'): Promise<APIResponse> {
  const headers = { origin: program.url, 'sec-fetch-site': 'same-origin', accept: 'application/json' };
  const answer = await page.request.post(path, { [how]: form, headers });
  expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
  return answer;
}

/** The first cell of the first row of a file that a text is in. */
async function first(page: Page, file: string, text = ''): Promise<string> {
  const rows = (await (await page.request.get(file)).text()).trim().split('\r\n').slice(1);
  const row = rows.find((row) => row.includes(text));
  expect(row, `${file} has ${text}`).toBeTruthy();
  return row!.split(',')[0];
}

/** Sends a form of a page as it stands there, with these fields written into. */
async function sendFrom(page: Page, at: string, path: string, written: Record<string, string> = {}): Promise<void> {
  await page.goto(at);
  const form = page.locator(`main form[action="${path}"]`).first();
  const fields = await form.evaluate((form: HTMLFormElement) => Object.fromEntries(new FormData(form)) as Record<string, string>);
  await send(page, path, { ...fields, ...written });
}

/** Adds something; its id. */
async function added(page: Page, path: string, form: Record<string, string>): Promise<string> {
  const answer = await send(page, path, form);
  return new URL(answer.headers().location, program.url).pathname.split('/').pop()!;
}

/** The last part of the first link on a page that leads there. */
async function linked(page: Page, path: string, name: string): Promise<string> {
  await page.goto(path);
  return (await page.getByRole('link', { name, exact: true }).first().getAttribute('href'))!.split('/').pop()!;
}

test.describe.configure({ mode: 'default' });
// The contexts stay open over the tests of this file.
test.use({ tidy: [async ({}, use) => use(), { auto: true }] as never });

test.beforeAll(async ({ browser }, { tags }) => {
  if (!tags.includes('@every-state')) return;
  test.setTimeout(120_000);
  // Slow enough for a transfer to be paused in its midst.
  program = await start('demo', { UTILITY_SHARE: '1' });
  const look = { reducedMotion: 'reduce', colorScheme: 'light' } as const;
  ada = await accept(browser, program.invitation, look);
  const member = (email: string, name: string, role: string) =>
    accept(browser, program.shell(['staff', 'add', '--email', email, '--name', name, '--role', role, '--as', 'admin@example.com']).split('\n')[0], look);
  vera = await member('vera@example.com', 'Vera Viewer', 'viewer');
  const page = await ada.newPage();
  there.account = await first(page, '/accounts.csv', 'Lakeside Dental');
  there.line = await first(page, '/lines.csv', 'Front desk');
  there.refused = await first(page, '/connections.csv', 'Cedar');
  there.connection = await first(page, '/connections.csv', 'Lakeside');
  there.user = await first(page, `/accounts/${there.account}/users.csv`);
  there.contact = await first(page, `/accounts/${there.account}/contacts.csv`);
  there.conversation = await first(page, `/lines/${there.line}/conversations.csv`);
  there.blast = await first(page, `/lines/${there.line}/blasts.csv`);
  there.member = await first(page, '/staff.csv', 'vera@');
  there.role = await linked(page, '/roles', 'Support');
  there.administrator = await linked(page, '/roles', 'Administrator');
  // A house within the house that nobody has moved into.
  await send(page, '/fn/accounts/add', { name: 'Mill Lane Bakery', sends_blasts: 'true', has_conversations: 'true' });
  there.bare = await first(page, '/accounts.csv', 'Mill Lane Bakery');
  await send(page, '/fn/lines/add', { account: there.bare, number: '+12025550198', label: 'Counter', integration_type: 'inbox' });
  there.unused = await first(page, '/lines.csv', 'Counter');
  // One of each that a demo has none of.
  await send(page, '/fn/lines/responders/add', { line: there.line, keyword: 'parking', reply: 'Behind the house.' });
  const asked = await send(page, '/fn/erasures/ask', { account: there.account, number: '+13035550100', reference: 'Request 12' });
  there.erasure = asked.headers().location.split('/').pop()!;
  const plan = { line: there.unused, to: there.account, access: 'drop', responders: 'move', opt_ins: 'keep' };
  const planned = await send(page, '/utilities/plan/line_transfer', plan, 'multipart');
  there.run = planned.headers().location.split('/').pop()!;
  // One of each that is closed.
  there.closed_account = await added(page, '/fn/accounts/add', { name: 'Quay Street Florist', sends_blasts: 'true', has_conversations: 'true' });
  await sendFrom(page, `/accounts/${there.closed_account}/close`, '/fn/accounts/close', { confirm: 'Quay Street Florist' });
  const counter = { account: there.bare, number: '+12025550197', label: 'Old counter', integration_type: 'inbox' };
  there.closed_line = await added(page, '/fn/lines/add', counter);
  await sendFrom(page, `/lines/${there.closed_line}/close`, '/fn/lines/close', { confirm: '0197' });
  there.closed_user = await added(page, '/fn/users/add', { account: there.account, name: 'Mary Fairfax', email: 'mary@example.com' });
  await sendFrom(page, `/users/${there.closed_user}`, '/fn/users/close');
  there.closed_contact = await added(page, '/fn/contacts/add', { account: there.account, number: '+16465550197', name: 'Mary Anning' });
  await sendFrom(page, `/contacts/${there.closed_contact}`, '/fn/contacts/close', { closed: 'true' });
  // And what stands still.
  there.paused = await first(page, '/connections.csv', 'Northwind');
  await sendFrom(page, `/connections/${there.paused}`, '/fn/connections/pause');
  there.moving = await first(page, '/lines.csv', 'Returns');
  const salon = await first(page, '/accounts.csv', 'Cedar');
  const transfer = await send(page, '/utilities/plan/line_transfer', { ...plan, line: there.moving, to: salon }, 'multipart');
  there.stopped = transfer.headers().location.split('/').pop()!;
  await page.goto(`/utilities/runs/${there.stopped}`);
  const typed = (await page.locator('#typed-help').textContent())!;
  await sendFrom(page, `/utilities/runs/${there.stopped}`, '/fn/utilities/start', { typed });
  await expect(async () => {
    await page.goto(`/lines/${there.moving}`);
    await expect(page.getByText('The line is being transferred to')).toBeVisible({ timeout: 500 });
  }).toPass({ intervals: [100], timeout: 20_000 });
  await send(page, '/fn/utilities/act', { id: there.stopped, act: 'pause' });
  await expect(async () => {
    await page.goto(`/utilities/runs/${there.stopped}`);
    await expect(page.locator('main .badge').first()).toHaveText('Paused', { timeout: 500 });
  }).toPass({ intervals: [100], timeout: 20_000 });
  await send(page, '/fn/views/save', { list: 'lines', name: 'Blast only', 'names[]': 'type', 'values[]': 'none', role: '' });
  for (const [name, text] of [['search', 'Front'], ['nothing', 'zzzz']]) {
    const kept = await send(page, '/fn/search/keep', { text });
    there[name] = new URL(kept.headers().location, program.url).searchParams.get('search')!;
  }
  // A second administrator, so that something waits for the second person.
  await member('grace@example.com', 'Grace Hopper', 'administrator');
  await send(page, '/fn/staff/roles/give', { id: there.member, role: there.administrator, note: 'While I am away' });
  // Vera has a phone.
  const own = await vera.newPage();
  await own.goto('/you');
  await ready(own);
  await own.getByRole('button', { name: 'Set up' }).click();
  secret = (await own.locator('[data-secret]').textContent())!.trim();
  await own.getByLabel('The six digits it shows now').fill(code(secret));
  await own.getByRole('button', { name: 'Confirm', exact: true }).click();
  await expect(own.locator('[data-recovery-codes]')).toBeVisible();
});
test.afterAll(async () => program?.end());

const filled = (path: string) => path.replace(/\{(\w+)\}/g, (_, name: string) => there[name] ?? name);

/** What axe finds, in both themes. */
async function look(page: Page, state: string, plain = false): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect.soft(await violations(page, plain), `${state}, ${colorScheme}`).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Opens every fold of the page. */
const unfold = (page: Page) =>
  page.locator('main details').evaluateAll((folds) => {
    for (const fold of folds as HTMLDetailsElement[]) fold.open = true;
    return folds.length;
  });

type Act = (page: Page) => Promise<void>;

/** Sends the form with this button with nothing in its fields, or with what is given, and waits for what is said about it. */
const wrong =
  (button: string | RegExp, values: Record<string, string> = {}): Act =>
  async (page) => {
    await unfold(page);
    const form = page.locator('main form').filter({ has: page.getByRole('button', { name: button }) }).first();
    await form.evaluate((form: HTMLFormElement, values) => {
      form.noValidate = true;
      for (const field of form.querySelectorAll<HTMLInputElement>('input:not([type=hidden], [type=checkbox], [type=radio], [type=file]), textarea')) {
        field.value = values[field.name] ?? '';
        field.dispatchEvent(new Event('input', { bubbles: true }));
      }
    }, values);
    await form.getByRole('button', { name: button }).click();
    await expect(page.locator('main [aria-invalid=true], main [role=alert] .alert').first()).toBeVisible();
  };

interface Screen {
  /** Where it is with something on it. */
  path: string;
  /** Who sees it; Ada, who may do everything, if nothing is said. */
  as?: 'nobody';
  /** Other addresses: with nothing to show, narrowed, after something was done. */
  also?: Record<string, string>;
  /** What somebody does there. */
  acts?: Record<string, Act>;
}

const SCREENS: Record<string, Screen> = {
  '/sign-in': {
    path: '/sign-in?next=/lines',
    as: 'nobody',
    acts: { wrong: wrong('Sign in', { email: 'vera@example.com', password: 'not the password' }) },
  },
  '/sign-in/code': {
    path: '/sign-in/code',
    as: 'nobody',
    acts: {
      asked: async (page) => {
        await page.goto('/sign-in');
        await ready(page);
        await page.getByLabel('E-mail').fill('vera@example.com');
        await page.getByLabel('Password').fill(password);
        await page.getByRole('button', { name: 'Sign in' }).click();
        await expect(page.getByRole('heading', { name: 'Second factor' })).toBeVisible();
      },
      wrong: async (page) => {
        await SCREENS['/sign-in/code'].acts!.asked(page);
        await wrong('Sign in', { code: '000000' })(page);
      },
    },
  },
  '/invitation': {
    path: '/invitation?token=of-nobody',
    as: 'nobody',
    acts: {
      wrong: async (page) => {
        const who = ['--email', `iris${Date.now()}@example.com`, '--name', 'Iris', '--role', 'viewer', '--as', 'admin@example.com'];
        await page.goto(program.shell(['staff', 'add', ...who]).split('\n')[0]);
        await ready(page);
        await wrong(/set the password/i, { password: 'short' })(page);
      },
    },
  },
  '/': { path: '/', also: { month: '/?span=month' } },
  '/search': { path: '/search?search={search}', also: { asked: '/search', nothing: '/search?search={nothing}' } },
  '/lines': {
    path: '/lines',
    also: { nothing: '/lines?q=zzzz', sorted: '/lines?sort=label_down', done: '/lines?done=types' },
    acts: {
      chosen: async (page) => {
        await page.getByRole('checkbox', { name: 'Choose all on this page' }).check();
        await expect(page.getByText(/^\d+ chosen$/)).toBeVisible();
      },
      searched: async (page) => {
        await page.keyboard.press('ControlOrMeta+k');
        await page.keyboard.type('Front');
        await expect(page.getByRole('listbox', { name: 'Results' }).getByRole('option').first()).toBeVisible();
      },
      keys: async (page) => {
        await page.keyboard.press('?');
        await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
      },
      menu: async (page) => {
        await page.setViewportSize({ width: 390, height: 844 });
        await page.locator('header summary').click();
        await expect(page.getByRole('button', { name: 'Sign out' }).first()).toBeVisible();
      },
    },
  },
  '/lines/new': { path: '/lines/new', acts: { wrong: wrong('Add line', { number: '12', label: 'Desk' }) } },
  '/lines/types': { path: '/lines/types', also: { chosen: '/lines/types?line={line}&to=inbox' } },
  '/bulk': {
    path: '/bulk?act=close_users&row={user}',
    also: { nothing: '/bulk', all: '/bulk?act=retry_lanes&all=1' },
    acts: { wrong: wrong(/^Close 1 person/, { confirm: '7' }) },
  },
  '/lines/:id': {
    path: '/lines/{line}',
    also: { unused: '/lines/{unused}', done: '/lines/{line}?done=type', closed: '/lines/{closed_line}', 'being transferred': '/lines/{moving}' },
    acts: { wrong: wrong('Save', { label: '' }), 'a responder is wrong': wrong('Add responder', { keyword: '', reply: '' }) },
  },
  '/lines/:id/type': { path: '/lines/{line}/type?to=none', also: { 'the same': '/lines/{line}/type?to=ringcentral' } },
  '/lines/:id/conversations': {
    path: '/lines/{line}/conversations',
    also: { nothing: '/lines/{unused}/conversations', narrowed: '/lines/{line}/conversations?state=held' },
  },
  '/lines/:id/conversations/:conversation': {
    path: '/lines/{line}/conversations/{conversation}',
    also: { narrowed: '/lines/{line}/conversations/{conversation}?post=failed', 'from a day on': '/lines/{line}/conversations/{conversation}?date=2020-01-01' },
    acts: { wrong: wrong('Send', { text: '' }) },
  },
  '/lines/:id/conversations/:conversation/ringcentral': {
    path: '/lines/{line}/conversations/{conversation}/ringcentral',
    acts: {
      compared: async (page) => {
        await page.getByRole('button', { name: 'Look in RingCentral now' }).click();
        await expect(page.getByRole('table')).toBeVisible();
      },
    },
  },
  '/sync': {
    path: '/sync',
    also: { nothing: '/sync?line={unused}' },
    acts: {
      chosen: async (page) => {
        // High enough that the bar of what is chosen, which stays in sight, lies on no row.
        await page.setViewportSize({ width: 1440, height: 2400 });
        await page.getByRole('checkbox', { name: 'Choose all on this page' }).check();
        await expect(page.getByText(/^\d+ chosen$/)).toBeVisible();
      },
    },
  },
  '/sync/find': { path: '/sync/find', also: { 'on a line': '/sync/find?line={line}' }, acts: { wrong: wrong('Find', { number: '12' }) } },
  '/sync/unknown': { path: '/sync/unknown', also: { nothing: '/sync/unknown?q=%2B12025550177', 'set aside': '/sync/unknown?show=aside' } },
  '/simulator': { path: '/simulator', also: { chosen: '/simulator?line={line}&contact={conversation}' } },
  '/accounts': { path: '/accounts', also: { nothing: '/accounts?q=zzzz' } },
  '/accounts/new': { path: '/accounts/new', acts: { wrong: wrong('Add account', { name: 'Lakeside Dental' }) } },
  '/accounts/:id/erase': { path: '/accounts/{account}/erase', acts: { wrong: wrong('See what there is', { number: '12', reference: 'Request 13' }) } },
  '/erasures/:id': { path: '/erasures/{erasure}', acts: { wrong: wrong('Erase the contact', { confirm: '1' }) } },
  '/accounts/:id': {
    path: '/accounts/{account}',
    also: { bare: '/accounts/{bare}', closed: '/accounts/{closed_account}' },
    acts: { wrong: wrong('Save', { name: 'Northwind Outfitters' }) },
  },
  '/accounts/:id/retention': { path: '/accounts/{account}/retention', also: { preview: '/accounts/{account}/retention?message_days=1&held_days=&unknown_days=&audit_days=&set=1' } },
  '/accounts/:id/close': { path: '/accounts/{account}/close', also: { closed: '/accounts/{closed_account}/close' }, acts: { wrong: wrong('Close the account', { confirm: 'no' }) } },
  '/accounts/:id/users': {
    path: '/accounts/{account}/users',
    also: { nothing: '/accounts/{bare}/users', 'no match': '/accounts/{account}/users?q=zzzz' },
    acts: { wrong: wrong('Add person', { name: 'Ann', email: 'no address' }) },
  },
  '/accounts/:id/contacts': {
    path: '/accounts/{account}/contacts',
    also: { nothing: '/accounts/{bare}/contacts' },
    acts: { wrong: wrong('Find', { text: '' }) },
  },
  '/accounts/:id/blasts': { path: '/accounts/{account}/blasts', also: { nothing: '/accounts/{bare}/blasts' } },
  '/users/:id': {
    path: '/users/{user}',
    also: { closed: '/users/{closed_user}' },
    acts: { wrong: wrong('Save', { name: 'Ann', email: 'no address' }) },
  },
  '/contacts/:id': { path: '/contacts/{contact}', also: { closed: '/contacts/{closed_contact}' }, acts: { wrong: wrong('Save', { name: 'Ann', note: 'x'.repeat(2_001) }) } },
  '/lines/:id/close': { path: '/lines/{line}/close', also: { moving: '/lines/{moving}/close', closed: '/lines/{closed_line}/close' }, acts: { wrong: wrong('Close the line', { confirm: 'no' }) } },
  '/lines/:id/consent': {
    path: '/lines/{line}/consent?conversation={conversation}',
    acts: { wrong: wrong('Set consent', { reason: '' }) },
  },
  '/lines/:id/blasts': { path: '/lines/{line}/blasts', also: { nothing: '/lines/{unused}/blasts' } },
  '/lines/:id/blasts/new': {
    path: '/lines/{line}/blasts/new',
    acts: {
      wrong: wrong('See what it would do', { text: 'Doors open', numbers: 'Grace' }),
      seen: async (page) => {
        await page.getByLabel('Text', { exact: true }).fill('Doors open');
        await page.getByLabel('Numbers', { exact: true }).fill('+12025550191\nGrace');
        await page.getByRole('button', { name: 'See what it would do' }).click();
        await expect(page.getByText('Row 2: Grace')).toBeVisible();
      },
    },
  },
  '/lines/:id/blasts/:blast': { path: '/lines/{line}/blasts/{blast}', also: { narrowed: '/lines/{line}/blasts/{blast}?sms=failed' } },
  '/findings': { path: '/findings', also: { one: '/findings?kind=not_connected', chosen: '/findings?kind=looks_blast_only', 'set aside': '/findings?show=aside' } },
  '/connections': { path: '/connections', also: { nothing: '/connections?q=zzzz', trouble: '/connections?state=trouble', removed: '/connections?done=removed' } },
  '/connections/new': {
    path: '/connections/new?account={bare}',
    acts: { wrong: wrong('Add connection', { base_url: 'no address', client_id: 'a', client_secret: 'b', jwt: 'c' }) },
  },
  '/connections/:id': {
    path: '/connections/{connection}',
    also: { refused: '/connections/{refused}', paused: '/connections/{paused}', month: '/connections/{connection}?span=month' },
  },
  '/connections/:id/secrets': {
    path: '/connections/{connection}/secrets',
    acts: { wrong: wrong('Store the new secrets', { client_id: '', client_secret: '', jwt: '' }) },
  },
  '/connections/:id/remove': { path: '/connections/{connection}/remove' },
  '/utilities': { path: '/utilities' },
  '/utilities/history': { path: '/utilities/history', also: { nothing: '/utilities/history?state=failed' } },
  '/utilities/new/:kind': {
    path: '/utilities/new/line_transfer',
    also: { import: '/utilities/new/consent_import', 'with a search': '/utilities/new/line_transfer?line={line}' },
    acts: { wrong: wrong('See what it would do') },
  },
  '/utilities/runs/:id': { path: '/utilities/runs/{run}', also: { paused: '/utilities/runs/{stopped}' }, acts: { wrong: wrong('Start', { typed: 'no' }) } },
  '/staff': { path: '/staff' },
  '/staff/new': { path: '/staff/new', acts: { wrong: wrong('Invite', { name: 'Ann', email: 'vera@example.com' }) } },
  '/staff/:id': { path: '/staff/{member}' },
  '/roles': { path: '/roles', acts: { wrong: wrong('Add', { name: 'Viewer' }) } },
  '/roles/:id': { path: '/roles/{role}', acts: { wrong: wrong('Save', { name: 'Viewer', note: '' }) } },
  '/approvals': { path: '/approvals', also: { asked: '/approvals?done=asked' } },
  '/ui': {
    path: '/ui',
    also: { 'with what comes from the URL': '/ui?done=example&after=7b' },
    acts: {
      dialog: async (page) => {
        await page.getByRole('button', { name: 'Open the dialog' }).first().click();
        await expect(page.getByRole('dialog', { name: 'A dialog' }).first()).toBeVisible();
      },
      toast: async (page) => {
        await page.getByRole('button', { name: 'Show a toast' }).first().click();
        await expect(page.getByText('The line was changed.').last()).toBeVisible();
      },
    },
  },
  '/you': {
    path: '/you',
    acts: {
      wrong: wrong('Change the password', { present: 'not this one', password: 'another long enough one' }),
      'a second factor is offered': async (page) => {
        await page.getByRole('button', { name: 'Set up' }).click();
        await expect(page.getByRole('img', { name: 'QR code' })).toBeVisible();
        await wrong('Confirm', { code: '000000' })(page);
      },
    },
  },
  '/audit': { path: '/audit', also: { nothing: '/audit?who={bare}', 'of a contact': '/audit?subject={contact}' } },
  '/audit/retention': { path: '/audit/retention' },
};

for (const [route, { path, as, also = {}, acts = {} }] of Object.entries(SCREENS)) {
  test(`${route} in every state`, { tag: '@every-state' }, async ({ browser }) => {
    test.setTimeout(180_000);
    const context = as === 'nobody' ? await browser.newContext({ baseURL: program.url, reducedMotion: 'reduce', colorScheme: 'light' }) : ada;
    const page = await context.newPage();
    const open = async (path: string) => {
      await page.goto(filled(path));
      await ready(page);
      await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible();
    };
    await open(path);
    await look(page, 'filled');
    if ((await unfold(page)) > 0) await look(page, 'unfolded');
    await page.setViewportSize({ width: 390, height: 844 });
    await look(page, 'narrow');
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is beside a narrow screen').toBe(true);
    await page.setViewportSize({ width: 1440, height: 900 });
    for (const [state, path] of Object.entries(also)) {
      await open(path);
      await look(page, state);
    }
    for (const [state, act] of Object.entries(acts)) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await open(path);
      await act(page);
      await look(page, state);
    }
    await page.close();
    if (route.includes('/:')) {
      const page = await context.newPage();
      await page.goto(route.replace(/:\w+/g, NOBODY));
      await ready(page);
      await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible();
      await look(page, 'not found');
      await page.close();
    }
    if (as !== 'nobody') {
      const page = await vera.newPage();
      const answer = await page.goto(filled(path));
      if (answer!.status() !== 200) await look(page, `refused with ${answer!.status()}`);
      await page.close();
    }
    const { cookies, origins } = await context.storageState();
    const plain = await browser.newContext({ baseURL: program.url, javaScriptEnabled: false, reducedMotion: 'reduce', storageState: { cookies, origins } });
    const still = await plain.newPage();
    await still.goto(filled(path));
    await look(still, 'without JavaScript', true);
    await plain.close();
    if (as === 'nobody') await context.close();
  });
}

test('an address that leads nowhere', { tag: '@every-state' }, async () => {
  const page = await ada.newPage();
  await page.goto('/nowhere');
  await ready(page);
  await look(page, 'not found');
});

// The last: where it runs alone, nothing is set up for it.
test('every screen of the router stands here', () => {
  expect(routes().length).toBeGreaterThan(40);
  expect(Object.keys(SCREENS).sort()).toEqual(routes().sort());
});
