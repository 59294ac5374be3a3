// Personal data: masked for a viewer on every screen, whole for support, found by number without the number in a URL, and the audit of it.
import { accessible, as, expect, fromHandset, ready, test } from '../product';

const from = '+16465550190';
const words = 'My knee hurts again';

test('a viewer sees that somebody wrote, by the last digits and without the words', async ({ browser }) => {
  const support = await as(browser, 'support');
  await support.goto('/lines?q=Store+14');
  const line = support.locator('[data-row-link]').first();
  const [to, path] = [(await line.innerText()).replaceAll(' ', ''), await line.getAttribute('href')];
  await fromHandset({ from, to, text: words });
  await support.goto(`${path}/conversations`);
  await support.getByRole('link', { name: '+1 646 555 0190' }).click();
  await expect(support.getByText(words)).toBeVisible();
  await expect(support.getByRole('note')).toHaveCount(0);

  const page = await as(browser, 'viewer');
  await page.goto(`${path}/conversations`);
  await ready(page);
  await expect(page.getByRole('note')).toContainText('Ask an administrator');
  await accessible(page);
  // The newest stands first; other contacts may end with these digits.
  await page.getByRole('link', { name: '•••• 0190' }).first().click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('•••• 0190');
  await expect(page.getByText('•••• masked text').first()).toBeVisible();
  await accessible(page);
  const html = await page.content();
  for (const secret of ['6465550190', '646 555 0190', words]) expect(html).not.toContain(secret);
});

for (const javaScriptEnabled of [true, false]) {
  test(`a contact is found by whole number, ${javaScriptEnabled ? 'with' : 'without'} JavaScript, and the URL does not say it`, async ({ browser }) => {
    const page = await as(browser, 'viewer', { javaScriptEnabled });
    await page.goto('/sync');
    await page.getByRole('link', { name: 'Find by number' }).click();
    if (javaScriptEnabled) await ready(page);
    await page.getByLabel('Contact’s number').fill('555 0190');
    await page.getByRole('button', { name: 'Find' }).click();
    await expect(page.getByText('No conversation with this number')).toBeVisible();
    await page.getByLabel('Contact’s number').fill('+1 (646) 555-0190');
    await page.getByRole('button', { name: 'Find' }).click();
    await expect(page.getByRole('link', { name: '•••• 0190' })).toBeVisible();
    expect(page.url()).toContain('/sync/find?search=');
    expect(page.url()).not.toContain('0190');
  });
}

test('the audit says who saw it and who was refused', async ({ browser }) => {
  const viewer = await as(browser, 'viewer');
  await viewer.goto('/staff');
  await expect(viewer.getByText('Your roles do not let you')).toBeVisible();
  const page = await as(browser, 'administrator');
  await page.goto('/audit?outcome=seen');
  await ready(page);
  await expect(page.getByRole('row').filter({ hasText: 'Sam Support' }).filter({ hasText: 'Saw a conversation' }).first()).toContainText('127.0.0.1');
  await page.getByLabel('Outcome').selectOption({ label: 'Denied' });
  await expect(page).toHaveURL(/outcome=denied/);
  await expect(page.getByRole('row').filter({ hasText: 'Vera Viewer' }).filter({ hasText: 'Wanted to see who works here' }).first()).toBeVisible();
  await accessible(page);
});
