// Lists: many rows chosen and changed together, saved views that are shared with a role, columns that are kept, and order.
import { accessible, as, expect, fromHandset, newAccount, ready, test } from '../product';
import { Hand } from '../hand';
import type { Page } from '@playwright/test';

/** A new account with so many people; its address. */
async function accountWithPeople(page: Page, name: string, people: number): Promise<string> {
  const path = await newAccount(page, name);
  const account = path.split('/').pop()!;
  for (let n = 0; n < people; n++) {
    const form = { account, name: `Person ${String(n).padStart(3, '0')}`, email: `person${n}@example.com` };
    const answer = await page.request.post('/fn/users/add', { form, headers: { accept: 'application/json', 'sec-fetch-site': 'same-origin' } });
    expect(answer.ok()).toBe(true);
  }
  return path;
}

test('chosen people are closed together, after a look at who is left out', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await accountWithPeople(page, 'Orchard Foods', 4);
  await page.goto(`${path}/users`);
  await ready(page);
  await expect(page.getByRole('button', { name: 'Close…' })).toBeHidden();
  await page.getByLabel('Choose Person 001').check();
  await page.getByLabel('Choose Person 002').check();
  await expect(page.getByText('2 chosen')).toBeVisible();
  await accessible(page);
  await page.getByRole('button', { name: 'Close…' }).click();
  await ready(page);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Close people');
  await expect(page.getByRole('table').getByRole('row')).toHaveCount(3);
  await accessible(page);
  await page.getByLabel('Type how many are changed, to confirm').fill('2');
  await page.getByRole('button', { name: 'Close 2 people' }).click();
  await expect(page.getByText('They are closed.')).toBeVisible();
  await expect(page.locator('.badge').filter({ hasText: /^Closed$/ })).toHaveCount(2);
  // All that match: those who are closed are left out.
  await page.getByLabel('Choose all on this page').check();
  await expect(page.getByText('4 chosen')).toBeVisible();
  await page.getByLabel('Which rows').selectOption({ label: 'All 4 that match' });
  await page.getByRole('button', { name: 'Close…' }).click();
  await expect(page.getByText('Person 001 is closed already.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Close 2 people' })).toBeVisible();
});

test('all that match, on every page, are closed by a data utility', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  const path = await accountWithPeople(page, 'Valley Water', 104);
  await page.goto(`${path}/users`);
  await ready(page);
  await page.getByLabel('Choose all on this page').check();
  await page.getByLabel('Which rows').selectOption({ label: 'All that match, on every page' });
  await page.getByRole('button', { name: 'Close…' }).click();
  await ready(page);
  await expect(page.getByRole('heading', { name: 'More than 100 people' })).toBeVisible();
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page).toHaveURL(/\/utilities\/runs\//);
  await ready(page);
  await expect(page.getByText('Close 104 people').first()).toBeVisible();
  await page.getByLabel('To confirm, type').fill('104');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.locator('main .badge').first()).toHaveText('Succeeded', { timeout: 60_000 });
  await expect(page.getByText('Changed 104, left out 0.')).toBeVisible();
});

test('a list is narrowed to what is closed, page by page and as a file', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await accountWithPeople(page, 'Ferry Terminal', 56);
  const file = async (search: string) => (await (await page.request.get(`${path}/users.csv${search}`)).text()).trim().split('\r\n').slice(1);
  const ids = (await file('')).map((row) => row.split(',')[0]!);
  expect(ids).toHaveLength(56);
  for (const id of ids.slice(0, 53)) {
    const headers = { accept: 'application/json', 'sec-fetch-site': 'same-origin' };
    const answer = await page.request.post('/fn/users/close', { form: { id, version: '1' }, headers });
    expect(answer.ok()).toBe(true);
  }
  await page.goto(`${path}/users`);
  await ready(page);
  const rows = page.getByRole('table').getByRole('row');
  const closed = page.getByRole('table').locator('.badge').filter({ hasText: /^Closed$/ });
  await expect(rows).toHaveCount(51);
  await page.getByLabel('Open or closed').selectOption('closed');
  await expect(page).toHaveURL(/state=closed/);
  await expect(closed).toHaveCount(50);
  await page.getByRole('link', { name: 'Next page' }).click();
  await expect(page).toHaveURL(/state=closed.*after=|after=.*state=closed/);
  await expect(rows).toHaveCount(4);
  await expect(closed).toHaveCount(3);
  await expect(page.getByLabel('Open or closed')).toHaveValue('closed');
  await accessible(page);
  // The file is of all pages, narrowed as the list is.
  const href = (await page.getByRole('link', { name: 'CSV' }).getAttribute('href'))!;
  const narrowed = await file(new URL(href, page.url()).search);
  expect(narrowed.map((row) => row.split(',')[0])).toEqual(ids.slice(0, 53));
  await page.getByLabel('Open or closed').selectOption('open');
  await expect(rows).toHaveCount(4);
  await expect(closed).toHaveCount(0);
  await page.getByLabel('Open or closed').selectOption({ label: 'Open and closed' });
  await expect(rows).toHaveCount(51);
  await expect(page).not.toHaveURL(/state=/);

  // Without JavaScript, and in the list of accounts; the search everywhere says who is closed.
  const plain = await as(browser, 'support', { javaScriptEnabled: false });
  await plain.goto(`/accounts?q=${encodeURIComponent('Ferry Terminal')}`);
  await plain.getByLabel('Open or closed').selectOption('closed');
  await plain.getByRole('button', { name: 'Apply' }).click();
  await expect(plain).toHaveURL(/state=closed/);
  await expect(plain.getByText('No account fits')).toBeVisible();
  await plain.goto('/search');
  await plain.getByRole('searchbox', { name: 'Search everywhere' }).fill('person 000');
  await plain.getByRole('button', { name: 'Search', exact: true }).click();
  await expect(plain.getByRole('listitem').filter({ hasText: 'Ferry Terminal' })).toContainText('Closed · person0@example.com');
});

test('without JavaScript rows are chosen and changed, too', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await accountWithPeople(page, 'Mill Lane Bakery', 2);
  const plain = await as(browser, 'support', { javaScriptEnabled: false });
  await plain.goto(`${path}/users`);
  await expect(plain.getByRole('button', { name: 'Close…' })).toBeHidden();
  await plain.getByLabel('Choose Person 000').check();
  await plain.getByRole('button', { name: 'Close…' }).click();
  await plain.getByLabel('Type how many are changed, to confirm').fill('7');
  await plain.getByLabel('Type how many are changed, to confirm').evaluate((field) => field.removeAttribute('pattern'));
  await plain.getByRole('button', { name: 'Close 1 person' }).click();
  await expect(plain.getByText('This is not how many are to be changed.')).toBeVisible();
  await plain.getByLabel('Type how many are changed, to confirm').fill('1');
  await plain.getByRole('button', { name: 'Close 1 person' }).click();
  await expect(plain.getByText('They are closed.')).toBeVisible();
});

test('a view is saved, shared with a role, and seen by who has it, who keeps one of their own beside it', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/lines?type=none');
  await ready(page);
  const views = (on: Page) => on.locator('summary', { hasText: 'Views…' });
  await views(page).click();
  await page.getByLabel('Save this view as').fill('Blast only');
  await page.getByLabel('For', { exact: true }).selectOption({ label: 'All who have the role Support' });
  await accessible(page);
  await page.getByRole('button', { name: 'Save view' }).click();
  const link = (on: Page) => on.getByRole('navigation', { name: 'Saved views' }).getByRole('link', { name: /Blast only/ });
  await expect(link(page)).toHaveAttribute('aria-current', 'true');

  const sam = await as(browser, 'support');
  await sam.goto('/lines');
  await ready(sam);
  await expect(link(sam)).not.toHaveAttribute('aria-current');
  await link(sam).click();
  await expect(sam).toHaveURL(/\/lines\?type=none$/);
  await expect(link(sam)).toHaveAttribute('aria-current', 'true');
  await views(sam).click();
  await expect(sam.getByLabel('Save this view as')).toBeVisible();
  await expect(sam.getByText('Delete this view')).toHaveCount(0);
  // One that shows the same is saved all the same, and is the one that they may change.
  await sam.getByLabel('Save this view as').fill('Without a route');
  await accessible(sam);
  await sam.getByRole('button', { name: 'Save view' }).click();
  const own = sam.getByRole('navigation', { name: 'Saved views' }).getByRole('link', { name: 'Without a route' });
  await expect(own).toHaveAttribute('aria-current', 'true');
  await expect(link(sam)).not.toHaveAttribute('aria-current');
  await expect(views(sam)).toBeFocused();
  await views(sam).press('Enter');
  await expect(sam.getByLabel('Name of this view')).toHaveValue('Without a route');
  await expect(sam.getByLabel('Save this view as')).toHaveCount(0);
  await sam.getByRole('button', { name: 'Delete this view' }).click();
  await expect(own).toHaveCount(0);
  await expect(link(sam)).toHaveAttribute('aria-current', 'true');
  const vera = await as(browser, 'viewer');
  await vera.goto('/lines');
  await expect(vera.getByRole('heading', { level: 1 })).toHaveText('Lines');
  await expect(link(vera)).toHaveCount(0);

  await views(page).click();
  await page.getByLabel('Name of this view').fill('Blast only lines');
  await page.getByRole('button', { name: 'Rename' }).click();
  await expect(page.getByRole('link', { name: /Blast only lines/ })).toBeVisible();
  await views(page).click();
  await page.getByRole('button', { name: 'Delete this view' }).click();
  await expect(link(page)).toHaveCount(0);
});

test('a view of an account’s people narrows those of every account, and nothing moves while one narrows', async ({ browser }) => {
  const page = await as(browser, 'support');
  const [first, second] = [await accountWithPeople(page, 'Pier Nine', 1), await accountWithPeople(page, 'Pier Ten', 1)];
  await page.goto(`${first}/users`);
  await ready(page);
  const columns = page.locator('summary', { hasText: 'Columns…' });
  const state = page.getByLabel('Open or closed');
  const [before, filter] = [(await columns.boundingBox())!, (await state.boundingBox())!];
  // At the end of the filters, in one row with them.
  expect(before.x).toBeGreaterThan(filter.x + filter.width);
  expect(before.y + before.height / 2).toBeCloseTo(filter.y + filter.height / 2, 0);
  await state.selectOption('closed');
  await expect(page.getByText('Nobody fits')).toBeVisible();
  expect(await columns.boundingBox()).toEqual(before);
  await page.locator('summary', { hasText: 'Views…' }).click();
  await page.getByLabel('Save this view as').fill('Who has left');
  await page.getByRole('button', { name: 'Save view' }).click();
  const view = page.getByRole('navigation', { name: 'Saved views' }).getByRole('link', { name: 'Who has left' });
  await expect(view).toHaveAttribute('aria-current', 'true');
  await page.goto(`${second}/users`);
  await view.click();
  await expect(page).toHaveURL(new RegExp(`${second}/users\\?state=closed$`));
  await expect(page.getByText('Nobody fits')).toBeVisible();
});

test('connections, staff and blasts have columns to choose, too', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/accounts?q=Lakeside');
  const account = (await page.getByRole('link', { name: 'Lakeside Dental' }).getAttribute('href'))!;
  for (const [path, column] of [['/connections', 'Last event'], ['/staff', 'Second factor'], [`${account}/blasts`, 'Left out']]) {
    const head = page.getByRole('columnheader', { name: column });
    const choose = async () => {
      await page.goto(path);
      await ready(page);
      await page.locator('summary', { hasText: 'Columns…' }).click();
      await page.getByRole('checkbox', { name: column, exact: true }).click();
      await page.getByRole('button', { name: 'Show these' }).click();
    };
    await choose();
    await expect(page.getByRole('columnheader').first()).toBeVisible();
    await expect(head).toHaveCount(0);
    await accessible(page);
    await choose();
    await expect(head).toBeVisible();
  }
});

test('columns are chosen by keyboard, kept, and one’s own', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines');
  await ready(page);
  await expect(page.getByRole('columnheader', { name: 'Account' })).toBeVisible();
  await page.locator('summary', { hasText: 'Columns…' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('checkbox', { name: 'Account', exact: true }).focus();
  await page.keyboard.press('Space');
  await page.getByRole('checkbox', { name: 'Added', exact: true }).focus();
  await page.keyboard.press('Space');
  await accessible(page);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('columnheader', { name: 'Account' })).toHaveCount(0);
  await expect(page.getByRole('columnheader', { name: 'Added' })).toBeVisible();
  await page.reload();
  await expect(page.getByRole('columnheader', { name: 'Account' })).toHaveCount(0);
  await expect(page.getByRole('columnheader', { name: 'Added' })).toBeVisible();
  const vera = await as(browser, 'viewer');
  await vera.goto('/lines');
  await expect(vera.getByRole('columnheader', { name: 'Account' })).toBeVisible();
  // Back to what others expect to see.
  const plain = await as(browser, 'support', { javaScriptEnabled: false });
  await plain.goto('/lines');
  await plain.locator('summary', { hasText: 'Columns…' }).click();
  await plain.getByRole('checkbox', { name: 'Account', exact: true }).check();
  await plain.getByRole('checkbox', { name: 'Added', exact: true }).uncheck();
  await plain.getByRole('button', { name: 'Show these' }).click();
  await expect(plain.getByRole('columnheader', { name: 'Account' })).toBeVisible();
});

test('by keyboard alone a view is kept, and chosen people are closed and opened again', async ({ browser }) => {
  const page = await as(browser, 'support');
  const hand = new Hand(page, 'keyboard');
  const path = await accountWithPeople(page, 'Keyboard Makers', 3);
  await page.goto('/lines');
  await ready(page);
  await hand.press(page.getByRole('columnheader', { name: 'Label' }).getByRole('link'));
  await expect(page).toHaveURL(/sort=label/);
  const tool = page.locator('summary', { hasText: 'Views…' });
  await hand.press(tool);
  await hand.write(page.getByLabel('Save this view as'), 'By label');
  await hand.press(page.getByRole('button', { name: 'Save view' }));
  const view = page.getByRole('navigation', { name: 'Saved views' }).getByRole('link', { name: 'By label' });
  await expect(view).toHaveAttribute('aria-current', 'true');
  await page.goto('/lines');
  await ready(page);
  await hand.press(view);
  await expect(page).toHaveURL(/sort=label/);
  await expect(view).toHaveAttribute('aria-current', 'true');
  await hand.press(tool);
  await hand.press(page.getByRole('button', { name: 'Delete this view' }));
  await expect(view).toHaveCount(0);
  await hand.isSomewhere();

  await page.goto(`${path}/users`);
  await ready(page);
  await hand.tick(page.getByLabel('Choose Person 000'));
  await hand.tick(page.getByLabel('Choose Person 001'));
  await expect(page.getByText('2 chosen')).toBeVisible();
  await hand.press(page.getByRole('button', { name: 'Close…' }));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Close people');
  await ready(page);
  await hand.write(page.getByLabel('Type how many are changed, to confirm'), '2');
  await hand.press(page.getByRole('button', { name: 'Close 2 people' }));
  await expect(page.getByText('They are closed.')).toBeVisible();
  await expect(page.getByRole('group', { name: 'Undo' })).toContainText('2 people closed.');
  await hand.isSomewhere();
  await page.keyboard.press('z');
  await expect(page.getByText('Taken back.')).toBeVisible();
  await page.goto(`${path}/users`);
  await expect(page.getByRole('link', { name: 'Person 000' })).toBeVisible();
  await expect(page.locator('tbody').getByText('Closed', { exact: true })).toHaveCount(0);
});

test('lines are sorted by number and by label, and the order stays while one narrows the list', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines');
  await ready(page);
  const labels = async () => (await page.locator('td[data-label="Label"]').allInnerTexts()).map((label) => label.trim().toLowerCase());
  await expect(page.getByRole('columnheader', { name: 'Number' })).toHaveAttribute('aria-sort', 'ascending');
  await page.getByRole('columnheader', { name: 'Label' }).getByRole('link').click();
  await expect(page.getByRole('columnheader', { name: 'Label' })).toHaveAttribute('aria-sort', 'ascending');
  const are = async (sorted: (labels: string[]) => string[]) => expect(async () => {
    const found = await labels();
    expect(found).toEqual(sorted(found));
  }).toPass();
  await are((labels) => [...labels].sort());
  await page.getByRole('columnheader', { name: 'Label' }).getByRole('link').click();
  await expect(page.getByRole('columnheader', { name: 'Label' })).toHaveAttribute('aria-sort', 'descending');
  await page.getByLabel('Integration type').selectOption('ringcentral');
  await expect(page).toHaveURL(/sort=label_down/);
  await are((labels) => [...labels].sort().reverse());
});

test('who wants other lines, or none, is back in the list as they left it', async ({ browser }) => {
  const page = await as(browser, 'support');
  const list = '?type=inbox&sort=label_down';
  await page.goto(`/lines${list}`);
  await ready(page);
  await page.locator('input[data-pick]').first().check();
  await page.getByLabel('Set to').selectOption('none');
  await page.getByRole('button', { name: 'Set type…' }).click();
  await ready(page);
  await expect(page.getByText('They become')).toBeVisible();
  await page.getByRole('link', { name: 'Choose others' }).click();
  await expect(page).toHaveURL(`/lines${list}`);
  // On the page where lines are chosen, too, and without scripts.
  await page.getByRole('link', { name: 'Set types' }).click();
  await expect(page).toHaveURL(`/lines/types${list}`);
  const plain = await as(browser, 'support', { javaScriptEnabled: false });
  await plain.goto(`/lines/types${list}`);
  await plain.getByRole('table').getByRole('checkbox').first().check();
  await plain.getByLabel('Set to').selectOption('none');
  await plain.getByRole('button', { name: 'Look at what it would do' }).click();
  await plain.getByRole('link', { name: 'Choose others' }).click();
  await expect(plain).toHaveURL(`/lines/types${list}`);
  await plain.getByRole('link', { name: 'Cancel' }).click();
  await expect(plain).toHaveURL(`/lines${list}`);
});

for (const javaScriptEnabled of [true, false]) {
  const from = javaScriptEnabled ? '+16465550141' : '+16465550142';
  const shown = from.replace(/(\+1)(...)(...)(....)/, '$1 $2 $3 $4');
  test(`a line’s conversations are narrowed, sorted and found, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`, async ({ browser }) => {
    const page = await as(browser, 'support', { javaScriptEnabled });
    await page.goto('/lines?q=Store+14');
    const line = page.locator('[data-row-link]').first();
    const [to, path] = [(await line.innerText()).replaceAll(' ', ''), await line.getAttribute('href')];
    await fromHandset({ from, to, text: 'Do you deliver?' });
    await page.goto(`${path}/conversations`);
    if (javaScriptEnabled) await ready(page);
    const table = page.getByRole('table', { name: 'Conversations of the line' });
    const last = page.getByRole('columnheader', { name: 'Last message' });
    await expect(last).toHaveAttribute('aria-sort', 'descending');
    await expect(page.getByRole('link', { name: shown })).toBeVisible();
    if (javaScriptEnabled) await accessible(page);
    await last.getByRole('link').click();
    await expect(page).toHaveURL(/\/conversations\?sort=oldest$/);
    await expect(last).toHaveAttribute('aria-sort', 'ascending');
    // A state keeps the order, and is sorted by its changes.
    await page.getByLabel('State', { exact: true }).selectOption({ label: 'Held' });
    if (!javaScriptEnabled) await page.getByRole('button', { name: 'Apply' }).click();
    await expect(page).toHaveURL(/state=held&sort=oldest$/);
    await expect(page.getByRole('columnheader', { name: 'Changed' }).or(page.getByText('No conversation fits'))).toBeVisible();
    await expect(page.getByRole('link', { name: shown })).toHaveCount(0);
    // What is searched for stands in no address, and the file is narrowed as the page is.
    const sought = page.getByLabel('How the contact’s name begins, or part of their number');
    await sought.fill('%%%');
    await page.getByRole('button', { name: 'Find', exact: true }).click();
    await expect(page.getByText('Write at least three digits').first()).toBeVisible();
    await sought.fill(shown.slice(-8));
    await page.getByRole('button', { name: 'Find', exact: true }).click();
    await expect(page).toHaveURL(/\/conversations\?found=[0-9a-f-]{36}$/);
    await expect(page.getByText('Only what was found.')).toBeVisible();
    await expect(table.locator('[data-row-link]')).toHaveCount(1);
    await expect(page.getByRole('link', { name: shown })).toBeVisible();
    if (javaScriptEnabled) await accessible(page);
    const file = await (await page.request.get((await page.getByRole('link', { name: 'CSV' }).getAttribute('href'))!)).text();
    expect(file.trim().split('\r\n')).toHaveLength(2);
    await page.getByRole('link', { name: 'Show all' }).click();
    await expect(page).toHaveURL(/\/conversations$/);
  });
}
