// Offline and back: the page stays, says so, keeps what is typed, and catches up; a real restart of the server with pages open.
import { as, expect, ready, test } from '../product';
import { accept, start } from '../program';
import type { Page } from '@playwright/test';

const notice = (page: Page) => page.locator('#connection');
const live = (page: Page) => page.getByRole('status').filter({ hasText: /^(Live|Still|Interrupted)/ });

test('a page stays usable while the server restarts, says so, and catches up', async ({ browser }) => {
  const program = await start('serve');
  try {
    const context = await accept(browser, program.invitation);
    const form = await context.newPage();
    await form.goto('/accounts/new');
    await ready(form);
    await form.getByLabel('Name').fill('Harbour Clinic');
    const home = await context.newPage();
    await home.goto('/');
    await ready(home);
    await expect(live(home)).toHaveText('Live');
    const before = await form.getByRole('button', { name: 'Add account' }).boundingBox();

    await program.stop();
    for (const page of [form, home]) await expect(notice(page)).toContainText('Connection lost');
    await expect(live(home)).toHaveText('Interrupted');
    // Nothing has moved, and what is sent now says why it cannot be.
    expect(await form.getByRole('button', { name: 'Add account' }).boundingBox()).toEqual(before);
    await form.getByRole('button', { name: 'Add account' }).click();
    await expect(form.getByRole('alert').getByText('The console did not answer')).toBeVisible();
    await expect(form.getByLabel('Name')).toHaveValue('Harbour Clinic');
    // Where one goes meanwhile there is nothing yet; it comes by itself.
    await home.getByRole('link', { name: 'Lines', exact: true }).first().click();
    await expect(home.getByText('The console did not answer')).toBeVisible();

    await program.again();
    for (const page of [form, home]) await expect(notice(page)).not.toContainText('Connection lost', { timeout: 20_000 });
    await expect(home.getByText('No lines yet')).toBeVisible({ timeout: 20_000 });
    await expect(live(home)).toHaveText('Live', { timeout: 20_000 });
    await form.getByRole('button', { name: 'Add account' }).click();
    await expect(form.getByText('The account was added.')).toBeVisible();
    await context.close();
  } finally {
    await program.end();
  }
});

test('without a network the page says so, and it goes when the network is back', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines');
  await ready(page);
  await page.context().setOffline(true);
  await expect(notice(page)).toContainText('Connection lost');
  // What is said covers nothing: it is clicked through.
  expect(await notice(page).evaluate((element) => getComputedStyle(element).pointerEvents)).toBe('none');
  await page.context().setOffline(false);
  await expect(notice(page)).toHaveText('Connected again.');
  await expect(notice(page)).toBeEmpty();
});
