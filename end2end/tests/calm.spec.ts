// The calm of the frame: which installation it is, drafts, and back to the row one came from.
import { accessible, as, expect, fromHandset, LOOKS, newAccount, product, ready, test } from '../product';
import type { Locator, Page } from '@playwright/test';

/** The link of a line of the demo. */
async function lineNamed(page: Page, label: string): Promise<string> {
  await page.goto(`/lines?q=${encodeURIComponent(label)}`);
  return (await page.locator('[data-row-link]').first().getAttribute('href'))!;
}

/** The conversation of this contact with a line of the demo; who texts whom. */
async function conversation(page: Page, label: string, from: string, text: string): Promise<{ from: string; to: string }> {
  const line = await lineNamed(page, label);
  const contact = { from, to: (await page.locator('[data-row-link]').first().innerText()).replaceAll(' ', '') };
  await fromHandset({ ...contact, text });
  await page.goto(`${line}/conversations`);
  await page.getByRole('link', { name: `+1 ${from.slice(2, 5)} ${from.slice(5, 8)} ${from.slice(8)}` }).click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
  await ready(page);
  return contact;
}

/** Sends a reply whose answer is lost, and comes back to the page. */
async function loseAnswer(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.route('**/fn/conversations/reply*', async (route) => {
    await route.fetch();
    await route.abort();
  });
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: /\S/ })).toBeVisible();
  await page.unroute('**/fn/conversations/reply*');
  await page.reload();
  await expect(page.getByText('Draft restored.')).toBeVisible();
}

const drafts = (page: Page) => page.evaluate(() => Object.entries(sessionStorage).filter(([key]) => key.startsWith('switchyard.draft:')));

test('nobody can overlook which installation it is, before signing in too', async ({ browser }) => {
  const stranger = await (await browser.newContext({ baseURL: product().url })).newPage();
  await stranger.goto('/sign-in');
  await expect(stranger.getByText('Demo: not production')).toBeVisible();
  await expect(stranger).toHaveTitle(/^\[Demo\] /);
  for (const width of [390, 1440]) {
    const page = await as(browser, 'support', { viewport: { width, height: 700 } });
    await page.goto('/lines');
    await ready(page);
    await page.mouse.wheel(0, 2_000);
    await expect(page.getByText('Demo: not production')).toBeInViewport();
    await accessible(page);
    await page.goto('/accounts');
    await expect(page).toHaveTitle('[Demo] Accounts · Switchyard');
  }
});

test('what is typed survives a reload, is discarded on request, and goes with success', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/accounts/new');
  await ready(page);
  const name = page.getByLabel('Name');
  await name.fill('Draft & Sons');
  await page.reload();
  await expect(page.getByText('Draft restored.')).toBeVisible();
  await expect(name).toHaveValue('Draft & Sons');
  await accessible(page);
  await page.getByRole('button', { name: 'Discard' }).click();
  await expect(name).toHaveValue('');
  expect(await drafts(page)).toEqual([]);
  await page.reload();
  await ready(page);
  await expect(name).toHaveValue('');
  await name.fill(`Drafted ${Date.now()}`);
  await page.goto('/lines');
  await page.goto('/accounts/new');
  await expect(page.getByText('Draft restored.')).toBeVisible();
  await page.getByRole('button', { name: 'Add account' }).click();
  await expect(page.getByText('The account was added.')).toBeVisible();
  expect(await drafts(page)).toEqual([]);
});

test('a reply that is half written survives a reload, and its draft goes with it', async ({ browser }) => {
  const page = await as(browser, 'support');
  await conversation(page, 'Store 14', '+16465550163', 'Do you deliver?');
  const reply = page.getByLabel('Message', { exact: true });
  await reply.fill('Yes, from ten');
  // A draft of another page, whose day is over.
  const old = 'switchyard.draft:/accounts/new';
  await page.evaluate((key) => {
    const at = Date.now() - 25 * 60 * 60 * 1_000;
    sessionStorage.setItem(key, JSON.stringify({ who: '', at, seen: '', fields: { 'name 0': 'Old' } }));
  }, old);
  await page.reload();
  await expect(page.getByText('Draft restored.')).toBeVisible();
  await expect(reply).toHaveValue('Yes, from ten');
  expect((await drafts(page)).map(([key]) => key)).not.toContain(old);
  await accessible(page);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(page.locator('[data-conversation] .message').filter({ hasText: 'Yes, from ten' })).toHaveCount(1);
  await expect(reply).toHaveValue('');
  expect(await drafts(page)).toEqual([]);
  await page.reload();
  await ready(page);
  await expect(reply).toHaveValue('');
});

test('a reply whose answer was lost, and that is sent again after a reload, is sent once', async ({ browser }) => {
  const page = await as(browser, 'support');
  await conversation(page, 'Store 14', '+16465550164', 'Are you open?');
  const reply = page.getByLabel('Message', { exact: true });
  await loseAnswer(page, 'Until nine');
  const sent = page.locator('[data-conversation] .message').filter({ hasText: 'Until nine' });
  await expect(sent).toHaveCount(1);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(reply).toHaveValue('');
  await page.reload();
  await ready(page);
  await expect(sent).toHaveCount(1);
});

test('a reply whose answer was lost is discarded after a reload, and another one is sent', async ({ browser }) => {
  const page = await as(browser, 'support');
  await conversation(page, 'Store 14', '+16465550165', 'Are you open today?');
  const reply = page.getByLabel('Message', { exact: true });
  const sent = (text: string) => page.locator('[data-conversation] .message').filter({ hasText: text });
  await loseAnswer(page, 'Until eight');
  await expect(sent('Until eight')).toHaveCount(1);
  await page.getByRole('button', { name: 'Discard' }).click();
  await expect(reply).toHaveValue('');
  await expect(reply).toBeFocused();
  await reply.fill('On Sunday until four');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(sent('On Sunday until four')).toHaveCount(1);
  await expect(reply).toHaveValue('');
  await page.reload();
  await ready(page);
  for (const text of ['Until eight', 'On Sunday until four']) await expect(sent(text)).toHaveCount(1);
  expect(await drafts(page)).toEqual([]);
});

test('what was typed for one account is not in the form of another', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/accounts?q=Lakeside');
  await ready(page);
  await page.getByRole('link', { name: 'Lakeside Dental' }).click();
  const name = page.getByLabel('Name', { exact: true });
  await expect(name).toHaveValue('Lakeside Dental');
  await name.fill('Lakeside and more');
  await page.keyboard.press('ControlOrMeta+k');
  await page.getByRole('combobox', { name: 'Search everywhere' }).fill('Northwind');
  await page.locator('[role=option][href^="/accounts/"]').filter({ hasText: 'Northwind Outfitters' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Northwind Outfitters');
  await expect(name).toHaveValue('Northwind Outfitters');
  // It is still there for the one that it was typed for.
  await page.goBack();
  await expect(name).toHaveValue('Lakeside and more');
  await page.getByRole('button', { name: 'Discard' }).click();
  await expect(name).toHaveValue('Lakeside Dental');
});

test('a draft of what somebody else has changed meanwhile is offered, and not put over it', async ({ browser }) => {
  const [first, second] = [await as(browser, 'support'), await as(browser, 'administrator')];
  const line = await lineNamed(first, 'Club');
  const label = (page: Page) => page.locator('#label');
  const save = (page: Page) => page.locator('form', { has: page.locator('#label') }).getByRole('button', { name: 'Save' }).click();
  const edit = async (page: Page, text: string) => {
    await page.goto(line);
    await ready(page);
    // The page reads itself anew when its stream begins: on a slow machine a press may come to where something else is by then.
    await expect(async () => {
      if (!(await label(page).isVisible())) await page.getByText('Edit the label…').click();
      await label(page).fill(text, { timeout: 2_000 });
    }).toPass();
  };
  await edit(first, 'Club, mine');
  await edit(second, 'Club, theirs');
  await save(second);
  await expect(second.getByText('The line’s label was changed.')).toBeVisible();
  await expect(second.getByText('The line was changed meanwhile.'), 'of one’s own change one is not told').toHaveCount(0);
  await first.reload();
  await expect(first.getByText('You left a draft here, and this was changed since.')).toBeVisible();
  await expect(label(first)).toHaveValue('Club, theirs');
  await first.getByRole('button', { name: 'Use it' }).click();
  await expect(label(first)).toHaveValue('Club, mine');
  await label(first).fill('Club');
  await save(first);
  await expect(first.getByText('The line’s label was changed.')).toBeVisible();
  expect(await drafts(first)).toEqual([]);
});

test('secrets are no drafts, and nothing of one person is left to the next', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/connections/new');
  await ready(page);
  for (const label of ['Client secret', 'JWT credential']) await page.getByLabel(label).fill('a-secret-of-an-account');
  expect(JSON.stringify(await drafts(page))).not.toContain('a-secret-of-an-account');
  await page.goto('/accounts/new');
  await ready(page);
  await page.getByLabel('Name').fill('Not for others');
  expect(await drafts(page)).toHaveLength(1);
  // The same tab, as it would be after another person has signed in.
  const [cookie] = (await (await as(browser, 'support')).context().cookies()).filter(({ name }) => name.endsWith('switchyard'));
  await page.context().addCookies([cookie]);
  await page.reload();
  await ready(page);
  await expect(page.getByText('Draft restored.')).toHaveCount(0);
  expect(JSON.stringify(await drafts(page))).not.toContain('Not for others');
});

test('back leads to the row one came from, where it stood, with the focus', async ({ browser }) => {
  const page = await as(browser, 'support', { viewport: { width: 1280, height: 420 } });
  await page.goto('/lines');
  await ready(page);
  const row = page.locator('[data-row-link]').nth(9);
  const href = await row.getAttribute('href');
  await row.scrollIntoViewIfNeeded();
  const y = await page.evaluate(() => scrollY);
  expect(y).toBeGreaterThan(0);
  await row.click();
  await expect(page).toHaveURL(new RegExp(`${href}$`));
  await page.goBack();
  await expect(page.locator(`[data-row-link][href="${href}"]`)).toBeFocused();
  await expect.poll(() => page.evaluate(() => scrollY)).toBe(y);
  // Also where the page is loaded anew on the way back.
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(new RegExp(`${href}$`));
  await page.reload();
  await page.goBack();
  await expect(page.locator(`[data-row-link][href="${href}"]`)).toBeFocused();
});

test('back from one of several contacts who were found leads to their row, and to what was found without JavaScript', async ({ browser }) => {
  const page = await as(browser, 'support');
  const path = await newAccount(page, 'Orchard Optics');
  for (const [number, name] of [['+17125550181', 'Robin Vale'], ['+17125550182', 'Robin Vale'], ['+17125550183', 'Ada North']]) {
    const form = { account: path.split('/').pop()!, number, name };
    const headers = { origin: product().url, 'sec-fetch-site': 'same-origin', accept: 'application/json' };
    const answer = await page.request.post('/fn/contacts/add', { form, headers });
    expect(answer.ok(), await answer.text()).toBe(true);
  }
  /** Finds both, opens the second and goes back; the second's address. */
  const there = async (on: Page): Promise<string> => {
    const rows = on.locator('main [data-row-link]');
    await on.goto(`${path}/contacts`);
    await expect(rows).toHaveCount(3);
    if (on === page) await ready(on);
    await on.getByLabel('How the name begins, or the whole number').fill('robin');
    await on.getByRole('button', { name: 'Find', exact: true }).click();
    await expect(on).toHaveURL(/\/contacts\?found=[0-9a-f-]+$/);
    await expect(on.getByText('Only who was found.')).toBeVisible();
    await expect(rows).toHaveCount(2);
    const href = (await rows.nth(1).getAttribute('href'))!;
    await rows.nth(1).click();
    await expect(on).toHaveURL(new RegExp(`${href}$`));
    await on.goBack();
    await expect(on).toHaveURL(/\/contacts\?found=[0-9a-f-]+$/);
    await expect(rows).toHaveCount(2);
    await expect(rows.nth(1)).toHaveAttribute('href', href);
    return href;
  };
  const href = await there(page);
  await expect(page.locator(`[data-row-link][href="${href}"]`)).toBeFocused();
  await accessible(page);
  expect(await there(await as(browser, 'support', { javaScriptEnabled: false }))).toBe(href);
});

test('a list that takes its time has rows in its place, and nothing jumps when its own come', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.route('**/fn/lines/list', async (route) => {
    const response = await route.fetch();
    // Longer than what moves counts as the answer to a press.
    await new Promise((over) => setTimeout(over, 1_500));
    await route.fulfill({ response });
  });
  await page.goto('/');
  await ready(page);
  const from = await page.evaluate(() => performance.now());
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Lines', exact: true }).click();
  await expect(page.locator('main [aria-busy=true] .skeleton-row').first()).toBeVisible();
  await expect(page.locator('main [data-row-link]')).toHaveCount(0);
  await expect(page.locator('main [data-row-link]').first()).toBeVisible();
  await expect(page.locator('main .skeleton-row')).toHaveCount(0);
  expect(await page.evaluate(() => PerformanceObserver.supportedEntryTypes)).toContain('layout-shift');
  const moved = await page.evaluate(
    (from) =>
      new Promise<number>((told) => {
        let sum = 0;
        const add = (entries: PerformanceEntryList) => {
          for (const shift of entries as (PerformanceEntry & { value: number; hadRecentInput: boolean })[]) {
            if (!shift.hadRecentInput && shift.startTime >= from) sum += shift.value;
          }
        };
        const observer = new PerformanceObserver((list) => add(list.getEntries()));
        observer.observe({ type: 'layout-shift', buffered: true });
        // What was before is told of in its own time, and the last frame is painted by then.
        setTimeout(() => {
          add(observer.takeRecords());
          told(sum);
        }, 300);
      }),
    from,
  );
  expect(moved).toBeLessThan(0.1);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

test('a live change moves no row that the pointer is on, says that it waits, and comes when asked', async ({ browser }) => {
  const page = await as(browser, 'administrator');
  await page.goto('/sync');
  await ready(page);
  const row = page.locator('[data-row-link]').first();
  await row.hover();
  const before = await page.locator('main tbody').innerText();
  const other = await page.context().newPage();
  await other.goto('/simulator');
  await ready(other);
  await other.getByRole('button', { name: /Send a blast/ }).click();
  await expect(page.locator('.waiting')).toContainText(/changes? waits?/);
  expect(await page.locator('main tbody').innerText()).toBe(before);
  await accessible(page);
  await page.locator('.waiting').getByRole('button', { name: 'Show' }).click();
  await expect(page.locator('main tbody')).not.toHaveText(before);
  await page.mouse.move(5, 5);
  await expect(page.locator('.waiting')).toBeEmpty();
});

test('a text that comes in does not move the button that sends the reply', async ({ browser }) => {
  const page = await as(browser, 'support', { viewport: { width: 1280, height: 900 } });
  const contact = await conversation(page, 'Store 14', '+16465550162', 'Do you deliver?');
  await fromHandset({ ...contact, text: 'On Sunday, too?' });
  await expect(page.getByText('On Sunday, too?')).toBeVisible();
  const send = page.getByRole('button', { name: 'Send', exact: true });
  await send.hover();
  const before = await send.boundingBox();
  // As long as the list of few messages was high.
  await fromHandset({ ...contact, text: Array.from({ length: 16 }, (_, n) => `Thing no. ${n + 1}`).join('\n') });
  await expect(page.getByText('Thing no. 16')).toBeVisible();
  expect(await send.boundingBox()).toEqual(before);
});

test('what needs somebody moves nothing on Home that the pointer is on', async ({ browser }) => {
  const page = await as(browser, 'administrator', { viewport: { width: 1280, height: 900 } });
  await page.goto('/');
  await ready(page);
  const month = page.getByRole('link', { name: 'Month' });
  await month.hover();
  const before = await month.boundingBox();
  await fromHandset({ from: '+12025550177', to: '+14155550187', text: 'Does anybody read this?' });
  await expect(page.locator('.waiting')).toContainText(/changes? waits?/);
  // Whatever was asked for has been answered by then.
  await page.waitForTimeout(1_500);
  expect(await month.boundingBox()).toEqual(before);
  await page.mouse.move(5, 5);
  await expect(page.locator('.waiting')).toBeEmpty();
  await expect(page.locator('[data-need="Messages to unknown lines"]')).toBeVisible();
});

test('what waits is said clear of the bar with what can be done to chosen rows', async ({ browser }) => {
  for (const width of [390, 1440]) {
    const page = await as(browser, 'administrator', { viewport: { width, height: 600 } });
    await page.goto('/sync');
    await ready(page);
    // The row that is ticked holds the page.
    await page.locator('input[data-pick]').first().check();
    const other = await page.context().newPage();
    await other.goto('/simulator');
    await ready(other);
    await other.getByRole('button', { name: /Send a blast/ }).click();
    await expect(page.locator('.waiting')).toContainText(/changes? waits?/);
    const [bar, waits] = [await page.locator('.pick-bar').boundingBox(), await page.locator('.waiting').boundingBox()];
    expect(waits!.y + waits!.height).toBeLessThanOrEqual(bar!.y);
    await page.locator('input[data-pick]').first().uncheck();
    await expect(page.locator('html')).not.toHaveAttribute('data-picked');
    await page.context().close();
  }
});

test('slow answers are shown while changes go on, one reading at a time, and out of sight nothing is asked for', async ({ browser }) => {
  const page = await as(browser, 'support');
  const line = await lineNamed(page, 'Store 14');
  const contact = { from: '+16465550178', to: (await page.locator('[data-row-link]').first().innerText()).replaceAll(' ', '') };
  await fromHandset({ ...contact, text: 'Hello?' });
  await page.goto(`${line}/conversations`);
  await page.getByRole('link', { name: '+1 646 555 0178' }).click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
  await ready(page);
  // Nothing that may be pressed is under the pointer.
  await page.mouse.move(5, 5);
  let [reads, underWay, most] = [0, 0, 0];
  await page.route('**/fn/conversations/get', async (route) => {
    reads += 1;
    underWay += 1;
    most = Math.max(most, underWay);
    const response = await route.fetch();
    await new Promise((over) => setTimeout(over, 1_500));
    underWay -= 1;
    await route.fulfill({ response });
  });
  // Somebody writes again and again, until one of it is seen.
  const written = page.locator('[data-conversation] .message').filter({ hasText: 'Are you there?' });
  await expect(async () => {
    await fromHandset({ ...contact, text: 'Are you there?' });
    await expect(written.first()).toBeVisible({ timeout: 250 });
  }).toPass({ intervals: [200], timeout: 20_000 });
  expect(most).toBe(1);

  const show = (isShown: boolean) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
    }, !isShown);
  await show(false);
  await expect.poll(() => underWay).toBe(0);
  const before = reads;
  await fromHandset({ ...contact, text: 'Seen later' });
  await page.waitForTimeout(1_500);
  expect(reads).toBe(before);
  await show(true);
  await expect(page.getByText('Seen later')).toBeVisible();
  expect(most).toBe(1);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
});

test('that a line was changed meanwhile is said over its page and moves nothing of it', async ({ browser }) => {
  const [first, second] = [await as(browser, 'support'), await as(browser, 'administrator')];
  const line = await lineNamed(first, 'Returns');
  for (const page of [first, second]) {
    await page.goto(line);
    await ready(page);
  }
  // The page reads itself anew when its stream begins: on a slow machine a press may come to where something else is by then.
  const edit = (page: Page, text: string) => expect(async () => {
    if (!(await page.locator('#label').isVisible())) await page.getByText('Edit the label…').click();
    await page.locator('#label').fill(text, { timeout: 2_000 });
  }).toPass();
  await edit(first, 'Returns, mine');
  const save = (page: Page) => page.locator('form', { has: page.locator('#label') }).getByRole('button', { name: 'Save' });
  const before = await save(first).boundingBox();
  await edit(second, 'Returns, theirs');
  await save(second).click();
  await expect(second.getByText('The line’s label was changed.')).toBeVisible();
  await expect(first.locator('.notes').getByText('The line was changed meanwhile.')).toBeVisible();
  expect(await save(first).boundingBox()).toEqual(before);
  await accessible(first);
  await first.getByRole('button', { name: 'Show the change' }).click();
  await expect(first.getByText('The line was changed meanwhile.')).toHaveCount(0);
  await expect(first.getByRole('main')).toContainText('Returns, theirs');
  await first.reload();
  await ready(first);
  await edit(first, 'Returns');
  await save(first).click();
  await expect(first.getByText('The line’s label was changed.')).toBeVisible();
});

test('times are in the reader’s zone, and a copied one is exact', async ({ browser }) => {
  const page = await as(browser, 'support', { timezoneId: 'America/New_York', permissions: ['clipboard-read', 'clipboard-write'] });
  await page.goto(await lineNamed(page, 'Billing'));
  await ready(page);
  const time = page.locator('main time').first();
  await expect(time).toHaveText(/^\d{4}-\d\d-\d\d \d\d:\d\d E[SD]T$/);
  const exact = (await time.getAttribute('datetime'))!;
  await expect(time).toHaveAttribute('title', new RegExp(`America/New_York \\(${exact}\\)$`));
  await time.selectText();
  await page.keyboard.press('ControlOrMeta+c');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(exact);
  const line = page.url();
  // Charts, too: below the plot, in the hint of a step, and in the table.
  await page.goto('/');
  await ready(page);
  const chart = page.getByRole('figure').filter({ hasText: 'Messages' }).first();
  const clock = chart.locator('.chart-moments time').first();
  await expect(clock).toHaveText(/^\d\d:\d\d$/);
  const from = (await clock.getAttribute('datetime'))!;
  const there = new Intl.DateTimeFormat('en-US', { timeZone: 'America/New_York', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  await expect(clock).toHaveText(there.format(new Date(from)));
  await expect(chart.locator('.chart-hit title').first()).toHaveText(/^\d{4}-\d\d-\d\d \d\d:\d\d E[SD]T: /);
  await chart.getByText('The numbers').click();
  await expect(chart.getByRole('cell').first()).toHaveText(/^\d{4}-\d\d-\d\d \d\d:\d\d E[SD]T$|Nothing in this time/);
  await page.goto('/you');
  await ready(page);
  await page.getByLabel('Time zone').selectOption('UTC');
  await accessible(page);
  await page.goto(line);
  await expect(time).toHaveText(`${exact.slice(0, 10)} ${exact.slice(11, 16)} UTC`);
});

test('a run that is searched for says when it was asked for in the reader’s zone, in the palette and on the page', async ({ browser }) => {
  const page = await as(browser, 'administrator', { timezoneId: 'America/New_York' });
  await page.goto(await lineNamed(page, 'News'));
  await page.getByRole('link', { name: 'Transfer this line…' }).click();
  await ready(page);
  await page.getByLabel('To account').selectOption({ label: 'Lakeside Dental' });
  await page.getByRole('button', { name: 'See what it would do' }).click();
  await expect(page).toHaveURL(/\/utilities\/runs\//);
  const run = new URL(page.url()).pathname;
  const moment = /· \d{4}-\d\d-\d\d \d\d:\d\d E[SD]T$/;
  await page.keyboard.press('ControlOrMeta+k');
  await page.getByRole('combobox', { name: 'Search everywhere' }).fill('Lakeside');
  await expect(page.locator(`[role=option][href="${run}"]`)).toHaveText(moment);
  await page.goto('/search');
  await ready(page);
  await page.getByRole('searchbox', { name: 'Search everywhere' }).fill('Lakeside');
  await page.getByRole('button', { name: 'Search' }).click();
  await expect(page.getByRole('main').getByRole('listitem').filter({ has: page.locator(`[href="${run}"]`) })).toHaveText(moment);
});

test('a copied phone number is one as machines take it, and a masked one stays masked', async ({ browser }) => {
  const copied = async (page: Page, what: Locator) => {
    await what.selectText();
    await page.keyboard.press('ControlOrMeta+c');
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const permissions = ['clipboard-read', 'clipboard-write'];
  const page = await as(browser, 'support', { permissions });
  await page.goto(await lineNamed(page, 'Billing'));
  await ready(page);
  expect(await copied(page, page.getByRole('heading', { level: 1 }))).toMatch(/^\+1\d{10}$/);
  await fromHandset({ from: '+16465550171', to: '+16465550177', text: 'Is this a line?' });
  const list = '/sync/unknown?q=%2B16465550177';
  await page.goto(list);
  await ready(page);
  expect(await copied(page, page.getByText('+1 646 555 0177', { exact: true }))).toBe('+16465550177');
  expect(await copied(page, page.getByText('+1 646 555 0171', { exact: true }))).toBe('+16465550171');
  const viewers = await as(browser, 'viewer', { permissions });
  await viewers.goto(list);
  await ready(viewers);
  expect(await copied(viewers, viewers.getByText('•••• 0171', { exact: true }))).toBe('•••• 0171');
});

test('who wants less motion has none, and another colour scheme is there at once', async ({ browser }) => {
  const page = await as(browser, 'viewer', { reducedMotion: 'reduce', colorScheme: 'light' });
  await page.goto('/ui');
  await ready(page);
  await page.getByRole('button', { name: 'Show a toast' }).first().click();
  await expect(page.locator('.notes').getByText('The line was changed.')).toBeVisible();
  await page.getByRole('button', { name: 'Open the dialog' }).first().click();
  await expect(page.getByRole('dialog', { name: 'A dialog' }).first()).toBeVisible();
  const moving = await page.evaluate(() => {
    const parts = [undefined, '::before', '::after'];
    const takesTime = (of: Element, part?: string) => getComputedStyle(of, part).transitionDuration.split(',').some((time) => parseFloat(time) > 0);
    const slow = [...document.querySelectorAll('*')].flatMap((of) =>
      parts.filter((part) => takesTime(of, part)).map((part) => `${of.localName} ${of.getAttribute('class')} ${part ?? ''}`),
    );
    const long = document.getAnimations().filter(({ effect }) => Number(effect?.getComputedTiming().activeDuration) > 1);
    return [...slow, ...long.map(({ effect }) => (effect as KeyframeEffect).target?.outerHTML.slice(0, 200))];
  });
  expect(moving).toEqual([]);
  const colours = () =>
    page.evaluate(() => {
      const link = [...document.querySelectorAll('.nav-link')].find((link) => link.getClientRects().length > 0)!;
      return [document.body, link].map((of) => getComputedStyle(of).color);
    });
  const light = await colours();
  await page.emulateMedia({ colorScheme: 'dark' });
  const atOnce = await colours();
  expect(atOnce).not.toEqual(light);
  await page.reload();
  await ready(page);
  expect(atOnce).toEqual(await colours());
});

for (const { colorScheme, width } of LOOKS) {
  test(`every component in every state is without accessibility violations, ${width} wide, ${colorScheme}`, async ({ browser }) => {
    const page = await as(browser, 'viewer', { colorScheme, viewport: { width, height: 900 } });
    await page.goto('/ui');
    await ready(page);
    await expect(page).toHaveTitle('[Demo] Components · Switchyard');
    await accessible(page);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });
}
