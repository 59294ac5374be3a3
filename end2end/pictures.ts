// The pictures of the README, taken of the demo. In Inter where it is installed; the console itself loads no typeface.
import { join } from 'node:path';
import { as, expect, ready, test } from './product';
import type { Browser, Page } from '@playwright/test';

async function support(browser: Browser, colorScheme: 'light' | 'dark' = 'light'): Promise<Page> {
  return as(browser, 'support', { colorScheme, viewport: { width: 1280, height: 900 }, bypassCSP: true });
}

async function take(page: Page, name: string): Promise<void> {
  await ready(page);
  await page.addStyleTag({ content: 'html { font-family: Inter, sans-serif !important } [aria-live] { visibility: hidden }' });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: join(__dirname, '..', 'docs', 'pictures', `${name}.png`), animations: 'disabled' });
}

async function lineNamed(page: Page, label: string): Promise<string> {
  await page.goto(`/lines?q=${encodeURIComponent(label)}`);
  return (await page.locator('[data-row-link]').first().getAttribute('href'))!;
}

test('simulator', async ({ browser }) => {
  const page = await support(browser);
  const line = (await lineNamed(page, 'Recalls')).split('/').pop();
  await page.goto(`/simulator?line=${line}`);
  await ready(page);
  await page.getByRole('button', { name: /Send a blast/ }).click();
  await expect(page.locator('[data-blast] dd').first()).toHaveText('200 of 200', { timeout: 60_000 });
  await page.getByLabel('Reply as the contact').fill('Does it count for children too?');
  await page.getByRole('button', { name: 'Send reply' }).click();
  await expect(page.getByText('In sync', { exact: true })).toBeVisible({ timeout: 30_000 });
  await take(page, 'simulator');
});

test('conversation', async ({ browser }) => {
  const page = await support(browser);
  await page.goto(`${await lineNamed(page, 'Front desk')}/conversations`);
  // One with a name, whose blast is held.
  await page.locator('[data-row-link]', { hasText: /^[A-Z]/ }).first().click();
  await expect(page.getByText('↓ Only here, not in RingCentral')).toBeAttached();
  await take(page, 'conversation');
});

test('line', async ({ browser }) => {
  const page = await support(browser, 'dark');
  await page.goto(await lineNamed(page, 'Front desk'));
  await take(page, 'line');
});

test('run', async ({ browser }) => {
  const page = await as(browser, 'administrator', { viewport: { width: 1280, height: 900 }, bypassCSP: true });
  await page.goto(await lineNamed(page, 'Promotions'));
  await page.getByRole('link', { name: 'Transfer this line…' }).click();
  await ready(page);
  await page.getByLabel('To account').selectOption({ label: 'Lakeside Dental' });
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await page.getByLabel('To confirm, type').fill((await page.locator('#typed-help').textContent())!);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.locator('main .badge').first()).toHaveText('Succeeded', { timeout: 60_000 });
  await page.goto(new URL(page.url()).pathname);
  await take(page, 'run');
});

test('sync', async ({ browser }) => {
  const page = await support(browser);
  await expect(async () => {
    await page.goto('/sync');
    await expect(page.getByRole('cell').getByText('Stalled', { exact: true }).first()).toBeVisible({ timeout: 500 });
  }).toPass({ timeout: 150_000 });
  await take(page, 'sync');
});

test('home', async ({ browser }) => {
  const page = await support(browser);
  await page.goto('/');
  // Behind the one above: something is stalled by now.
  await expect(page.getByRole('heading', { name: 'Stalled conversations' })).toBeVisible();
  await take(page, 'home');
});
