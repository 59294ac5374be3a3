// Personal data at its end: one contact erased on request, with preview, confirmation and certificate; and how long things are kept.
import { accessible, as, expect, fromHandset, newAccount, newLine, ready, test } from '../product';
import { Hand } from '../hand';
import type { Page } from '@playwright/test';

const from = '+16465550195';
const words = 'Please forget me';

async function account(page: Page): Promise<void> {
  await page.goto('/accounts?q=Northwind');
  await page.getByRole('link', { name: 'Northwind Outfitters' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Northwind Outfitters');
}

test('a contact is erased after a preview and a confirmation, and a certificate says so', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/lines?q=Store+14');
  const line = page.locator('[data-row-link]').first();
  const [to, path] = [(await line.innerText()).replaceAll(' ', ''), await line.getAttribute('href')];
  await fromHandset({ from, to, text: words });
  await page.goto(`${path}/conversations`);
  await expect(page.getByRole('link', { name: '+1 646 555 0195' })).toBeVisible();

  await account(page);
  await page.getByRole('link', { name: 'Erase a contact' }).click();
  await ready(page);
  await page.getByLabel('Contact’s number').fill('646 555 0195');
  await page.getByLabel('Reference').fill('Request 12');
  await page.getByRole('button', { name: 'See what there is' }).click();
  await expect(page.getByText('Write the whole number').first()).toBeVisible();
  await page.getByLabel('Contact’s number').fill('+1 646 555 0195');
  await page.getByRole('button', { name: 'See what there is' }).click();
  await expect(page).toHaveURL(/\/erasures\/[^/]+$/);
  expect(page.url()).not.toContain('0195');
  await expect(page.getByText('Contact: +1 646 555 0195')).toBeVisible();
  await accessible(page);
  // What is under way is waited for.
  await expect(async () => {
    await page.reload();
    await expect(page.getByLabel('Last four digits')).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 45_000 });
  await ready(page);
  await page.getByLabel('Last four digits').fill('0194');
  await page.getByRole('button', { name: 'Erase the contact' }).click();
  await expect(page.getByText('These are not the last four digits')).toBeVisible();
  await page.getByLabel('Last four digits').fill('0195');
  await page.getByRole('button', { name: 'Erase the contact' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Certificate of erasure');
  await accessible(page);
  // As who comes later is shown it: what this page was first loaded with still stands in it.
  await page.reload();
  const html = await page.content();
  for (const erased of ['6465550195', '555 0195', words]) expect(html).not.toContain(erased);
  const file = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download the certificate' }).click();
  expect((await file).suggestedFilename()).toBe('certificate-of-erasure.txt');
  await page.goto(`${path}/conversations`);
  await expect(page.getByRole('link', { name: '+1 646 555 0195' })).toHaveCount(0);
  await account(page);
  await page.getByRole('link', { name: 'Erase a contact' }).click();
  await expect(page.getByRole('row').filter({ hasText: 'Request 12' })).toBeVisible();
});

test('by keyboard alone a contact is erased', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  const hand = new Hand(page, 'keyboard');
  const h1 = page.getByRole('heading', { level: 1 });
  await newLine(page, await newAccount(page, 'Keyboard Clinic'), '+1 712 555 0184', 'Reception');
  await fromHandset({ from: '+16465550196', to: '+17125550184', text: words });
  await page.goto('/');
  await ready(page);
  await hand.find('Keyboard Clinic', /^Keyboard Clinic/);
  await expect(h1).toHaveText('Keyboard Clinic');
  await hand.press(page.getByRole('link', { name: 'Erase a contact' }));
  await hand.write(page.getByLabel('Contact’s number'), '+1 646 555 0196');
  await hand.write(page.getByLabel('Reference'), 'Request 14');
  await hand.press(page.getByRole('button', { name: 'See what there is' }));
  await expect(page).toHaveURL(/\/erasures\/[^/]+$/);
  await hand.isSomewhere();
  // What is under way is waited for.
  await expect(async () => {
    await page.reload();
    await expect(page.getByLabel('Last four digits')).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 45_000 });
  await ready(page);
  await hand.write(page.getByLabel('Last four digits'), '0196');
  await hand.press(page.getByRole('button', { name: 'Erase the contact' }));
  await expect(h1).toHaveText('Certificate of erasure');
  await hand.isSomewhere();
});

test('how long messages are kept is previewed, confirmed by the account’s name, and seen by support', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await account(page);
  await page.getByRole('link', { name: 'Retention', exact: true }).first().click();
  await accessible(page);
  await page.getByLabel('What was written in messages').fill('3650');
  await page.getByRole('button', { name: 'See what would go' }).click();
  await expect(page.getByText('Messages that lose their text')).toBeVisible();
  await ready(page);
  await accessible(page);
  await page.getByLabel('Confirmation').fill('Northwind');
  await page.getByRole('button', { name: 'Keep it no longer' }).click();
  await expect(page.getByText('This is not what confirms it')).toBeVisible();
  await page.getByLabel('Confirmation').fill('Northwind Outfitters');
  await page.getByRole('button', { name: 'Keep it no longer' }).click();
  await expect(page.getByText('What is older than that goes within the hour.')).toBeVisible();
  await expect(page.getByLabel('What was written in messages')).toHaveValue('3650');

  const support = await as(browser, 'support');
  await account(support);
  await support.getByRole('link', { name: 'Retention', exact: true }).first().click();
  await expect(support.getByText('3,650 days')).toBeVisible();
  await expect(support.getByRole('button', { name: 'See what would go' })).toHaveCount(0);
  await expect(support.getByRole('link', { name: 'Erase a contact' })).toHaveCount(0);
});
