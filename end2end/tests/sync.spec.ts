// Sync: what is not in sync and why, one conversation, and what staff can do about it; live, and without JavaScript.
import { accessible, as, expect, fromHandset, LOOKS, product, ready, test } from '../product';
import type { Page } from '@playwright/test';

/** The conversation of the demo's account whose sign-in RingCentral refuses, once it is stalled. */
async function stalled(page: Page): Promise<void> {
  // It is stalled after three tries, with growing pauses between them.
  test.setTimeout(180_000);
  await expect(async () => {
    await page.goto('/sync?state=stalled');
    await expect(page.getByRole('cell').getByText('Stalled', { exact: true }).first()).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 120_000 });
}

test('trouble comes first, each with since when and why, and a tile leads to its list', async ({ browser }) => {
  const page = await as(browser, 'viewer');
  await stalled(page);
  await page.goto('/sync');
  await ready(page);
  const rows = page.getByRole('table').getByRole('row');
  await expect(rows.nth(1)).toContainText('Stalled');
  await expect(rows.nth(1)).toContainText(/Since \d{4}-\d\d-\d\d \d\d:\d\d UTC: the sign-in was refused/);
  await accessible(page);
  await page.getByRole('link', { name: /^Held/ }).click();
  await expect(page).toHaveURL(/state=held/);
  await expect(page.getByRole('cell').getByText(/^Held/).first()).toBeVisible();
  await expect(page.getByRole('cell').getByText('Stalled', { exact: true })).toHaveCount(0);
  await page.getByRole('combobox', { name: 'Account' }).selectOption({ label: 'Northwind Outfitters' });
  await expect(page).toHaveURL(/account=/);
  await expect(page.getByRole('cell', { name: 'Lakeside Dental' })).toHaveCount(0);
  await expect(page.getByRole('combobox', { name: 'Line' })).toBeVisible();
});

test('the CSV has the rows of the filter', async ({ browser }) => {
  const page = await as(browser, 'viewer');
  await stalled(page);
  const csv = await (await page.request.get('/sync.csv?state=stalled')).text();
  const lines = csv.trim().split('\r\n');
  expect(lines[0]).toContain('line_id,conversation_id,account');
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines.slice(1)) expect(line).toContain(',stalled,');
});

test('a viewer sees a conversation and cannot change it; a hand-made request gets 403', async ({ browser }) => {
  const page = await as(browser, 'viewer');
  await stalled(page);
  await page.locator('[data-row-link]').first().click();
  await expect(page).toHaveURL(/\/lines\/[^/]+\/conversations\/[^/]+$/);
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
  await expect(page.getByText('↓ Only here, not in RingCentral')).toBeAttached();
  await expect(page.getByRole('button', { name: 'Retry now' })).toHaveCount(0);
  await expect(page.getByText('Skip…')).toHaveCount(0);
  const [, line, conversation] = /lines\/([^/]+)\/conversations\/([^/]+)$/.exec(page.url())!;
  const answer = await page.request.post('/fn/conversations/retry', {
    form: { line, conversation },
    headers: { origin: product().url, 'sec-fetch-site': 'same-origin', accept: 'application/json' },
  });
  expect(answer.status()).toBe(403);
});

test('support retries a stalled lane, skips a message and restores it', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stalled(page);
  await page.locator('[data-row-link]').first().click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
  await ready(page);
  await page.getByRole('button', { name: 'Retry now' }).click();
  await expect(page.getByText('The lane is tried now.')).toBeVisible();
  const last = page.locator('[data-conversation] > li').last();
  await last.getByText('Skip…').click();
  await last.getByRole('button', { name: 'Skip the message' }).click();
  await expect(last.getByText('Skipped', { exact: true })).toBeVisible();
  await expect(last.getByText('skipped by Sam Support')).toBeVisible();
  await last.getByText('Restore…').click();
  await last.getByRole('button', { name: 'Restore the message' }).click();
  await expect(last.getByText(/Held|Queued/)).toBeVisible();
  await accessible(page);
});

test('an open step of a message stays open while others come and its own state changes', async ({ browser }) => {
  const page = await as(browser, 'support');
  const contact = { from: '+16465550186', to: '+12025550110' };
  await fromHandset({ ...contact, text: 'Are you open on Sunday?' });
  await page.goto('/lines?q=Bookings');
  const line = await page.locator('[data-row-link]').first().getAttribute('href');
  await page.goto(`${line}/conversations`);
  await page.getByRole('link', { name: '+1 646 555 0186' }).click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
  await ready(page);
  await page.getByLabel('Message', { exact: true }).fill('From ten on');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  const message = page.locator('[data-conversation] .message').filter({ hasText: 'From ten on' });
  await expect(message).toContainText(/SMS (sent|delivered)/);
  await expect(message).toContainText('Held');
  await message.getByText('Skip…').click();
  const step = message.getByRole('button', { name: 'Skip the message' });
  await expect(step).toBeVisible();
  await fromHandset({ ...contact, text: 'See you then' });
  await expect(page.locator('.waiting')).toContainText(/changes? waits?/);
  await expect(message).toContainText('Held');
  await expect(page.getByText('See you then')).toHaveCount(0);
  await page.locator('.waiting').getByRole('button', { name: 'Show' }).click();
  await expect(page.getByText('See you then')).toBeVisible();
  await expect(message).toContainText('Queued');
  await expect(step).toBeVisible();
});

test('all that is held in a conversation is skipped at once, taken back, and skipped from the list', async ({ browser }) => {
  const page = await as(browser, 'support');
  await fromHandset({ from: '+16465550189', to: '+12025550110', text: 'Are you open on Monday?' });
  await page.goto('/lines?q=Bookings');
  const line = await page.locator('[data-row-link]').first().getAttribute('href');
  await page.goto(`${line}/conversations`);
  await page.getByRole('link', { name: '+1 646 555 0189' }).click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
  await ready(page);
  const ours = page.locator('[data-conversation] .message').filter({ hasText: 'Never mind' });
  for (const n of [1, 2]) {
    await page.getByLabel('Message', { exact: true }).fill(`Never mind ${n}`);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(ours).toHaveCount(n);
    await expect(ours.last()).toContainText('Held');
  }
  // What is beside it stays where it is, as the button goes and comes again; also where they stand from the left on.
  await page.setViewportSize({ width: 390, height: 844 });
  const beside = async () => (await page.getByRole('link', { name: 'CSV' }).boundingBox())!.x;
  const before = await beside();
  await page.getByText('Skip all that are held…').click();
  await expect(page.getByText('To be skipped: 2 held messages.')).toBeVisible();
  await accessible(page);
  await page.getByRole('button', { name: 'Skip them' }).click();
  await expect(ours.filter({ hasText: 'skipped by Sam Support' })).toHaveCount(2);
  await expect(page.getByText('Skip all that are held…')).toBeHidden();
  expect(await beside()).toBe(before);
  await page.setViewportSize({ width: 1440, height: 900 });
  const undo = page.getByRole('group', { name: 'Undo' });
  await expect(undo).toContainText('2 messages skipped.');
  await undo.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByText('Taken back.')).toBeVisible();
  await expect(ours.filter({ hasText: 'Held' })).toHaveCount(2);

  const key = new URL(page.url()).pathname.split('/');
  await page.goto(`/bulk?act=skip_held&row=${key[2]}:${key[4]}`);
  await ready(page);
  await expect(page.getByRole('cell', { name: '2 messages are skipped' })).toBeVisible();
  await page.getByLabel('Type how many are changed').fill('1');
  await page.getByRole('button', { name: 'Skip what is held in 1 conversation' }).click();
  await expect(page).toHaveURL(/\/sync\?done=skipped/);
  await expect(page.getByText('What was held there is skipped.')).toBeVisible();
});

test('a row that was chosen stays chosen when it changes', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stalled(page);
  const key = await page.getByRole('checkbox', { name: / on Bookings$/ }).first().getAttribute('value');
  await page.goto('/sync');
  await ready(page);
  const row = page.locator('tr', { has: page.locator(`input[value="${key}"]`) });
  const from = /\+1 \d{3} \d{3} \d{4}/.exec(await row.innerText())![0].replaceAll(' ', '');
  await row.getByRole('checkbox').check();
  await expect(page.getByText('1 chosen')).toBeVisible();
  const changed = row.locator('[data-label="Changed"] time');
  const before = (await changed.getAttribute('datetime'))!;
  // A row does not change under the pointer or the focus.
  await page.getByRole('heading', { level: 1 }).click();
  await fromHandset({ from, to: '+12025550110', text: 'Hello again' });
  await expect(changed).not.toHaveAttribute('datetime', before);
  await expect(row.getByRole('checkbox')).toBeChecked();
  await expect(page.getByText('1 chosen')).toBeVisible();
});

test('without JavaScript a conversation is read, skipped and restored', async ({ browser }) => {
  const page = await as(browser, 'support', { javaScriptEnabled: false });
  await stalled(page);
  await page.locator('[data-row-link]').first().click();
  const last = page.locator('[data-conversation] > li').last();
  await last.getByText('Skip…').click();
  await last.getByRole('button', { name: 'Skip the message' }).click();
  await expect(last.getByText('Skipped', { exact: true })).toBeVisible();
  await last.getByText('Restore…').click();
  await last.getByRole('button', { name: 'Restore the message' }).click();
  await expect(last.getByText(/Held|Queued/)).toBeVisible();
});

test('tabs share one stream, a tab can be held still, and the stream ends at sign-out', async ({ browser }) => {
  const first = await as(browser, 'administrator');
  const context = first.context();
  let streams = 0;
  context.on('request', (request) => (streams += request.url().endsWith('/events') ? 1 : 0));
  await first.goto('/sync');
  await ready(first);
  const live = (page: Page) => page.getByRole('status').filter({ hasText: /^(Live|Still|Interrupted)/ });
  await expect(live(first)).toHaveText('Live');
  const second = await context.newPage();
  await second.goto('/simulator');
  await ready(second);
  await expect(live(second)).toHaveText('Live');
  expect(streams).toBe(1);

  await first.getByRole('button', { name: 'Hold still' }).click();
  await second.getByRole('button', { name: /Send a blast/ }).click();
  await expect(live(first)).toHaveText(/^Still; \d+ changes? waits?$/);
  await first.getByRole('button', { name: 'Hold still' }).click();
  await expect(live(first)).toHaveText('Live');

  // Signed in anew, so that the sign-out ends a session of its own.
  const other = await browser.newContext({ baseURL: product().url });
  const page = await other.newPage();
  await page.goto('/sign-in');
  await page.getByLabel('E-mail').fill('viewer@example.com');
  await page.getByLabel('Password').fill('a long enough password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/:\d+\/$/);
  await ready(page);
  await expect(live(page)).toHaveText('Live');
  const cookie = (await other.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const stream = (await fetch(`${product().url}/events`, { headers: { cookie } })).body!.getReader();
  await page.getByRole('button', { name: 'Sign out' }).click();
  while (!(await stream.read()).done);
  await expect(page).toHaveURL(/\/sign-in/);
  await other.close();
});

for (const { colorScheme, width } of LOOKS) {
  test(`no screen of the job has an accessibility violation, ${width} wide, ${colorScheme}`, async ({ browser }) => {
    const page = await as(browser, 'support', { colorScheme, viewport: { width, height: 844 } });
    await page.goto('/sync');
    await ready(page);
    await accessible(page);
    const conversation = await page.locator('[data-row-link]').first().getAttribute('href');
    for (const path of [conversation!, conversation!.replace(/\/[^/]*$/, ''), '/sync/unknown', '/simulator']) {
      await page.goto(path);
      await ready(page);
      await accessible(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    }
  });
}
