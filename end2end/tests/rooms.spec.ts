// The code of the screens: whole in a development build, in rooms in a release build. Either way every screen is taken over by
// it without a word on the browser's console, and what it is loaded from can be kept for ever.
import { as, expect, ready, test } from '../product';
import type { Page } from '@playwright/test';

/** Screens of each room; which they are is in app/src/app.rs. */
const screens = ['/lines', '/sync', '/sync/unknown', '/simulator', '/accounts', '/findings', '/connections', '/connections/new', '/utilities', '/utilities/history', '/staff', '/staff/new'];

/** What the browser complains about while `page` is used: errors, warnings, refused files. */
function complaints(page: Page): string[] {
  const found: string[] = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && found.push(message.text()));
  page.on('pageerror', (error) => found.push(error.message));
  page.on('response', (answer) => answer.status() >= 400 && found.push(`${answer.status()} ${answer.url()}`));
  return found;
}

/** Goes as a click does, without a load. */
async function follow(page: Page, path: string): Promise<void> {
  await page.locator(`nav a[href="${path}"]`).last().click();
  await expect(page).toHaveURL(new RegExp(`${path}(\\?|$)`));
}

test('every screen is taken over, loaded at once or gone to, and its files can be kept for ever', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  const found = complaints(page);
  const kept = new Map<string, string | undefined>();
  page.on('response', (answer) => answer.url().includes('/pkg/') && kept.set(answer.url(), answer.headers()['cache-control']));
  for (const path of screens) {
    await page.goto(path);
    await ready(page);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  }
  await page.evaluate(() => Object.assign(window, { sameLoad: true }));
  for (const path of ['/lines', '/accounts', '/connections', '/sync', '/simulator', '/utilities', '/staff', '/lines']) {
    await follow(page, path);
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  }
  expect(await page.evaluate(() => 'sameLoad' in window), 'gone to without a load').toBe(true);
  expect(kept.size).toBeGreaterThan(2);
  expect([...new Set(kept.values())]).toEqual(['public, max-age=31536000, immutable']);
  expect(found).toEqual([]);
});

test('a room that is gone, as after an update, is no dead end', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/lines');
  await ready(page);
  let gone = 0;
  await page.route(/\/pkg\/.*(chunk|split)_.*\.wasm/, (route) => {
    gone += 1;
    return route.fulfill({ status: 404, body: '' });
  });
  await follow(page, '/accounts');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Accounts');
  if (gone > 0) {
    // The page that came instead cannot be taken over either: it stays as the server made it, and does not load itself again.
    await expect(page.getByRole('link', { name: 'Lakeside Dental' }).or(page.getByText('Lakeside Dental')).first()).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.dataset.ready)).toBeUndefined();
  }
});
