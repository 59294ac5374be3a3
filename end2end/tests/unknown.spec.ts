// Messages to unknown lines: shown as they come in, found by the number that was texted, and over once the number is a line, or set aside.
import { accessible, as, expect, fromHandset, ready, test } from '../product';

const texted = '+16465550170';
const shown = '+1 646 555 0170';

test('a message to an unknown line is shown, found by its number, and over once the number is a line', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/sync');
  await ready(page);
  const tile = page.getByRole('link', { name: /^Unknown lines/ });
  const before = Number(await tile.locator('span').nth(1).innerText());
  await tile.click();
  await expect(page.getByRole('heading', { name: 'Messages to unknown lines' })).toBeVisible();

  // It comes while somebody looks, and aims at nothing.
  await page.mouse.move(5, 5);
  await fromHandset({ from: '+16465550171', to: texted, text: 'Is anybody there?', others: ['+16465550172'], media: ['card'] });
  const row = page.getByRole('row').filter({ hasText: shown });
  await expect(row).toContainText('Is anybody there?');
  await expect(row).toContainText('Group text, also to +1 646 555 0172');
  await expect(row.getByRole('link', { name: 'Attachment 1 (image)' })).toHaveAttribute('href', /^http/);
  await expect(row.locator('time').first()).toHaveAttribute('title', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);

  await page.getByRole('searchbox').fill('646 555');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Write the whole number that was texted')).toBeVisible();
  await page.getByRole('searchbox').fill('+1 (646) 555-0170');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/q=/);
  await expect(page.getByRole('row')).toHaveCount(2);

  await row.getByRole('link', { name: 'Add as a line' }).click();
  await expect(page.getByLabel('Number')).toHaveValue(texted);
  await page.getByLabel('Account').selectOption({ index: 1 });
  await page.getByLabel('Label').fill('Found line');
  await page.getByLabel('Integration type').selectOption({ label: 'Inbox' });
  await page.getByRole('button', { name: 'Add line' }).click();
  await expect(page.getByText('The line was added.')).toBeVisible();
  await page.goto('/sync');
  await expect(tile.locator('span').nth(1)).toHaveText(String(before));
  await page.goto('/sync/unknown');
  await expect(row.getByRole('link', { name: 'Now a line' })).toBeVisible();
});

test('what comes in while a page is being loaded is not missed', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/sync');
  await ready(page);
  await expect(page.getByRole('status').filter({ hasText: 'Live' })).toBeVisible();
  await page.route('**/fn/sync/unknown', async (route) => {
    const read = await route.fetch();
    const heard = page.evaluate(() => new Promise<void>((done) => addEventListener('switchyard:change', () => done(), { once: true })));
    await fromHandset({ from: '+16465550171', to: '+16465550174', text: 'Between reading and showing' });
    await heard;
    await route.fulfill({ response: read });
  }, { times: 1 });
  // By the keyboard: a pointer that comes to rest on a row would hold what comes in.
  await page.getByRole('link', { name: /^Unknown lines/ }).press('Enter');
  await expect(page.getByText('Between reading and showing')).toBeVisible();
});

test('what comes in moves no row whose link is about to be pressed', async ({ browser }) => {
  const page = await as(browser, 'support');
  await fromHandset({ from: '+16465550171', to: '+16465550175', text: 'The first of two' });
  await page.goto('/sync/unknown?q=%2B16465550175');
  await ready(page);
  const way = page.getByRole('link', { name: 'Add as a line' });
  await way.hover();
  const place = await way.boundingBox();
  await fromHandset({ from: '+16465550171', to: '+16465550175', text: 'The second of two' });
  await expect(page.locator('.waiting')).toContainText(/changes? waits?/);
  expect(await way.boundingBox()).toEqual(place);
  await expect(page.getByText('The second of two')).toHaveCount(0);
  await page.mouse.move(5, 5);
  await expect(page.getByText('The second of two')).toBeVisible();
});

test('messages to unknown lines are read page by page', async ({ browser }) => {
  const page = await as(browser, 'support');
  for (let n = 0; n < 51; n++) await fromHandset({ from: '+16465550171', to: '+16465550173', text: `Page me ${n}` });
  await page.goto('/sync/unknown?q=%2B16465550173');
  await expect(page.getByText('Page me 50', { exact: true })).toBeVisible();
  await page.getByRole('link', { name: 'Next page' }).click();
  await expect(page.getByText('Page me 0', { exact: true })).toBeVisible();
  await expect(page.getByRole('row')).toHaveCount(2);
  await page.getByRole('link', { name: 'First page' }).click();
  await expect(page.getByText('Page me 50', { exact: true })).toBeVisible();
  const viewers = await as(browser, 'viewer');
  await viewers.goto('/sync/unknown?q=%2B16465550173');
  await expect(viewers.getByText('•••• 0171').first()).toBeVisible();
  await expect(viewers.getByText('Page me')).toHaveCount(0);
  await expect(viewers.getByRole('link', { name: 'Add as a line' }), 'a viewer adds no lines').toHaveCount(0);
});

test('a number that is no line on purpose is set aside with a reason, and brought back', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  const number = '+1 646 555 0179';
  await fromHandset({ from: '+16465550171', to: '+16465550179', text: 'Is the flyer right?' });
  await page.goto('/sync/unknown');
  await ready(page);
  const row = page.getByRole('row').filter({ hasText: number });
  await row.getByRole('link', { name: 'Set aside…' }).click();
  await expect(page).toHaveURL(/q=%2B16465550179$/);

  await page.getByText('Set this number aside…').click();
  const why = page.getByLabel('Why');
  await why.fill('x'.repeat(201));
  await page.getByRole('button', { name: 'Set it aside' }).click();
  await expect(page.getByText('Use at most 200 characters, on one line.')).toBeVisible();
  await why.fill('A misprint on a flyer');
  await page.getByRole('button', { name: 'Set it aside' }).click();
  await expect(page.getByText('The number is set aside.')).toBeVisible();
  await expect(page.getByText('Set aside: A misprint on a flyer')).toBeVisible();
  // What came in for it is read there, and nowhere else.
  await expect(page.getByText('Is the flyer right?')).toBeVisible();
  await accessible(page);
  await page.goto('/');
  await ready(page);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Home');
  await expect(page.getByRole('link', { name: number })).toHaveCount(0);

  await page.goto('/sync/unknown');
  await ready(page);
  await expect(row).toHaveCount(0);
  await page.getByLabel('Show', { exact: true }).selectOption({ label: 'Set aside' });
  await expect(page).toHaveURL(/show=aside$/);
  await expect(row).toContainText('A misprint on a flyer');
  await accessible(page);
  await row.getByRole('button', { name: /^Bring back/ }).click();
  await expect(page.getByText('The number is brought back.')).toBeVisible();
  await expect(row).toHaveCount(0);
  await page.getByLabel('Show', { exact: true }).selectOption({ label: 'Messages' });
  await expect(row).toContainText('Is the flyer right?');
});
