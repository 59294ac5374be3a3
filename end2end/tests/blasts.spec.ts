// Blasts that staff write: pasted, looked at, sent once; and what became of one for each number.
import { accessible, as, expect, product, ready, test } from '../product';
import type { Page } from '@playwright/test';

/** Sends a form; what it is answered. */
async function send(page: Page, path: string, form: Record<string, string>): Promise<string> {
  const headers = { origin: product().url, 'sec-fetch-site': 'same-origin', accept: 'application/json' };
  const answer = await page.request.post(path, { form, headers });
  expect(answer.ok(), await answer.text()).toBe(true);
  return answer.text();
}

/** A line of an account of its own; its address. */
async function line(page: Page, name: string, number: string): Promise<string> {
  const first = async (file: string) => (await (await page.request.get(file)).text()).split('\r\n')[1].split(',')[0];
  await send(page, '/fn/accounts/add', { name, sends_blasts: 'true', has_conversations: 'true' });
  const account = await first(`/accounts.csv?q=${encodeURIComponent(name)}`);
  await send(page, '/fn/lines/add', { account, number, label: 'Offers', integration_type: 'inbox' });
  return `/lines/${await first(`/lines.csv?q=${encodeURIComponent(number)}`)}`;
}

test('a blast is written from pasted numbers, looked at, sent once, and shows what became of it for each', async ({ browser }) => {
  const page = await as(browser, 'support');
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  const path = await line(page, 'Dune Cinemas', '+17195550101');
  await page.goto(`${path}/blasts`);
  await ready(page);
  await page.getByRole('link', { name: 'New blast' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('New blast');
  const numbers = page.getByLabel('Numbers', { exact: true });
  await page.getByLabel('Text', { exact: true }).fill('Doors open at nine');
  await numbers.fill('7195550121');
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page.getByText('None of these can be read')).toBeVisible();
  await numbers.fill('+1 719 555 0121\n+17195550122; +17195550121\n7195550123');
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page).toHaveURL(/\/blasts\/new\?draft=[0-9a-f-]{36}$/);
  await expect(page.getByText('Row 3: 7195550123')).toBeVisible();
  await accessible(page);
  // What was written is there to be changed.
  await page.getByRole('link', { name: 'Change it' }).click();
  await expect(numbers).toHaveValue(/7195550123$/);
  await page.getByLabel('Text', { exact: true }).fill('Doors open at ten');
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page.getByText('Doors open at ten')).toBeVisible();
  await page.getByRole('button', { name: 'Send to 2 numbers' }).dblclick();
  await expect(page).toHaveURL(/\/blasts\/[0-9a-f-]{36}\?done=taken$/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Blast');
  const blast = new URL(page.url()).pathname;
  const rows = page.getByRole('table', { name: 'Recipients of the blast' }).getByRole('row');
  // Nobody reloads anything; the pointer is on nothing that has to keep its place.
  await page.mouse.move(5, 5);
  await expect(rows.filter({ hasText: 'Delivered' })).toHaveCount(2, { timeout: 30_000 });
  await expect(page.locator('main .badge').first()).toHaveText('Sent');
  await expect(page.getByRole('button', { name: 'Cancel the rest' })).toHaveCount(0);
  await accessible(page);
  await expect(rows.getByRole('link', { name: '+1 719 555 0121', exact: true })).toHaveAttribute('href', /\/conversations\//);
  await page.getByLabel('SMS').selectOption({ label: 'Failed' });
  await expect(page).toHaveURL(/\?sms=failed$/);
  await expect(page.getByText('No message of the blast is in this state.')).toBeVisible();
  await page.getByLabel('SMS').selectOption({ label: 'Delivered' });
  await page.getByRole('link', { name: 'Consent of +1 719 555 0122' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Consent');
  await page.getByRole('link', { name: 'Open it' }).click();
  await page.getByRole('link', { name: 'The whole blast' }).click();
  await expect(page).toHaveURL(blast);
  await page.goto(`${path}/blasts`);
  await expect(page.locator('[data-row-link]')).toHaveCount(1);
  expect(asked.filter((url) => /555-?012/.test(url))).toEqual([]);
});

test('without scripts a blast is written for later and changed before it starts', async ({ browser }) => {
  const page = await as(browser, 'support', { javaScriptEnabled: false });
  const path = await line(page, 'Mesa Cinemas', '+17195550102');
  await page.goto(`${path}/blasts/new`);
  await page.getByLabel('Text', { exact: true }).fill('Doors open at nine');
  await page.getByLabel('Numbers', { exact: true }).fill('+17195550131');
  await page.getByLabel('Start, in UTC').fill(new Date(Date.now() + 24 * 60 * 60 * 1_000).toISOString().slice(0, 16));
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await page.getByRole('button', { name: 'Schedule for 1 number' }).click();
  await expect(page.getByText('The blast was taken.')).toBeVisible();
  await expect(page.getByText('Scheduled', { exact: true })).toBeVisible();
  await page.getByLabel('Text', { exact: true }).fill('Doors open at ten');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.locator('dd').filter({ hasText: 'Doors open at ten' })).toBeVisible();
});

test('a blast is decided on with the text that was read: another one is shown at once, and is read first', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await line(page, 'Grove Cinemas', '+17195550103');
  const form = {
    line: path.split('/').pop()!,
    text: 'Doors open at nine',
    numbers: '+17195550132',
    starts_at: new Date(Date.now() + 24 * 60 * 60 * 1_000).toISOString().slice(0, 16),
  };
  const draft = JSON.parse(await send(page, '/fn/blasts/draft', form)) as string;
  const id = JSON.parse(await send(page, '/fn/blasts/take', { line: form.line, draft })) as string;
  await page.goto(`${path}/blasts/${id}`);
  await ready(page);
  const state = page.locator('main .badge').first();
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(state).toHaveText('Paused');
  await expect(page.getByRole('link', { name: 'Audit of this blast' })).toHaveCount(0);

  const other = await as(browser, 'administrator');
  await other.goto(`${path}/blasts/${id}`);
  await ready(other);
  await other.getByLabel('Text', { exact: true }).fill('Doors open at ten');
  await other.getByRole('button', { name: 'Save' }).click();

  // Nobody reloads anything.
  await expect(page.locator('dd').filter({ hasText: 'Doors open at ten' })).toBeVisible();
  await expect(page.getByText('Its text or its start was changed meanwhile.')).toBeVisible();
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await expect(page.getByText('Nothing was decided: look again, then decide.')).toBeVisible();
  await expect(state).toHaveText('Paused');
  await accessible(page);
  await page.getByRole('link', { name: 'Look again' }).click();
  await expect(page.getByText('Its text or its start was changed meanwhile.')).toHaveCount(0);
  await expect(page.getByLabel('Text', { exact: true })).toHaveValue('Doors open at ten');
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await expect(state).toHaveText('Scheduled');
  // The other's page has heard of it, too.
  await expect(other.locator('main .badge').first()).toHaveText('Scheduled');
  await other.getByRole('link', { name: 'Audit of this blast' }).click();
  await expect(other).toHaveURL(`/audit?subject=${id}`);
  await expect(other.getByRole('heading', { level: 1 })).toHaveText('Audit');
});
