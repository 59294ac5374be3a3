// Who may do what, in an installation of its own: a second factor from the first day, the matrix of roles, the second person, sessions.
import { accessible, expect, LOOKS, ready, test } from '../product';
import { Hand } from '../hand';
import { accept, password, start, type Program } from '../program';
import { code, setUp } from '../totp';
import type { Browser, BrowserContext, Page } from '@playwright/test';

test.describe.configure({ mode: 'serial' });

let program: Program;
/** Ada, the first administrator, with her phone; Grace, the second one, with hers. */
let [ada, grace]: { context: BrowserContext; secret: string }[] = [];

/** A page of a context of this installation. */
async function page(of: { context: BrowserContext }): Promise<Page> {
  return of.context.newPage();
}

async function invited(browser: Browser, email: string, name: string, role: string): Promise<BrowserContext> {
  return accept(browser, program.shell(['staff', 'add', '--email', email, '--name', name, '--role', role, '--as', 'admin@example.com']).split('\n')[0]);
}

test.beforeAll(async () => {
  program = await start('serve');
});
test.afterAll(async () => program?.end());

// Its own pages stay open over the tests of this file.
test.use({ tidy: [async ({}, use) => use(), { auto: true }] as never });

test('an invitation leads to a second factor, and that to the first sign-in with a code', async ({ browser }) => {
  const context = await accept(browser, program.invitation);
  const at = await context.newPage();
  await at.goto('/staff');
  await expect(at.getByText('but only with a second factor')).toBeVisible();
  await expect(at.getByRole('link', { name: 'Invite' })).toHaveCount(0);
  const secret = await setUp(at);
  ada = { context, secret };
  await at.goto('/staff');
  await expect(at.getByText('but only with a second factor')).toHaveCount(0);
  await expect(at.getByRole('link', { name: 'Invite' })).toBeVisible();

  const fresh = await browser.newContext({ baseURL: program.url });
  const door = await fresh.newPage();
  await door.goto('/roles');
  await door.getByLabel('E-mail').fill('admin@example.com');
  await door.getByLabel('Password').fill(password);
  await door.getByRole('button', { name: 'Sign in' }).click();
  await expect(door.getByRole('heading', { name: 'Second factor' })).toBeVisible();
  await door.getByLabel('Code').fill('000000');
  await door.getByRole('button', { name: 'Sign in' }).click();
  await expect(door.getByText('This code is wrong, too old, or was used already')).toBeVisible();
  await door.getByLabel('Code').fill(code(secret, 1));
  await door.getByRole('button', { name: 'Sign in' }).click();
  await expect(door).toHaveURL(/\/roles$/);
  await expect(door.getByRole('heading', { level: 1 })).toHaveText('Roles');
  await fresh.close();
});

test('the matrix is edited, and holds on the next request', async ({ browser }) => {
  const viewer = await (await invited(browser, 'vera@example.com', 'Vera Viewer', 'Viewer')).newPage();
  await viewer.goto('/accounts');
  await expect(viewer.getByRole('link', { name: 'Add account' })).toHaveCount(0);
  const at = await page(ada);
  await at.goto('/roles');
  await ready(at);
  const box = at.getByRole('checkbox', { name: 'Viewer: Manage directory' });
  await expect(box).not.toBeChecked();
  // By keyboard alone.
  await box.focus();
  await at.keyboard.press('Space');
  await expect(box).toBeChecked();
  await at.getByRole('button', { name: 'Save the matrix' }).focus();
  await at.keyboard.press('Enter');
  await expect(at.getByText('The roles are changed')).toBeVisible();
  await viewer.reload();
  await expect(viewer.getByRole('link', { name: 'Add account' })).toBeVisible();
  // And back, without JavaScript.
  const plain = await browser.newContext({ baseURL: program.url, javaScriptEnabled: false, storageState: await ada.context.storageState() });
  const still = await plain.newPage();
  await still.goto('/roles');
  await still.getByRole('checkbox', { name: 'Viewer: Manage directory' }).uncheck();
  await still.getByRole('button', { name: 'Save the matrix' }).click();
  await expect(still.getByText('The roles are changed')).toBeVisible();
  await viewer.reload();
  await expect(viewer.getByRole('link', { name: 'Add account' })).toHaveCount(0);
  await plain.close();
});

test('a dangerous role is given by two people', async ({ browser }) => {
  // While Ada is alone there is nobody to ask; Grace is the second person from then on.
  const context = await invited(browser, 'grace@example.com', 'Grace Hopper', 'Administrator');
  grace = { context, secret: await setUp(await context.newPage()) };
  const at = await page(ada);
  await at.goto('/staff');
  await at.getByRole('link', { name: 'Vera Viewer' }).click();
  await ready(at);
  await at.getByText('Give… Administrator').click();
  await at.getByRole('button', { name: 'Give the role' }).first().click();
  await expect(at.getByText('A second person has to agree to this. Write')).toBeVisible();
  await at.getByLabel('It holds dangerous permissions').first().fill('She takes over while I am away.');
  await at.getByRole('button', { name: 'Give the role' }).first().click();
  await expect(at.getByText('The role waits under Approvals')).toBeVisible();

  await at.goto('/approvals');
  await expect(at.getByText('You asked for this: somebody else has to decide.')).toBeVisible();
  await expect(at.getByText('Agree…')).toHaveCount(0);

  const second = await page(grace);
  await second.goto('/approvals');
  await ready(second);
  await expect(second.getByRole('heading', { name: 'Give Vera Viewer the role Administrator' })).toBeVisible();
  await second.getByText('Agree…').focus();
  await second.keyboard.press('Enter');
  await second.getByRole('button', { name: 'Agree and do it' }).focus();
  await second.keyboard.press('Enter');
  await expect(second.getByText('Agreed and done')).toBeVisible();
  await second.goto('/staff');
  await expect(second.getByRole('row', { name: /Vera Viewer/ })).toContainText('Administrator, Viewer');
});

test('a session that is ended is over', async ({ browser }) => {
  const other = await browser.newContext({ baseURL: program.url, userAgent: 'Mozilla/5.0 (Windows NT 10.0) Firefox/144.0' });
  const there = await other.newPage();
  await there.goto('/sign-in');
  await there.getByLabel('E-mail').fill('vera@example.com');
  await there.getByLabel('Password').fill(password);
  await there.getByRole('button', { name: 'Sign in' }).click();
  await expect(there).toHaveURL(/:\d+\/$/);

  const at = await page(grace);
  await at.goto('/staff');
  await at.getByRole('link', { name: 'Vera Viewer' }).click();
  await ready(at);
  const row = at.getByRole('listitem').filter({ hasText: 'Firefox on Windows' });
  await row.getByRole('button', { name: /^End/ }).click();
  await expect(row).toHaveCount(0);
  await there.goto('/lines');
  await expect(there).toHaveURL(/\/sign-in/);
  await other.close();
});

test('by keyboard alone one signs in with a code', async ({ browser }) => {
  const context = await browser.newContext({ baseURL: program.url });
  const door = await context.newPage();
  const hand = new Hand(door, 'keyboard');
  await door.goto('/approvals');
  await ready(door);
  await hand.write(door.getByLabel('E-mail'), 'grace@example.com');
  await hand.write(door.getByLabel('Password'), password);
  await hand.press(door.getByRole('button', { name: 'Sign in' }));
  await expect(door.getByRole('heading', { name: 'Second factor' })).toBeVisible();
  await hand.write(door.getByLabel('Code'), code(grace.secret, 1));
  await hand.press(door.getByRole('button', { name: 'Sign in' }));
  await expect(door.getByRole('heading', { level: 1 })).toHaveText('Approvals');
  await hand.isSomewhere();
  await door.close();
  // She goes on where she has just shown who she is.
  await grace.context.close();
  grace.context = context;
});

test('by keyboard alone a role is added and named anew', async () => {
  const at = await page(grace);
  const hand = new Hand(at, 'keyboard');
  const h1 = at.getByRole('heading', { level: 1 });
  const name = at.getByLabel('Name', { exact: true });
  await at.goto('/');
  await ready(at);
  await hand.find('roles', 'Roles');
  await expect(h1).toHaveText('Roles');
  await hand.press(at.locator('summary').filter({ hasText: 'Add a role' }));
  await hand.write(name, 'Night desk');
  await hand.press(at.getByRole('button', { name: 'Add', exact: true }));
  await expect(at.getByText('The role was added.')).toBeVisible();
  await hand.isSomewhere();
  await at.goto('/roles');
  await ready(at);
  await hand.press(at.getByRole('link', { name: 'Night desk', exact: true }));
  await expect(h1).toHaveText('Night desk');
  await hand.write(name, 'Night shift');
  await hand.press(at.getByRole('button', { name: 'Save', exact: true }));
  await expect(at.getByText('The roles are changed')).toBeVisible();
  await expect(at.getByRole('link', { name: 'Night shift', exact: true })).toBeVisible();
  await hand.isSomewhere();
});

test('by keyboard alone the second person agrees', async ({ browser }) => {
  await (await invited(browser, 'olive@example.com', 'Olive Operator', 'Viewer')).close();
  const asks = await page(ada);
  await asks.goto('/staff');
  await asks.getByRole('link', { name: 'Olive Operator' }).click();
  await ready(asks);
  await asks.getByText('Give… Administrator').click();
  await asks.getByLabel('It holds dangerous permissions').first().fill('She takes the night shift.');
  await asks.getByRole('button', { name: 'Give the role' }).first().click();
  await expect(asks.getByText('The role waits under Approvals')).toBeVisible();

  const at = await page(grace);
  const hand = new Hand(at, 'keyboard');
  const what = 'Give Olive Operator the role Administrator';
  await at.goto('/');
  await ready(at);
  await hand.find('approvals', 'Approvals');
  await hand.press(at.locator('summary').filter({ hasText: `Agree… ${what}` }));
  await hand.press(at.getByRole('button', { name: 'Agree and do it' }));
  await expect(at.getByRole('listitem').filter({ hasText: what })).toContainText('Agreed and done');
  await hand.isSomewhere();
});

test('by keyboard alone a session is ended', async ({ browser }) => {
  const other = await browser.newContext({ baseURL: program.url, userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 14.5) Firefox/144.0' });
  const there = await other.newPage();
  await there.goto('/sign-in');
  await there.getByLabel('E-mail').fill('vera@example.com');
  await there.getByLabel('Password').fill(password);
  await there.getByRole('button', { name: 'Sign in' }).click();
  await expect(there).toHaveURL(/:\d+\/$/);

  const at = await page(grace);
  const hand = new Hand(at, 'keyboard');
  await at.goto('/');
  await ready(at);
  await hand.find('Vera', /Vera Viewer/);
  await expect(at.getByRole('heading', { level: 1 })).toContainText('Vera Viewer');
  const row = at.getByRole('listitem').filter({ hasText: 'Firefox on macOS' });
  await hand.press(row.getByRole('button', { name: /^End/ }));
  await expect(row).toHaveCount(0);
  await hand.isSomewhere();
  await there.goto('/lines');
  await expect(there).toHaveURL(/\/sign-in/);
  await other.close();
});

test('no screen of staff has an accessibility violation, wide and light, narrow and dark', async () => {
  test.slow();
  const at = await page(grace);
  const member = await (async () => {
    await at.goto('/staff');
    return (await at.getByRole('link', { name: 'Vera Viewer' }).getAttribute('href'))!;
  })();
  await at.goto('/roles');
  const role = (await at.getByRole('link', { name: 'Support', exact: true }).getAttribute('href'))!;
  for (const { colorScheme, width } of LOOKS) {
    await at.emulateMedia({ colorScheme });
    await at.setViewportSize({ width, height: 900 });
    for (const path of ['/you', '/staff', member, '/staff/new', '/roles', role, '/approvals', '/lines/types']) {
      await at.goto(path);
      await ready(at);
      await accessible(at);
      const overflow = await at.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(overflow, `${path} at ${width}`).toBe(0);
      const name = path.replace(/[0-9a-f-]{36}/, 'id').replaceAll('/', '_');
      if (process.env.SHOTS) await at.screenshot({ path: `${process.env.SHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }
});
