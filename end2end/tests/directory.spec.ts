// The directory: an account, its people and contacts, consent, a line and its blasts, findings; edited, closed and opened again.
import { accessible, as, expect, fromHandset, newAccount, newLine, product, ready, test } from '../product';
import type { Page } from '@playwright/test';

/** A new account with one line set to Inbox; their addresses. */
async function account(page: Page, name: string, number: string): Promise<{ account: string; line: string }> {
  const account = await newAccount(page, name);
  return { account, line: await newLine(page, account, number, 'Desk') };
}

test('an account is edited; a product that a line needs stays, and the second editor is told', async ({ browser }) => {
  const page = await as(browser, 'support');
  const { account: path } = await account(page, 'Harbour Books', '+1 712 555 0101');
  const second = await as(browser, 'administrator');
  await second.goto(path);
  await page.goto(path);
  await ready(page);
  await ready(second);
  await expect(page.getByRole('link', { name: '1 line' })).toBeVisible();
  await page.getByLabel('Conversation: lines set to Inbox').uncheck();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Lines need it for their type: Desk')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Show its lines' })).toBeVisible();
  await page.getByLabel('Conversation: lines set to Inbox').check();
  await page.getByLabel('Name').fill('Harbour Bookshop');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Harbour Bookshop');
  await second.getByLabel('Name').fill('Harbour & Co');
  await second.getByRole('button', { name: 'Save' }).click();
  await expect(second.getByText('Nothing of yours was changed')).toBeVisible();
  await expect(second.getByLabel('Name')).toHaveValue('Harbour & Co');
  await second.getByRole('link', { name: 'Look again' }).click();
  await expect(second.getByLabel('Name')).toHaveValue('Harbour Bookshop');
});

test('a person is added, given access from their page, and closed with what that takes away', async ({ browser }) => {
  const page = await as(browser, 'support');
  const { account: path, line } = await account(page, 'Quay Florists', '+1 712 555 0102');
  await page.goto(`${path}/users`);
  await ready(page);
  await page.getByText('Add a person…').click();
  await page.getByLabel('Name', { exact: true }).fill('Grace Murray');
  await page.getByRole('textbox', { name: 'E-mail' }).fill('grace.quay@example.com');
  await page.getByRole('button', { name: 'Add person' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Grace Murray');
  await page.getByRole('button', { name: 'Give access to Desk' }).click();
  await expect(page.getByText('Has access', { exact: true })).toBeVisible();
  await page.goto(line);
  await ready(page);
  await page.getByRole('link', { name: 'Grace Murray' }).click();
  await expect(page).toHaveURL(/\/users\//);
  await ready(page);
  await page.getByText('Close…').click();
  await expect(page.getByText('loses access to these lines at once')).toBeVisible();
  await page.getByRole('button', { name: 'Close the person' }).click();
  await expect(page.getByText('Closed', { exact: true }).first()).toBeVisible();
  await expect(page.getByText('Has access', { exact: true })).toHaveCount(0);
  await page.getByText('Reopen…').click();
  await page.getByRole('button', { name: 'Reopen the person' }).click();
  await expect(page.getByText('Close…')).toBeVisible();
  await page.goto(`${path}/users?q=gra`);
  await expect(page.getByRole('link', { name: 'Grace Murray' })).toBeVisible();
});

test('closing an account says what it does, asks for its name, and is taken back', async ({ browser }) => {
  const page = await as(browser, 'support');
  const { account: path, line } = await account(page, 'Pier Cycles', '+1 712 555 0103');
  await page.goto(path);
  await page.getByRole('link', { name: 'Close account…' }).click();
  await ready(page);
  await expect(page.getByRole('heading', { name: 'What closing does' })).toBeVisible();
  await expect(page.getByText('Lines by type: Inbox 1')).toBeVisible();
  await page.getByLabel('Confirmation').fill('Pier');
  await page.getByRole('button', { name: 'Close the account' }).click();
  await expect(page.getByText('This is not the account’s name.')).toBeVisible();
  await page.getByLabel('Confirmation').fill('Pier Cycles');
  await page.getByRole('button', { name: 'Close the account' }).click();
  await expect(page.getByText('It takes no new line, person or connection.')).toBeVisible();
  // A finding, with what mends it one link away.
  await page.goto('/findings?kind=open_in_closed_account');
  const row = page.getByRole('row').filter({ hasText: 'Pier Cycles' });
  await row.getByRole('link', { name: 'Close line…' }).click();
  await ready(page);
  await expect(page.getByRole('heading', { name: 'What will happen' })).toBeVisible();
  await page.getByLabel('Type the last four digits').fill('0103');
  await page.getByRole('button', { name: 'Close the line' }).click();
  await expect(page).toHaveURL(new RegExp(line));
  await expect(page.getByText('The line is closed.')).toBeVisible();
  await page.goto('/findings?kind=open_in_closed_account');
  await expect(page.getByText('Pier Cycles')).toHaveCount(0);
  await page.goto(path);
  await ready(page);
  await page.getByText('Reopen…').click();
  await page.getByRole('button', { name: 'Reopen the account' }).click();
  await expect(page.getByRole('link', { name: 'Close account…' })).toBeVisible();
  await page.goto(line);
  await ready(page);
  await page.getByText('Reopen…').click();
  await page.getByRole('button', { name: 'Reopen the line' }).click();
  await expect(page.getByRole('link', { name: 'Close line…' })).toBeVisible();
});

test('a contact is found by name or number, which stand in no address, and leads everywhere', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/accounts?q=Lakeside');
  await page.getByRole('link', { name: 'Lakeside Dental' }).click();
  await page.getByRole('link', { name: 'Contacts', exact: true }).click();
  await ready(page);
  await expect(page.getByRole('row').nth(1)).toBeVisible();
  await page.getByLabel('How the name begins').fill('ada');
  await page.getByRole('button', { name: 'Find' }).click();
  await expect(page.getByText('Only who was found.')).toBeVisible();
  expect(page.url()).not.toContain('ada');
  await page.getByRole('link', { name: 'Ada Byron' }).first().click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Ada Byron');
  await ready(page);
  await page.getByLabel('Note').fill('Prefers mornings');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('The contact was changed.')).toBeVisible();
  await page.reload();
  await expect(page.getByLabel('Note')).toHaveValue('Prefers mornings');
  await page.getByRole('row').nth(1).getByRole('link').first().click();
  await expect(page).toHaveURL(/\/lines\/[0-9a-f-]{36}$/);
});

test('consent is seen from the conversation and set by hand with a reason', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines?q=Billing');
  const line = (await page.locator('[data-row-link]').first().getAttribute('href'))!;
  await page.goto(`${line}/conversations`);
  await page.locator('[data-row-link]').last().click();
  await page.getByRole('link', { name: /opted out/i }).click();
  await ready(page);
  await page.getByLabel('Why, and where').fill('Ticket 4711');
  await page.getByRole('button', { name: 'Set consent' }).click();
  await expect(page.getByRole('cell', { name: 'Ticket 4711' })).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 }).locator('..').getByText('Opted out')).toBeVisible();
  // An opt-in that was given before does not lift it.
  await page.getByLabel('When they said so').fill('2020-01-01T09:00');
  await page.getByLabel('Why, and where').fill('An old form');
  await page.getByRole('button', { name: 'Set consent' }).click();
  await expect(page.getByText('They stay opted out')).toBeVisible();
  await expect(page.getByLabel('Why, and where')).toHaveValue('An old form');
  await page.getByLabel('When they said so').fill('');
  await page.getByLabel('Why, and where').fill('They called, ticket 4712');
  await page.getByRole('button', { name: 'Set consent' }).click();
  await expect(page.getByRole('heading', { level: 1 }).locator('..').getByText('Opted in')).toBeVisible();
  await expect(page.getByRole('cell', { name: 'Staff set it' })).toHaveCount(2);
});

test('when they said so is written where the reader is, kept as a draft, and kept in UTC', async ({ browser }) => {
  const page = await as(browser, 'support', { timezoneId: 'America/New_York' });
  await page.goto('/lines?q=Billing');
  const line = page.locator('[data-row-link]').first();
  const [to, path] = [(await line.innerText()).replaceAll(' ', ''), await line.getAttribute('href')];
  await fromHandset({ from: '+16465550187', to, text: 'Please write no more' });
  await page.goto(`${path}/conversations`);
  await page.getByRole('link', { name: '+1 646 555 0187' }).click();
  await page.getByRole('link', { name: /opted out/i }).click();
  await expect(page.getByRole('heading', { name: 'Set it by hand' })).toBeVisible();
  await ready(page);
  const at = page.getByLabel('When they said so, in America/New York');
  await at.fill('2020-01-06T09:00');
  await page.reload();
  await expect(page.getByText('Draft restored.')).toBeVisible();
  await expect(at).toHaveValue('2020-01-06T09:00');
  await page.getByLabel('Why, and where').fill('Ticket 4713');
  await page.getByRole('button', { name: 'Set consent' }).click();
  const said = page.getByRole('row').filter({ hasText: 'Ticket 4713' }).locator('time');
  await expect(said).toHaveAttribute('datetime', '2020-01-06T14:00:00.000Z');
  await expect(said).toHaveText('2020-01-06 09:00 EST');

  const plain = await as(browser, 'support', { timezoneId: 'America/New_York', javaScriptEnabled: false });
  await plain.goto(page.url());
  await plain.locator('#state').selectOption({ label: 'Opted in' });
  await plain.getByLabel('When they said so, in UTC').fill('2020-02-06T09:00');
  await plain.getByLabel('Why, and where').fill('Ticket 4714');
  await plain.getByRole('button', { name: 'Set consent' }).click();
  const later = plain.getByRole('row').filter({ hasText: 'Ticket 4714' }).locator('time');
  await expect(later).toHaveAttribute('datetime', '2020-02-06T09:00:00.000Z');
});

test('a responder is edited in its row', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines?q=Store 14');
  await page.locator('[data-row-link]').first().click();
  await expect(page.getByRole('heading', { name: 'Responders' })).toBeVisible();
  await ready(page);
  const responders = page.locator('section', { has: page.getByRole('heading', { name: 'Responders' }) });
  await responders.getByText('Edit…').click();
  await responders.getByLabel('Word').first().fill('stop');
  await responders.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('This word sets consent')).toBeVisible();
  await responders.getByLabel('Word').first().fill('open');
  await responders.getByRole('button', { name: 'Save' }).click();
  await expect(responders.getByText('open', { exact: true })).toBeVisible();
});

test('a responder’s edit has a draft, and what is wrong stands at its fields', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines?q=Store 14');
  await page.locator('[data-row-link]').first().click();
  await expect(page.getByRole('heading', { name: 'Responders' })).toBeVisible();
  await ready(page);
  const responders = page.locator('section', { has: page.getByRole('heading', { name: 'Responders' }) });
  const word = responders.getByLabel('Word').first();
  const before = await word.inputValue();
  await responders.getByText('Edit…').first().click();
  await word.fill('opened');
  await page.reload();
  await expect(responders.getByText('Draft restored.')).toBeVisible();
  await expect(word).toBeVisible();
  await expect(word).toHaveValue('opened');
  await word.fill('stop');
  await responders.getByRole('button', { name: 'Save' }).first().click();
  await expect(word).toHaveAttribute('aria-invalid', 'true');
  await expect(word).toHaveAccessibleDescription(/This word sets consent/);
  await accessible(page);
  await responders.getByRole('button', { name: 'Discard' }).click();
  await expect(word).toHaveValue(before);
});

test('blasts of a line are listed, and one shows what became of it', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines?q=Front desk');
  await page.locator('[data-row-link]').first().click();
  await page.getByRole('link', { name: 'Blasts', exact: true }).click();
  await page.locator('[data-row-link]').first().click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Blast');
  await expect(page.getByText('Recipients')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Lakeside Dental' })).toBeVisible();
});

test('a viewer sees no names and no numbers of contacts, and cannot change anything', async ({ browser }) => {
  const page = await as(browser, 'viewer');
  await page.goto('/accounts?q=Lakeside');
  const path = (await page.getByRole('link', { name: 'Lakeside Dental' }).getAttribute('href'))!;
  await page.goto(`${path}/contacts`);
  await expect(page.getByText('Name masked').first()).toBeVisible();
  await expect(page.getByText('Ada Byron')).toHaveCount(0);
  await page.goto(path);
  await expect(page.getByRole('button', { name: 'Save' })).toHaveCount(0);
  const answer = await page.request.post('/fn/accounts/close', {
    form: { id: path.split('/').pop()!, version: '1', confirm: 'Lakeside Dental' },
    headers: { origin: product().url, 'sec-fetch-site': 'same-origin', accept: 'application/json' },
  });
  expect(answer.status()).toBe(403);
});

test('the directory is read and edited without JavaScript', async ({ browser }) => {
  const page = await as(browser, 'support', { javaScriptEnabled: false });
  await page.goto('/accounts?q=Northwind');
  await page.getByRole('link', { name: 'Northwind Outfitters' }).click();
  await page.getByLabel('Name').fill('');
  await page.getByLabel('Name').fill('Lakeside Dental');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('There is an account of this name already.')).toBeVisible();
  await page.getByRole('link', { name: 'People', exact: true }).click();
  await expect(page.getByRole('row').nth(1)).toBeVisible();
});

for (const theme of ['light', 'dark'] as const) {
  test(`no screen of the directory has an accessibility violation, ${theme}`, async ({ browser }) => {
    const page = await as(browser, 'administrator', { colorScheme: theme });
    await page.goto('/accounts?q=Lakeside');
    const path = (await page.getByRole('link', { name: 'Lakeside Dental' }).getAttribute('href'))!;
    await page.goto('/lines?q=Front desk');
    const line = (await page.locator('[data-row-link]').first().getAttribute('href'))!;
    const paths = [path, `${path}/users`, `${path}/contacts`, `${path}/blasts`, `${path}/close`, `${path}/retention`, `${line}/close`, `${line}/blasts`, '/findings'];
    for (const [list, link] of [[`${path}/users`, '/users/'], [`${path}/contacts`, '/contacts/'], [`${line}/blasts`, '/blasts/'], [`${line}/conversations`, '/conversations/']]) {
      await page.goto(list);
      paths.push((await page.locator(`[data-row-link][href*="${link}"]`).first().getAttribute('href'))!);
    }
    paths.push(paths.at(-1)!.replace(/conversations\/(.*)/, 'consent?conversation=$1'));
    for (const path of paths) {
      await page.goto(path);
      await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible();
      await accessible(page);
    }
  });
}

test('an account beyond those that are offered is found by its name, and what is typed and chosen stays', async ({ browser }) => {
  const page = await as(browser, 'support');
  // As a platform of many accounts answers: the first by name, and those that a search finds.
  const row = (n: number, name: string) => ({
    id: `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`,
    name,
    sends_blasts: true,
    has_conversations: true,
    lines: 0,
    connected: false,
    closed_at: null,
  });
  const zebra = row(60, 'Zebra Foods');
  const all = [...Array.from({ length: 60 }, (_, n) => row(n, `Able ${String(n).padStart(3, '0')}`)), zebra];
  await page.goto('/lines');
  await ready(page);
  await page.route('**/fn/accounts/offered', async (route) => {
    const asked = new URLSearchParams(route.request().postData() ?? '');
    const found = all.filter(({ name }) => name.toLowerCase().includes(asked.get('search') ?? ''));
    const rows = found.slice(0, 50);
    const kept = all.find(({ id }) => id === asked.get('chosen') && !rows.some((one) => one.id === id)) ?? null;
    await route.fulfill({ json: { rows, is_part: found.length > rows.length, kept } });
  });
  await page.getByRole('link', { name: 'Add line' }).click();
  const [find, account] = [page.getByRole('searchbox', { name: 'Find an account' }), page.getByLabel('Account', { exact: true })];
  await expect(page.getByText('The first 50 accounts; search to see the others')).toBeVisible();
  await page.getByLabel('Number').fill('+1 712 555 0119');
  await page.getByLabel('Label').fill('Night desk');
  await find.fill('zeb');
  await expect(page.getByText('1 account', { exact: true })).toBeVisible();
  // By keyboard alone; Enter sends nothing.
  await find.press('Enter');
  await find.press('Tab');
  await page.keyboard.press('Tab');
  await expect(account).toBeFocused();
  await page.keyboard.type('Zebra');
  await expect(account).toHaveValue(zebra.id);
  await find.fill('able 01');
  await expect(page.getByText('10 accounts', { exact: true })).toBeVisible();
  await expect(find).toBeFocused();
  await expect(account).toHaveValue(zebra.id);
  await expect(account.locator('option:checked')).toHaveText('Zebra Foods');
  await accessible(page);
  await find.fill('');
  await expect(page.getByText('The first 50 accounts; search to see the others')).toBeVisible();
  await expect(account).toHaveValue(zebra.id);
  await expect(page.getByLabel('Label')).toHaveValue('Night desk');
  await expect(page).toHaveURL(/\/lines\/new$/);
});
