// Connections: adding one, testing, pausing, resuming, new secrets and removing it; its state at a glance, and whether it keeps up.
import { accessible, as, expect, fromHandset, LOOKS, newAccount, product, ready, test } from '../product';
import type { Page } from '@playwright/test';

const account = 'Harbour Clinic';
const line = '+16465550160';
const badge = (page: Page, word: string) => page.locator('.badge').getByText(word, { exact: true }).first();

/** The page of an account's connection. */
async function connectionOf(page: Page, name: string): Promise<void> {
  await page.goto('/connections');
  await page.getByRole('link', { name, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  await ready(page);
}

async function typeSecrets(page: Page, [id, secret, jwt]: [string, string, string]): Promise<void> {
  await page.getByLabel('Client ID').fill(id);
  await page.getByLabel('Client secret').fill(secret);
  await page.getByLabel('JWT credential').fill(jwt);
}

const good: [string, string, string] = ['sandbox-client', 'sandbox-secret', 'sandbox-jwt'];

test('an account is connected, the connection tested, and its secrets are never shown', async ({ browser }) => {
  const page = await as(browser, 'support');
  await newAccount(page, account);

  await page.goto('/connections');
  await ready(page);
  await page.getByRole('link', { name: 'Add connection' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Add a connection');
  await expect(page.getByLabel('Account').getByRole('option', { name: 'Lakeside Dental' }), 'it has one already').toHaveCount(0);
  await page.getByLabel('Account').selectOption({ label: account });
  await page.getByLabel('RingCentral’s address').fill('http://platform.ringcentral.com');
  await typeSecrets(page, good);
  await page.getByRole('button', { name: 'Add connection' }).click();
  await expect(page.getByText('Write an address that begins with https://')).toBeVisible();
  await page.getByLabel('RingCentral’s address').fill(product().sandbox);
  await page.getByRole('button', { name: 'Add connection' }).click();
  await expect(page.getByText('The connection was added.')).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(account);

  await page.getByRole('button', { name: 'Test' }).click();
  await expect(page.getByText('It works: RingCentral accepts the credential.')).toBeVisible();
  await expect(badge(page, 'Signed in')).toBeVisible();
  await expect(badge(page, 'Alive')).toBeVisible({ timeout: 20_000 });
  expect(await page.content()).not.toMatch(/sandbox-secret|sandbox-jwt/);
  const budget = page.getByRole('table', { name: 'Budget by group' });
  await expect(budget.getByRole('row', { name: /Signing in/ })).toContainText(/[34] of 5/);
  await expect(budget.getByRole('row', { name: /Posts in a day/ })).toContainText('2,500 of 2,500');
});

test('a paused connection says so and what waits, and goes on', async ({ browser }) => {
  const page = await as(browser, 'support');
  await connectionOf(page, account);
  await page.getByText('Pause…').click();
  await page.getByRole('button', { name: 'Pause the connection' }).click();
  await expect(badge(page, 'Paused')).toBeVisible();
  await expect(page.locator('[data-verdict]')).toContainText('Paused: nothing is posted, and nothing waits');
  await page.getByRole('button', { name: 'Test' }).click();
  await expect(page.getByText('it cannot be tested now')).toBeVisible();

  // Without JavaScript: the page would follow what changes, and offer nothing that is no longer there.
  const other = await as(browser, 'administrator', { javaScriptEnabled: false });
  await other.goto(page.url());
  await expect(other.getByRole('button', { name: 'Resume' })).toBeVisible();
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByText('The connection goes on.')).toBeVisible();
  await expect(page.locator('[data-verdict]')).toContainText('no line of the account is set to RingCentral');
  // Whoever saw it before is told, and sees what it is now.
  await other.getByRole('button', { name: 'Resume' }).click();
  await expect(other.getByText('Somebody else has just changed this connection.')).toBeVisible();
  await expect(other.getByText('Pause…')).toBeVisible();
});

test('secrets that RingCentral refuses are seen at once, and new ones mend it', async ({ browser }) => {
  const page = await as(browser, 'support');
  await connectionOf(page, account);
  const renew = async (secrets: [string, string, string]) => {
    await page.getByRole('link', { name: 'New secrets…' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('New secrets');
    for (const field of ['Client ID', 'Client secret', 'JWT credential']) await expect(page.getByLabel(field)).toHaveValue('');
    await typeSecrets(page, secrets);
    await page.getByRole('button', { name: 'Store the new secrets' }).click();
    await expect(page.getByText('The new secrets are stored.')).toBeVisible();
    await page.getByRole('button', { name: 'Test' }).click();
  };
  await renew(['sandbox-client', 'sandbox-secret', 'a mistake']);
  await expect(page.getByRole('alert').filter({ hasText: 'RingCentral: ' })).toBeVisible();
  await expect(badge(page, 'Sign-in refused')).toBeVisible();
  await expect(page.locator('[data-verdict]')).toContainText('RingCentral refuses the sign-in');
  await renew(good);
  await expect(page.getByText('It works: RingCentral accepts the credential.')).toBeVisible();
  await expect(badge(page, 'Signed in')).toBeVisible();
});

test('what goes through it is drawn, with its numbers, against the limit', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines/new');
  await ready(page);
  await page.getByLabel('Account').selectOption({ label: account });
  await page.getByLabel('Number').fill(line);
  await page.getByLabel('Label').fill('Ward');
  await page.getByLabel('Integration type').selectOption({ label: 'RingCentral' });
  await page.getByRole('button', { name: 'Add line' }).click();
  await expect(page.getByText('The line was added.')).toBeVisible();
  await page.getByRole('link', { name: 'The account’s connection' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(account);
  await ready(page);
  await expect(page.getByText('None in the last hour.').first()).toBeVisible();
  // It is followed while somebody looks.
  await fromHandset({ from: '+16465550161', to: line, text: 'May I visit today?' });
  const posts = page.getByRole('figure').filter({ has: page.getByRole('heading', { name: 'Posts', exact: true }) });
  await expect(posts).toContainText('1 post in the last hour, at most 1 of 40 allowed a minute.', { timeout: 20_000 });
  await expect(posts.getByText('limit')).toBeVisible();
  await posts.getByText('The numbers').click();
  await expect(posts.getByRole('row').nth(1)).toHaveText(/^\d{4}-\d\d-\d\d \d\d:\d\d UTC1$/);
  // Read anew every few seconds, what is open stays open.
  await page.waitForResponse((answer) => answer.url().endsWith('/fn/connections/get'));
  await page.waitForResponse((answer) => answer.url().endsWith('/fn/connections/get'));
  await expect(posts.getByRole('row').nth(1)).toBeVisible();
  for (const [span, words] of [['Day', 'in 15 minutes'], ['Month', 'in 6 hours']] as const) {
    await page.getByRole('link', { name: span, exact: true }).click();
    await expect(page).toHaveURL(new RegExp(`span=${span.toLowerCase()}`));
    await expect(posts).toContainText(words);
  }
  // The conversation names its chat, the post, and that RingCentral has shown it back.
  await page.getByRole('link', { name: '+1 646 555 0160' }).click();
  await page.getByRole('link', { name: 'Conversations' }).click();
  await expect(page.getByRole('row').nth(1)).toContainText(/\d{6,}/);
  await page.locator('[data-row-link]').first().click();
  const message = page.locator('[data-conversation] > li').last();
  await expect(message).toContainText(/Post \d+/);
  await expect(message).toContainText(/Echo \d{4}-/, { timeout: 20_000 });
});

test('a connection that is needed stays; removing it shows first what that does', async ({ browser }) => {
  const page = await as(browser, 'support');
  await connectionOf(page, account);
  await page.getByRole('link', { name: 'Remove…' }).click();
  await expect(page.getByText('Lines of this account are set to RingCentral.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Remove the connection' })).toHaveCount(0);
  await page.getByRole('link', { name: 'To these lines' }).click();
  await page.getByRole('link', { name: '+1 646 555 0160' }).click();
  await page.getByRole('link', { name: /Change to Inbox/ }).click();
  await page.getByRole('button', { name: 'Set to Inbox' }).click();
  await expect(page.getByText('The integration type was set.')).toBeVisible();

  await connectionOf(page, account);
  await page.getByRole('link', { name: 'Remove…' }).click();
  await expect(page.getByText('The history stays')).toBeVisible();
  await page.getByLabel('Type the account’s name to confirm').fill('Lakeside Dental');
  await page.getByRole('button', { name: 'Remove the connection' }).click();
  await expect(page.getByText('This is not the account’s name')).toBeVisible();
  await page.getByLabel('Type the account’s name to confirm').fill(account);
  await page.getByRole('button', { name: 'Remove the connection' }).click();
  await expect(page.getByText('The connection was removed.')).toBeVisible();
  await expect(page.getByRole('link', { name: account })).toHaveCount(0);
});

test('stalled conversations are listed with why and what to do', async ({ browser }) => {
  test.setTimeout(180_000);
  const page = await as(browser, 'viewer');
  await connectionOf(page, 'Cedar & Pine Salon');
  const stalled = page.getByRole('table', { name: 'Stalled conversations' });
  await expect(stalled.getByRole('row').nth(1)).toContainText('Give the connection new secrets', { timeout: 120_000 });
  for (const act of ['Test', 'Resume']) await expect(page.getByRole('button', { name: act })).toHaveCount(0);
  await expect(page.getByText('Pause…')).toHaveCount(0);
  await stalled.getByRole('link').first().click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
});

test('without JavaScript a connection is read, tested, paused and resumed', async ({ browser }) => {
  const page = await as(browser, 'support', { javaScriptEnabled: false });
  await page.goto('/connections');
  await page.getByRole('link', { name: 'Northwind Outfitters' }).click();
  await expect(page.getByRole('figure').first().locator('svg .chart-bars')).toBeAttached();
  await page.getByRole('button', { name: 'Test' }).click();
  await expect(page.getByText('It works: RingCentral accepts the credential.')).toBeVisible();
  await page.getByText('Pause…').click();
  await page.getByRole('button', { name: 'Pause the connection' }).click();
  await expect(badge(page, 'Paused')).toBeVisible();
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(badge(page, 'Paused')).toHaveCount(0);
});

for (const { colorScheme, width } of LOOKS) {
  test(`no screen of connections has an accessibility violation, ${width} wide, ${colorScheme}`, async ({ browser }) => {
    const page = await as(browser, 'administrator', { colorScheme, viewport: { width, height: 844 } });
    await page.goto('/connections');
    await ready(page);
    await accessible(page);
    const hrefs = await page.locator('[data-row-link]').evaluateAll((links) => links.map((link) => link.getAttribute('href')!));
    for (const path of [...hrefs.slice(0, 2), `${hrefs[0]}/secrets`, `${hrefs[0]}/remove`, '/connections/new']) {
      await page.goto(path);
      await ready(page);
      await accessible(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), path).toBe(true);
    }
  });
}
