// Data utilities, in an installation of its own: a line transferred and taken back, paused and resumed, agreed to by a second person;
// consent imported with duplicates; a failed run resumed; all found in the history, and launched without JavaScript.
import { accessible, expect, LOOKS, ready, test } from '../product';
import { accept, start, type Program } from '../program';
import type { BrowserContext, Page } from '@playwright/test';
import { readFileSync } from 'node:fs';

test.describe.configure({ mode: 'serial' });
// Its own pages stay open over the tests of this file.
test.use({ tidy: [async ({}, use) => use(), { auto: true }] as never });

let program: Program;
let ada: BrowserContext;
/** The number of the line that is transferred first, and its page. */
let [number, path] = ['', ''];

test.beforeAll(async ({ browser }) => {
  // Slow enough to be watched: fifty times as slow as it could be.
  program = await start('demo', { UTILITY_SHARE: '2' });
  ada = await accept(browser, program.invitation);
});
test.afterAll(async () => program?.end());

const state = (page: Page) => page.locator('main .badge').first();
const account = (page: Page) => page.locator('dl.facts').first().locator('a[href^="/accounts/"]');

/** From the line's page to the plan of its transfer. */
async function plan(page: Page, label: string, to: string): Promise<void> {
  await page.goto(`/lines?q=${encodeURIComponent(label)}`);
  path = (await page.locator('[data-row-link]').first().getAttribute('href'))!;
  await page.goto(path);
  number = (await page.getByRole('heading', { level: 1 }).textContent())!.trim();
  await page.getByRole('link', { name: 'Transfer this line…' }).click();
  await ready(page);
  await expect(page.getByLabel('Line', { exact: true }).locator('option:checked')).toContainText(number);
  await page.getByLabel('To account').selectOption({ label: to });
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page).toHaveURL(/\/utilities\/runs\/[0-9a-f-]{36}$/);
  await expect(page.getByRole('table', { name: 'What it touches' })).toContainText('Messages');
}

async function confirmed(page: Page): Promise<void> {
  await page.getByLabel('To confirm, type').fill(number);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
}

test('a line is transferred after a plan and a confirmation, and taken back', async () => {
  test.slow();
  const page = await ada.newPage();
  await plan(page, 'Returns', 'Lakeside Dental');
  await accessible(page);
  await expect(state(page)).toHaveText('Planned');
  await expect(page.getByRole('row').filter({ hasText: 'Messages' })).toContainText(/\d/);
  const run = page.url();

  await page.getByLabel('To confirm, type').fill('+1 202 555 0199');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.locator('#typed-error')).toContainText('Type the line’s number as it stands above');
  await expect(page.getByLabel('To confirm, type')).toHaveAttribute('aria-invalid', 'true');
  await expect(state(page)).toHaveText('Planned');
  await confirmed(page);
  await expect(page.getByText('It is started: a worker takes it within seconds.')).toBeVisible();

  // Seen elsewhere while it moves.
  const line = await ada.newPage();
  await line.goto(path);
  await expect(line.getByText('The line is being transferred to Lakeside Dental')).toBeVisible();
  await line.getByRole('link', { name: 'See how far it is' }).click();
  await expect(line).toHaveURL(new RegExp(run));
  // Nobody reloads anything.
  await expect(state(page)).toHaveText('Succeeded', { timeout: 90_000 });
  await expect(state(line)).toHaveText('Succeeded');
  await expect(page.getByRole('progressbar', { name: 'All of it' })).toHaveAttribute('value', '100');
  await accessible(page);
  const file = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Report, CSV' }).click();
  expect((await file).suggestedFilename()).toMatch(/^run-.*\.csv$/);
  await line.goto(path);
  await expect(account(line)).toHaveText('Lakeside Dental');
  await expect(line.getByText('The line is being transferred')).toHaveCount(0);
  await expect(line.locator('#runs').getByRole('row').filter({ hasText: 'Succeeded' })).toHaveCount(1);
  await line.close();

  await page.getByRole('button', { name: 'Transfer back…' }).click();
  await expect(page.getByRole('heading', { name: 'What it would do' })).toBeVisible();
  expect(page.url()).not.toContain(run);
  await confirmed(page);
  await expect(state(page)).toHaveText('Succeeded', { timeout: 90_000 });
  await page.goto(path);
  await expect(account(page)).toHaveText('Northwind Outfitters');
  await page.goto(run);
  await expect(page.getByText('Taken back by')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Transfer back…' })).toHaveCount(0);
  await page.close();
});

test('a run is paused and resumed, and its buttons stand where they stood', async () => {
  test.slow();
  const page = await ada.newPage();
  await plan(page, 'Colour bar', 'Northwind Outfitters');
  await confirmed(page);
  const pause = page.getByRole('button', { name: 'Pause', exact: true });
  await expect(pause).toBeVisible();
  const place = await pause.boundingBox();
  await pause.click();
  await expect(state(page)).toHaveText('Paused', { timeout: 30_000 });
  await expect(page.getByText('Stands still until somebody resumes it.')).toBeVisible();
  const resume = page.getByRole('button', { name: 'Resume', exact: true });
  const again = await resume.boundingBox();
  expect([again!.x, again!.height]).toEqual([place!.x, place!.height]);
  // It stands still.
  const done = await page.getByRole('progressbar', { name: 'All of it' }).getAttribute('value');
  await page.reload();
  await expect(state(page)).toHaveText('Paused');
  await expect(page.getByRole('progressbar', { name: 'All of it' })).toHaveAttribute('value', done!);
  await accessible(page);
  await ready(page);
  await resume.click();
  await expect(state(page)).toHaveText('Succeeded', { timeout: 90_000 });
  await expect(page.getByRole('heading', { name: 'Log' }).locator('xpath=../..')).toContainText('Paused');
  await page.close();
});

test('a utility is launched without JavaScript, and problems lead back to the form with its answers', async ({ browser }) => {
  const plain = await browser.newContext({ baseURL: program.url, javaScriptEnabled: false, storageState: await ada.storageState() });
  const page = await plain.newPage();
  await page.goto('/utilities');
  await page.getByRole('link', { name: 'Launch Line Transfer' }).click();
  await page.getByLabel('To account').selectOption({ label: 'Lakeside Dental' });
  await page.getByRole('radio', { name: 'Reset to unknown' }).check();
  await page.getByRole('searchbox', { name: 'Find a line' }).fill('Store 14');
  await page.getByRole('button', { name: 'Find' }).click();
  await expect(page.getByLabel('To account').locator('option:checked')).toHaveText('Lakeside Dental');
  await expect(page.getByRole('radio', { name: 'Reset to unknown' })).toBeChecked();
  // The only line that fits is chosen; an account that is none is refused at its field.
  const option = page.getByLabel('Line', { exact: true }).locator('option:checked');
  await expect(option).toContainText('Store 14');
  const chosen = await option.textContent();
  await page.getByLabel('To account').evaluate((select: HTMLSelectElement) => (select.selectedOptions[0].value = 'nobody'));
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page.locator('#to-error')).toContainText('This is none of those that can be chosen.');
  await expect(page.getByRole('radio', { name: 'Reset to unknown' })).toBeChecked();
  await expect(option).toHaveText(chosen!);
  await page.getByLabel('To account').selectOption({ label: 'Lakeside Dental' });
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page).toHaveURL(/\/utilities\/runs\//);
  const confirm = (await page.locator('#typed-help').textContent())!.trim();
  await page.getByLabel('To confirm, type').fill('0');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.locator('#typed-error')).toContainText('Type the line’s number');
  await page.getByLabel('To confirm, type').fill(confirm);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByText('It is started')).toBeVisible();
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Resume', exact: true })).toBeVisible();
  await plain.close();
});

/** From the catalogue to the plan of a consent import with this file. */
async function planImport(page: Page, rows: string[], whom: (page: Page) => Promise<unknown>): Promise<void> {
  await page.goto('/utilities');
  await page.getByRole('link', { name: 'Launch Consent Import' }).click();
  await ready(page);
  await whom(page);
  const buffer = Buffer.from(['number,status,at,evidence', ...rows, ''].join('\r\n'));
  await page.getByLabel('File', { exact: true }).setInputFiles({ name: 'consent.csv', mimeType: 'text/csv', buffer });
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page).toHaveURL(/\/utilities\/runs\//);
}

async function startImport(page: Page): Promise<void> {
  await page.getByLabel('To confirm, type').fill((await page.locator('#typed-help').textContent())!.trim());
  await page.getByRole('button', { name: 'Start', exact: true }).click();
}

test('consent is imported from a file with duplicates, and the same file twice changes nothing', async () => {
  const page = await ada.newPage();
  const rows = ['+12125550171,opted_in,2026-01-02T10:00:00Z,form 7', '+12125550171,opted_in,2026-01-02T10:00:00Z,form 7', '+12125550172,opted_out,,', 'nobody,opted_in,,'];
  const billing = async (page: Page) => {
    // A problem stays with the form, and the file too.
    await page.getByRole('searchbox', { name: 'Find a line' }).fill('Billing');
    await expect(page.locator('#line').locator('option:checked')).toContainText('Billing');
    await page.locator('#account').selectOption({ label: 'Lakeside Dental' });
    await page.getByLabel('File', { exact: true }).setInputFiles({ name: 'a.csv', mimeType: 'text/csv', buffer: Buffer.from('number,status\r\n') });
    await page.getByRole('button', { name: 'See what it would do' }).click();
    await expect(page.locator('#account-error')).toContainText('Choose a line or an account, not both.');
    await page.locator('#account').selectOption({ label: 'No account' });
  };
  for (const outcomes of [{ created: true }, { created: false }]) {
    await planImport(page, rows, billing);
    await expect(page.getByText('Rows whose number stands in the file before: 1')).toBeVisible();
    await expect(page.getByRole('row').filter({ hasText: 'Rows that cannot be taken' })).toContainText('1');
    await accessible(page);
    await startImport(page);
    await expect(state(page)).toHaveText('Succeeded', { timeout: 60_000 });
    const file = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Result of each record, CSV' }).click();
    const text = readFileSync((await (await file).path())!, 'utf8');
    expect(text.match(/"invalid"/g)).toHaveLength(1);
    expect(text.split('\r\n').filter((row) => row.includes('55501'))).toHaveLength(3);
    expect(text.includes('"created"')).toBe(outcomes.created);
    expect(text).toContain('"unchanged"');
  }
  await page.close();
});

test('a run that failed says why, and goes on from there when its cause is gone', async () => {
  test.slow();
  const page = await ada.newPage();
  await planImport(page, ['+12125550181,opted_in,2026-01-02T10:00:00Z,form 8'], (page) =>
    page.locator('#account').selectOption({ label: 'Cedar & Pine Salon' }),
  );
  // Planned before another run takes one of the lines.
  const other = await ada.newPage();
  await plan(other, 'News', 'Northwind Outfitters');
  await confirmed(other);
  await other.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(state(other)).toHaveText('Paused', { timeout: 30_000 });
  await startImport(page);
  await expect(state(page)).toHaveText('Failed', { timeout: 30_000 });
  await expect(page.getByRole('alert').filter({ hasText: 'Another run is at work for this account.' })).toContainText('What to do: Resume from here when it is done');
  await accessible(page);
  await other.getByRole('button', { name: 'Resume', exact: true }).click();
  await expect(state(other)).toHaveText('Succeeded', { timeout: 90_000 });
  await page.getByRole('button', { name: 'Resume from here' }).click();
  await expect(state(page)).toHaveText('Succeeded', { timeout: 60_000 });
  await expect(page.getByText('What to do:')).toHaveCount(0);
  await other.close();
  await page.close();
});

test('a transfer waits for a second person, who is not the one that asked', async ({ browser }) => {
  test.slow();
  const who = ['--email', 'grace@example.com', '--name', 'Grace Hopper', '--role', 'Administrator', '--as', 'admin@example.com'];
  const grace = await accept(browser, program.shell(['staff', 'add', ...who]).split('\n')[0]);
  const page = await ada.newPage();
  await plan(page, 'Recalls', 'Northwind Outfitters');
  await confirmed(page);
  await expect(page.getByText('A second person has to agree to this. Write')).toBeVisible();
  await page.getByLabel('Why it is needed').fill('The practice was sold.');
  await confirmed(page);
  await expect(state(page)).toHaveText('Awaiting approval');
  await expect(page.getByText('It waits under Approvals until then.')).toBeVisible();
  await accessible(page);
  // It is taken back while nobody has decided, and asked for again.
  await page.getByText('Cancel…').click();
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(state(page)).toHaveText('Cancelled');
  await plan(page, 'Recalls', 'Northwind Outfitters');
  await page.getByLabel('Why it is needed').fill('The practice was sold.');
  await confirmed(page);
  await expect(state(page)).toHaveText('Awaiting approval');

  const own = await ada.newPage();
  await own.goto('/approvals');
  await expect(own.getByText('You asked for this: somebody else has to decide.')).toBeVisible();
  await expect(own.getByText('Agree…')).toHaveCount(0);
  await own.close();

  const second = await grace.newPage();
  await second.goto('/approvals');
  await second.getByRole('link', { name: 'See what it would do' }).click();
  await expect(second).toHaveURL(page.url().split('?')[0]);
  await expect(second.getByText('Waits for a worker').or(second.getByText('Nothing was changed yet'))).toBeVisible();
  await second.goto('/approvals');
  await ready(second);
  await second.getByText('Agree…').click();
  await second.getByRole('button', { name: 'Agree and do it' }).click();
  await expect(second.getByText('Agreed and done')).toBeVisible();
  await expect(state(page)).toHaveText('Succeeded', { timeout: 120_000 });
  await expect(page.locator('dl.facts').first()).toContainText('Grace Hopper');
  await grace.close();
  await page.close();
});

test('the history finds a run by the digits of its line, by its state and its account', async () => {
  const page = await ada.newPage();
  await page.goto('/utilities');
  await page.getByRole('link', { name: 'History', exact: true }).click();
  await ready(page);
  const rows = page.getByRole('row').filter({ has: page.locator('[data-row-link]') });
  await expect(rows).toHaveCount(10);
  await page.getByPlaceholder('Digits or words').fill(number.replaceAll(' ', '').slice(-7));
  await page.keyboard.press('Enter');
  await expect(rows).toHaveCount(2);
  await expect(page).toHaveURL(/q=/);
  await page.getByRole('combobox', { name: 'State' }).selectOption('Failed');
  await expect(page.getByText('No run fits')).toBeVisible();
  await page.getByRole('link', { name: 'Show all runs' }).click();
  await page.getByRole('combobox', { name: 'Account', exact: true }).selectOption('Lakeside Dental');
  await expect(rows).toHaveCount(7);
  const file = page.waitForEvent('download');
  await page.getByRole('link', { name: 'CSV' }).click();
  expect((await file).suggestedFilename()).toBe('runs.csv');
  await page.close();
});

test('a line is searched as its number is typed, and what is chosen stays chosen', async () => {
  const page = await ada.newPage();
  await page.goto('/utilities/new/line_transfer');
  await ready(page);
  const [find, line] = [page.getByRole('searchbox', { name: 'Find a line' }), page.getByLabel('Line', { exact: true })];
  await find.fill('Billing');
  await expect(page.getByText('1 line', { exact: true })).toBeVisible();
  await expect(line.locator('option:checked')).toContainText('Billing');
  await find.fill('Store');
  await expect(page.getByText('3 lines')).toBeVisible();
  await expect(line.locator('option:checked')).toContainText('Billing');
  await line.selectOption({ index: 3 });
  const chosen = await line.inputValue();
  await find.fill('');
  await expect(page.getByText('12 lines')).toBeVisible();
  await expect(line).toHaveValue(chosen);
  await page.getByRole('button', { name: 'See what it would do' }).click();
  // The browser itself asks for what is missing.
  await expect(page).toHaveURL(/\/new\/line_transfer$/);
  await page.close();
});

test('no screen of the utilities has an accessibility violation, wide and light, narrow and dark', async () => {
  test.slow();
  const page = await ada.newPage();
  await page.goto('/utilities/history?state=succeeded');
  const run = (await page.locator('[data-row-link]').first().getAttribute('href'))!;
  await plan(page, 'Front desk', 'Northwind Outfitters');
  const planned = new URL(page.url()).pathname;
  await page.goto('/utilities/new/line_transfer');
  await page.getByLabel('Line', { exact: true }).selectOption({ index: 1 });
  for (const { colorScheme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    for (const [name, path] of [
      ['catalogue', '/utilities'],
      ['history', '/utilities/history'],
      ['nothing', '/utilities/history?state=failed'],
      ['form', '/utilities/new/line_transfer'],
      ['import', '/utilities/new/consent_import'],
      ['plan', planned],
      ['run', run],
    ]) {
      await page.goto(path);
      await ready(page);
      await accessible(page);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      expect(overflow, `${path} at ${width}`).toBe(0);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }
});
