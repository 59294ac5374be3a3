// A conversation as support needs it: narrowed, from a date on, a reply as the line, beside RingCentral, and as a file.
import { accessible, as, expect, fromHandset, LOOKS, ready, test } from '../product';
import type { Page } from '@playwright/test';

/** The number of the demo's line of this name. */
async function number(page: Page, label: string): Promise<string> {
  await page.goto(`/lines?q=${encodeURIComponent(label)}`);
  return (await page.locator('[data-row-link]').first().innerText()).replaceAll(' ', '');
}

/** The conversation of this contact with the demo's line of this name. */
async function conversation(page: Page, label: string, from: string, text: string): Promise<void> {
  await page.goto(`/lines?q=${encodeURIComponent(label)}`);
  const line = page.locator('[data-row-link]').first();
  const [to, path] = [(await line.innerText()).replaceAll(' ', ''), await line.getAttribute('href')];
  await fromHandset({ from, to, text });
  await page.goto(`${path}/conversations`);
  await page.getByRole('link', { name: `+1 ${from.slice(2, 5)} ${from.slice(5, 8)} ${from.slice(8)}` }).click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
}

test('support narrows a conversation, jumps to a date, and replies as the line', async ({ browser }) => {
  const page = await as(browser, 'support');
  await conversation(page, 'Front desk', '+16465550171', 'Do you have time on Monday?');
  await ready(page);
  await page.getByLabel('Message', { exact: true }).fill('Yes, at ten');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(page.getByText('The reply is on its way to the contact.')).toBeVisible();
  const messages = page.locator('[data-conversation] .message');
  await expect(messages.filter({ hasText: 'Yes, at ten' })).toHaveCount(1);
  await expect(messages.filter({ hasText: 'Yes, at ten' })).toContainText('Staff');
  await expect(page.getByLabel('Message', { exact: true })).toHaveValue('');
  await accessible(page);

  await page.getByLabel('Written by').selectOption({ label: 'Contact' });
  await expect(page).toHaveURL(/writer=contact/);
  await expect(messages).toHaveCount(1);
  await expect(messages).toContainText('Do you have time on Monday?');
  await page.getByLabel('Written by').selectOption({ label: 'Blast' });
  await expect(page.getByText('No message of the conversation is of this kind.')).toBeVisible();
  await page.goto(new URL(page.url()).pathname);

  await page.goto(`${page.url()}?date=2035-01-01`);
  await ready(page);
  await expect(messages).toHaveCount(0);
  await page.getByRole('link', { name: 'Newest' }).click();
  await expect(messages).toHaveCount(2);
  await page.goto(`${new URL(page.url()).pathname}?date=2020-01-01`);
  await expect(messages).toHaveCount(2);
});

test('from a day on, and what is newer, is read from its first message on; the newest and what is older from its last', async ({ browser }) => {
  const page = await as(browser, 'support');
  // More than a page of them.
  const to = await number(page, 'Store 14');
  for (let n = 1; n < 64; n += 1) await fromHandset({ from: '+16465550176', to, text: `Message ${n}.` });
  await conversation(page, 'Store 14', '+16465550176', 'Message 64.');
  await ready(page);
  const messages = page.locator('[data-conversation] .message');
  const [first, last] = [messages.first(), messages.last()];
  await expect(last).toContainText('Message 64.');
  await expect(last).toBeInViewport();
  await page.goto(`${new URL(page.url()).pathname}?date=2020-01-01`);
  await ready(page);
  await expect(first).toContainText('Message 1.');
  await expect(first).toBeInViewport();
  await expect(last).not.toBeInViewport();
  // However far one has read, the next page begins where it begins.
  await last.scrollIntoViewIfNeeded();
  await page.getByRole('link', { name: 'Newer' }).click();
  await expect(first).toContainText('Message 51.');
  await expect(first).toBeInViewport();
  await expect(last).not.toBeInViewport();
  await page.getByRole('link', { name: 'Older' }).click();
  await expect(last).toContainText('Message 50.');
  await expect(last).toBeInViewport();
  await expect(first).not.toBeInViewport();
  await first.scrollIntoViewIfNeeded();
  await page.getByRole('link', { name: 'Newest' }).click();
  await expect(last).toContainText('Message 64.');
  await expect(last).toBeInViewport();
});

test('a date is a day where the reader is, and says so; without JavaScript it is one in UTC', async ({ browser }) => {
  const page = await as(browser, 'support', { timezoneId: 'America/New_York' });
  await conversation(page, 'Front desk', '+16465550171', 'Is it there yet?');
  await ready(page);
  const day = page.getByLabel('From this day on, in America/New York');
  const sent = /date=2020-01-06T05(:|%3A)00(:|%3A)00/;
  await day.fill('2020-01-06');
  await expect(page).toHaveURL(sent);
  await expect(page.locator('[data-conversation] .message').filter({ hasText: 'Is it there yet?' })).toHaveCount(1);
  await page.reload();
  await ready(page);
  await expect(day).toHaveValue('2020-01-06');
  // With another choice it goes along as it is.
  await page.getByLabel('Written by').selectOption({ label: 'Contact' });
  await expect(page).toHaveURL(/writer=contact/);
  await expect(page).toHaveURL(sent);
  await accessible(page);
  const plain = await as(browser, 'support', { timezoneId: 'America/New_York', javaScriptEnabled: false });
  await plain.goto(new URL(page.url()).pathname);
  await plain.getByLabel('From this day on, in UTC').fill('2020-01-06');
  await plain.getByRole('button', { name: 'Apply' }).click();
  await expect(plain).toHaveURL(/date=2020-01-06(&|$)/);
  await expect(plain.getByLabel('From this day on, in UTC')).toHaveValue('2020-01-06');
});

test('without JavaScript a reply is sent, and the page says so', async ({ browser }) => {
  const page = await as(browser, 'support', { javaScriptEnabled: false });
  await conversation(page, 'Front desk', '+16465550172', 'Are you open?');
  await page.getByLabel('Message', { exact: true }).fill('We are');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(page.getByText('The reply is on its way to the contact.')).toBeVisible();
  await expect(page.locator('[data-conversation] .message').filter({ hasText: 'We are' })).toHaveCount(1);
});

test('a contact who has opted out gets no reply, and the page says why', async ({ browser }) => {
  const page = await as(browser, 'support');
  await conversation(page, 'Store 14', '+16465550173', 'STOP');
  await expect(page.getByText('Nothing is sent until they write START.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Send', exact: true })).toHaveCount(0);
});

test('what RingCentral shows stands beside our messages, when it is asked for', async ({ browser }) => {
  const page = await as(browser, 'support');
  await conversation(page, 'Front desk', '+16465550174', 'Is my order there?');
  await expect(page.getByText('In sync', { exact: true })).toBeVisible({ timeout: 30_000 });
  await page.getByRole('link', { name: 'Beside RingCentral' }).click();
  await ready(page);
  await page.getByRole('button', { name: 'Look in RingCentral now' }).click();
  const row = page.getByRole('table', { name: 'RingCentral beside our messages' }).getByRole('row').filter({ hasText: 'Is my order there?' });
  await expect(row).toContainText('Same');
  await expect(page.getByText('No difference')).toBeVisible();
  await accessible(page);
});

test('a conversation is taken as a file with the filters of the page', async ({ browser }) => {
  const page = await as(browser, 'support');
  await conversation(page, 'Store 14', '+16465550175', 'A line for the file');
  await ready(page);
  await page.getByLabel('Written by').selectOption({ label: 'Contact' });
  await expect(page).toHaveURL(/writer=contact/);
  const file = page.getByRole('link', { name: 'CSV' });
  await expect(file).toHaveAttribute('href', /writer=contact/);
  const href = (await file.getAttribute('href'))!;
  expect(await (await page.request.get(href)).text()).toContain('"A line for the file"');
});

for (const { colorScheme, width } of LOOKS) {
  test(`the conversation has no accessibility violation, ${width} wide, ${colorScheme}`, async ({ browser }) => {
    const page = await as(browser, 'support', { colorScheme, viewport: { width, height: 844 } });
    await conversation(page, 'Front desk', '+16465550174', 'Once more');
    const path = new URL(page.url()).pathname;
    for (const of of [path, `${path}/ringcentral`, `${path}?writer=blast`]) {
      await page.goto(of);
      await ready(page);
      await accessible(page);
      expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    }
  });
}
