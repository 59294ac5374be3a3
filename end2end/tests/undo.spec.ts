// Undo: what was just done is taken back, by pointer, by key and without JavaScript; and what came between is said.
import { accessible, as, expect, newAccount, newLine, ready, test } from '../product';
import type { Page } from '@playwright/test';

const bar = (page: Page) => page.getByRole('group', { name: 'Undo' });
const undo = (page: Page) => bar(page).getByRole('button', { name: 'Undo' });

test('an edit is taken back, and the page and its field show what was there before', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await newAccount(page, 'Undo Bakery');
  await page.goto(path);
  await ready(page);
  await page.getByLabel('Name').fill('Undo Brewery');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Undo Brewery');
  await expect(bar(page)).toContainText('The account was changed.');
  await accessible(page);
  await undo(page).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Undo Bakery');
  await expect(page.getByLabel('Name')).toHaveValue('Undo Bakery');
  await expect(page.getByText('Taken back.')).toBeVisible();
  await expect(bar(page)).toHaveCount(0);
  await expect(page.locator('main')).toBeFocused();
});

test('a type is set back by one key, after the page has changed', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await newLine(page, await newAccount(page, 'Undo Tailors'), '+1 712 555 0181', 'Fittings');
  await page.goto(`${path}/type?to=none`);
  await ready(page);
  await page.getByRole('button', { name: 'Set to None' }).click();
  await expect(page).toHaveURL(/done=type/);
  await expect(bar(page)).toContainText('The line was set to None.');
  await page.locator('main').focus();
  await page.keyboard.press('z');
  await expect(page.getByText('Taken back.')).toBeVisible();
  await page.goto(`${path}/type?to=none`);
  await expect(page.getByRole('button', { name: 'Set to None' }), 'it is set to Inbox again').toBeVisible();
});

test('many who were closed are open again; Ctrl Z does it, too', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await newAccount(page, 'Undo Choir');
  for (const name of ['Alto', 'Bass']) {
    await page.goto(`${path}/users`);
    await ready(page);
    await page.getByText('Add a person…').click();
    await page.getByLabel('Name', { exact: true }).fill(name);
    await page.getByRole('textbox', { name: 'E-mail' }).fill(`${name.toLowerCase()}@example.com`);
    await page.getByRole('button', { name: 'Add person' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  }
  await page.goto(`/bulk?act=close_users&all=1&account=${path.split('/').pop()}`);
  await ready(page);
  await page.getByLabel('Type how many are changed').fill('2');
  await page.getByRole('button', { name: 'Close 2 people' }).click();
  await expect(bar(page)).toContainText('2 people closed.');
  await page.locator('main').focus();
  await page.keyboard.press('Control+z');
  await expect(page.getByText('Taken back.')).toBeVisible();
  await page.goto(`${path}/users`);
  await expect(page.getByRole('link', { name: 'Alto' })).toBeVisible();
  await expect(page.locator('tbody').getByText('Closed', { exact: true })).toHaveCount(0);
});

test('what somebody else did meanwhile stays, and the bar says so until it is closed', async ({ browser }) => {
  const page = await as(browser, 'support');
  const second = await as(browser, 'administrator');
  const path = await newAccount(page, 'Undo Glass');
  await page.goto(path);
  await ready(page);
  await page.getByLabel('Name').fill('Undo Glassworks');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(bar(page)).toBeVisible();
  // Under the pointer it waits, however long the other one takes.
  await bar(page).hover();
  await second.goto(path);
  await ready(second);
  await second.getByLabel('Name').fill('Undo Glaziers');
  await second.getByRole('button', { name: 'Save' }).click();
  await expect(second.getByRole('heading', { level: 1 })).toHaveText('Undo Glaziers');
  await undo(page).click();
  await expect(bar(page)).toContainText('Nothing of yours was changed');
  await bar(page).getByRole('button', { name: 'Close' }).click();
  await expect(bar(page)).toHaveCount(0);
  await page.goto(path);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Undo Glaziers');
});

test('the offer ends after ten seconds, but not under the focus', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await newAccount(page, 'Undo Clocks');
  await page.goto(path);
  await page.clock.install();
  await page.reload();
  await ready(page);
  await page.getByLabel('Name').fill('Undo Watches');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(bar(page)).toBeVisible();
  await undo(page).focus();
  await page.clock.runFor(20_000);
  await expect(bar(page)).toBeVisible();
  await page.locator('main').focus();
  await page.clock.runFor(11_000);
  await expect(bar(page)).toHaveCount(0);
  await page.keyboard.press('z');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Undo Watches');
});

test('without JavaScript the page that follows offers it', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await newAccount(page, 'Undo Paper');
  const plain = await as(browser, 'support', { javaScriptEnabled: false });
  await plain.goto(path);
  await plain.getByLabel('Name').fill('Undo Parchment');
  await plain.getByRole('button', { name: 'Save' }).click();
  await expect(plain.getByRole('heading', { level: 1 })).toHaveText('Undo Parchment');
  await undo(plain).click();
  await expect(plain.getByRole('heading', { level: 1 })).toHaveText('Undo Paper');
});
