// The house: signing in, who may do what, a line's integration type, two people at one line, the keyboard, no JavaScript, axe.
import { accessible, as, expect, newAccount, product, ready, test, type Role } from '../product';
import type { Page } from '@playwright/test';

/** The page of a line of the demo. */
async function lineNamed(page: Page, label: string): Promise<string> {
  await page.goto(`/lines?q=${encodeURIComponent(label)}`);
  const href = await page.getByRole('link', { name: /\+1 / }).first().getAttribute('href');
  expect(href).toMatch(/^\/lines\//);
  return href!;
}

test('a stranger is sent to sign in, and back to where they were going', async ({ browser }) => {
  const context = await browser.newContext({ baseURL: product().url });
  const page = await context.newPage();
  await page.goto('/lines?q=dental');
  await expect(page).toHaveURL(/\/sign-in\?next=/);
  await page.getByLabel('E-mail').fill('support@example.com');
  await page.getByLabel('Password').fill('not the password at all');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('do not fit together')).toBeVisible();
  await page.getByLabel('E-mail').fill('support@example.com');
  await page.getByLabel('Password').fill('a long enough password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/lines\?q=dental/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Lines');
  await context.close();
});

test('an invitation works once', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/invitation?token=not-a-token');
  await expect(page.getByText('Ask for a new one')).toBeVisible();
});

test('a viewer cannot change a type, and a hand-made request gets 403', async ({ browser }) => {
  const page = await as(browser, 'viewer');
  const line = await lineNamed(page, 'Billing');
  await page.goto(line);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page.locator('a[href*="/type"]')).toHaveCount(0);
  const id = line.split('/').pop()!;
  const answer = await page.request.post('/fn/lines/type/set', {
    form: { id, to: 'none', version: '1', confirm: '' },
    headers: { origin: product().url, 'sec-fetch-site': 'same-origin', accept: 'application/json' },
  });
  expect(answer.status()).toBe(403);
  const foreign = await page.request.post('/fn/lines/type/set', {
    form: { id, to: 'none', version: '1', confirm: '' },
    headers: { origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' },
  });
  expect(foreign.status()).toBe(403);
  const nobody = await page.context().browser()!.newContext({ baseURL: product().url });
  const unsigned = await nobody.request.post('/fn/lines/type/set', {
    form: { id, to: 'none', version: '1', confirm: '' },
    headers: { origin: product().url, 'sec-fetch-site': 'same-origin', accept: 'application/json' },
  });
  expect(unsigned.status()).toBe(401);
  await nobody.close();
});

test('support sets a line to None and sees beforehand what happens', async ({ browser }) => {
  const page = await as(browser, 'support');
  const line = await lineNamed(page, 'Billing');
  await page.goto(`${line}/type?to=none`);
  await ready(page);
  await expect(page.getByRole('heading', { name: 'What will happen' })).toBeVisible();
  await expect(page.getByText('it is not routed and makes no conversation')).toBeVisible();
  await page.getByRole('button', { name: 'Set to None' }).click();
  await expect(page).toHaveURL(new RegExp(`${line}(\\?|$)`));
  await expect(page.getByRole('main').getByText('Sam Support').first()).toBeVisible();
  await page.goto(`${line}/type?to=inbox`);
  await page.getByRole('button', { name: 'Set to Inbox' }).click();
  await expect(page).toHaveURL(new RegExp(`${line}(\\?|$)`));
});

test('two staff editing one line: the second is told and looks again', async ({ browser }) => {
  const first = await as(browser, 'support');
  const second = await as(browser, 'administrator');
  const line = await lineNamed(first, 'Returns');
  await first.goto(`${line}/type?to=none`);
  await second.goto(`${line}/type?to=none`);
  await ready(second);
  await first.getByRole('button', { name: 'Set to None' }).click();
  await expect(first).toHaveURL(new RegExp(`${line}(\\?|$)`));
  await second.getByRole('button', { name: 'Set to None' }).click();
  await expect(second.getByText(/already|Somebody changed this line/)).toBeVisible();
  await first.goto(`${line}/type?to=inbox`);
  await first.getByRole('button', { name: 'Set to Inbox' }).click();
  await expect(first).toHaveURL(new RegExp(`${line}(\\?|$)`));
});

test('everything is reached by keyboard alone', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines');
  await ready(page);
  await page.keyboard.press('/');
  await expect(page.getByRole('searchbox')).toBeFocused();
  await page.keyboard.type('Recalls');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/q=Recalls/);
  await expect(page.getByRole('row')).toHaveCount(2);
  await page.keyboard.press('Escape');
  await expect(page.locator('[data-row-link]')).toBeFocused();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/lines\/[0-9a-f-]{36}/);
});

test('from a list’s search one goes down to its rows, and from a ticked row on', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines');
  await ready(page);
  const rows = page.locator('[data-row-link]');
  const search = page.getByRole('searchbox');
  const before = await rows.first().getAttribute('href');
  // The answer takes its time: until it is there, no row of the old list is for Enter.
  await page.route('**/fn/lines/list*', async (route) => {
    const response = await route.fetch();
    await new Promise((over) => setTimeout(over, 700));
    await route.fulfill({ response });
  });
  await page.keyboard.press('/');
  await page.keyboard.type('Recalls');
  await page.keyboard.press('ArrowDown');
  await expect(rows.first()).toBeFocused();
  expect(await rows.first().getAttribute('href')).not.toBe(before);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/lines\/[0-9a-f-]{36}/);
  await expect(page.getByText('Recalls').first()).toBeVisible();
  // A search that finds nothing keeps the focus.
  await page.goto('/lines');
  await ready(page);
  await page.keyboard.press('/');
  await page.keyboard.type('No line is called this');
  await page.keyboard.press('ArrowDown');
  await expect(page.getByText('No line fits')).toBeVisible();
  await expect(search).toBeFocused();
  await page.unroute('**/fn/lines/list*');
  // What is searched for already is left at once.
  await page.goto('/lines?q=Rec');
  await ready(page);
  await page.keyboard.press('/');
  await page.keyboard.press('ArrowDown');
  await expect(rows.first()).toBeFocused();
  await expect(search).toHaveValue('Rec');
  // A box is ticked and not written into: the single keys go on.
  const box = page.locator('input[data-pick]').first();
  await box.focus();
  await page.keyboard.press('Space');
  await expect(box).toBeChecked();
  await page.keyboard.press('j');
  await expect(rows.first()).toBeFocused();
  await box.focus();
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toContainText('From a list’s search to its first row');
});

test('every page is read without JavaScript', async ({ browser }) => {
  const page = await as(browser, 'support', { javaScriptEnabled: false });
  await page.goto('/lines');
  await expect(page.getByRole('row').nth(1)).toBeVisible();
  const line = await lineNamed(page, 'Billing');
  await page.goto(line);
  await expect(page.getByText('Billing').first()).toBeVisible();
  await page.goto(`${line}/type?to=none`);
  await expect(page.getByRole('button', { name: 'Set to None' })).toBeVisible();
  await page.goto('/accounts');
  await expect(page.getByText('Lakeside Dental').first()).toBeVisible();
  await page.goto('/sync');
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await page.goto('/sync/unknown');
  await expect(page.getByText('I get no answer on this number')).toBeVisible();
});

for (const theme of ['light', 'dark'] as const) {
  test(`no screen has an accessibility violation, ${theme}`, async ({ browser }) => {
    const page = await as(browser, 'administrator', { colorScheme: theme });
    const line = await lineNamed(page, 'Front desk');
    for (const path of ['/lines', line, `${line}/type?to=none`, '/lines/new', '/accounts', '/accounts/new', '/staff', '/staff/new', '/audit', '/nowhere']) {
      await page.goto(path);
      await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible();
      await accessible(page);
    }
    const stranger = await browser.newContext({ baseURL: product().url, colorScheme: theme });
    const signIn = await stranger.newPage();
    await signIn.goto('/sign-in');
    await accessible(signIn);
    await stranger.close();
  });
}

for (const role of ['viewer', 'support'] satisfies Role[]) {
  test(`a ${role} does not see staff`, async ({ browser }) => {
    const page = await as(browser, role);
    await page.goto('/lines');
    await expect(page.locator('a[href="/staff"]')).toHaveCount(0);
    await page.goto('/staff');
    await expect(page.getByText('Your roles do not let you')).toBeVisible();
  });
}

test('the audit says who changed what, narrowed to one of them, and seals it', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  const name = `Audited ${Date.now()}`;
  await newAccount(page, name);
  await page.goto('/audit');
  await ready(page);
  const row = page.getByRole('row').filter({ hasText: `Added the account “${name}”` });
  await expect(row).toBeVisible();
  await expect(async () => {
    await page.reload();
    await expect(row).not.toContainText('being sealed', { timeout: 500 });
  }).toPass();
  await ready(page);
  await row.getByRole('link', { name: 'Only this account’s entries' }).click();
  await expect(page).toHaveURL(/account=/);
  await expect(page.getByRole('row').filter({ hasText: 'Added the account' })).toHaveCount(1);
  const file = await page.request.get(`/audit.csv?${new URL(page.url()).searchParams}`);
  expect(await file.text()).toContain(`account.add`);
});

test('a day of the audit is one of the reader’s, as long as it is there', async ({ browser }) => {
  const page = await as(browser, 'administrator', { timezoneId: 'Europe/Berlin' });
  await page.goto('/audit');
  await ready(page);
  // A day of 25 hours.
  const [from, until] = ['From', 'Until'].map((label) => page.getByLabel(`${label}, in Europe/Berlin`));
  await from.fill('2026-10-25');
  await expect(page).toHaveURL(/from=2026-10-24T22(:|%3A)00(:|%3A)00/);
  await until.fill('2026-10-25');
  await expect(page).toHaveURL(/until=2026-10-25T22(:|%3A)59(:|%3A)59/);
  await page.reload();
  await ready(page);
  for (const day of [from, until]) await expect(day).toHaveValue('2026-10-25');
});

test('an entry of the audit leads to what it is about, and its page back to the entries', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  const name = `Traced ${Date.now()}`;
  const account = await newAccount(page, name);
  await page.goto(`${account}/users`);
  await ready(page);
  await page.getByText('Add a person…').click();
  await page.getByLabel('Name', { exact: true }).fill('Trace Marker');
  await page.getByRole('textbox', { name: 'E-mail' }).fill('trace@example.com');
  await page.getByRole('button', { name: 'Add person' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Trace Marker');
  const person = new URL(page.url()).pathname;

  await page.goto(`/audit?account=${account.split('/').pop()}`);
  await ready(page);
  const row = page.getByRole('row').filter({ hasText: 'Added Trace Marker to the account' });
  await expect(row.getByRole('link', { name, exact: true })).toHaveAttribute('href', account);
  await accessible(page);
  await row.getByRole('link', { name: 'Trace Marker', exact: true }).click();
  await expect(page).toHaveURL(new RegExp(`${person}$`));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Trace Marker');
  await page.getByRole('link', { name: 'Audit of this person' }).click();
  await expect(page).toHaveURL(/\/audit\?subject=/);
  await expect(page.getByText('about the one thing whose page led here')).toBeVisible();
  await expect(page.getByRole('table').getByRole('row')).toHaveCount(2);
  await expect(row).toBeVisible();
  // A member: what was done about them, and what they did.
  await page.goto('/staff');
  await page.getByRole('table').getByRole('link').first().click();
  await page.getByRole('link', { name: 'What this member did' }).click();
  await expect(page).toHaveURL(/\/audit\?who=/);
});
