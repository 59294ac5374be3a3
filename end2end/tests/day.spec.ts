// The main jobs of a support day, each by mouse and by keyboard alone, with its count of clicks and keys. A job that takes more than
// is written here has become harder. Text that is typed is not counted.
import { as, expect, fromHandset, ready, test } from '../product';
import { Hand, type Way } from '../hand';
import type { Browser, Page } from '@playwright/test';

/** The jobs, and the most that each may take: clicks by mouse, keys by keyboard alone, with some room for the rows that other tests leave. */
const JOBS = {
  'an account is added': [4, 8],
  'a blast-only line is added to it': [9, 13],
  'a line is found by its last digits': [2, 2],
  'a line is set to another type': [2, 15],
  'a person is added and given access': [8, 45],
  'a responder is added': [6, 18],
  'it is removed again': [2, 20],
  'a contact who called is opted out': [7, 50],
  'a reply is written and its post is skipped': [6, 50],
  'a stalled conversation is retried': [4, 34],
  'a number that nobody knew becomes a line': [8, 55],
  'a line is transferred': [8, 45],
} as const;
type Job = keyof typeof JOBS;

/** The number so many behind the line's. */
const after = (digits: string, n: number) => String(Number(digits) + n).padStart(4, '0');

interface Day {
  hand: Hand;
  page: Page;
  account: string;
  /** The line's last four digits. */
  digits: string;
  /** The number of a line that is set to RingCentral. */
  desk: string;
}

const h1 = (page: Page) => page.getByRole('heading', { level: 1 });

const STORY: Record<Job, (day: Day) => Promise<void>> = {
  'an account is added': async ({ hand, page, account }) => {
    await hand.find('add account', 'Add account');
    await hand.write(page.getByLabel('Name'), account);
    await hand.press(page.getByRole('button', { name: 'Add account' }));
    await expect(page.getByText('The account was added.')).toBeVisible();
  },
  'a blast-only line is added to it': async ({ hand, page, account, digits }) => {
    await hand.find('add line', 'Add line');
    await hand.write(page.getByLabel('Number'), `+1 713 555 ${digits}`);
    await hand.write(page.getByLabel('Label'), 'Offers');
    await hand.choose(page.getByLabel('Account'), account);
    await hand.choose(page.getByLabel('Integration type'), 'None');
    await hand.press(page.getByRole('button', { name: 'Add line' }));
    await expect(page.getByText('The line was added.')).toBeVisible();
  },
  'a line is found by its last digits': async ({ hand, page, digits }) => {
    await hand.find(digits, new RegExp(`555 ${digits}`));
    await expect(h1(page)).toHaveText(`+1 713 555 ${digits}`);
  },
  'a line is set to another type': async ({ hand, page }) => {
    await hand.press(page.getByRole('link', { name: /^Change to Inbox/ }));
    await hand.press(page.getByRole('button', { name: 'Set to Inbox' }));
    await expect(h1(page).locator('..').getByText('Inbox', { exact: true })).toBeVisible();
  },
  'a person is added and given access': async ({ hand, page, account, digits }) => {
    await hand.find(account, account);
    await hand.press(page.getByRole('link', { name: 'People' }).first());
    await hand.press(page.getByText('Add a person…'));
    await hand.write(page.getByLabel('Name', { exact: true }), 'Grace Murray');
    await hand.write(page.getByRole('textbox', { name: 'E-mail' }), `grace.${digits}@example.com`);
    await hand.press(page.getByRole('button', { name: 'Add person' }));
    await hand.press(page.getByRole('button', { name: 'Give access to Offers' }));
    await expect(page.getByText('Has access', { exact: true })).toBeVisible();
  },
  'a responder is added': async ({ hand, page, digits }) => {
    await hand.find(digits, new RegExp(`555 ${digits}`));
    await hand.press(page.getByText('Add a responder…'));
    await hand.write(page.getByLabel('Word', { exact: true }), 'HOURS');
    await hand.write(page.getByLabel('Reply', { exact: true }), 'We are open from 9 to 5.');
    await hand.press(page.getByRole('button', { name: 'Add responder' }));
    await expect(page.getByText('We are open from 9 to 5.').first()).toBeVisible();
  },
  'it is removed again': async ({ hand, page }) => {
    await hand.press(page.locator('summary').filter({ hasText: /Remove… the responder HOURS/i }));
    await hand.press(page.getByRole('button', { name: 'Remove the responder' }));
    await expect(page.getByText('No responders.')).toBeVisible();
  },
  'a contact who called is opted out': async ({ hand, page, digits }) => {
    await fromHandset({ from: `+1713555${after(digits, 1)}`, to: `+1713555${digits}`, text: 'Please call me' });
    await hand.find(`713555${after(digits, 1)}`, new RegExp(`555 ${after(digits, 1)}`));
    await hand.press(page.getByRole('link', { name: 'Not opted out' }));
    await hand.choose(page.getByLabel('Consent'), 'Opted out');
    await hand.write(page.getByLabel('Why, and where'), 'They called');
    await hand.press(page.getByRole('button', { name: 'Set consent' }));
    await expect(page.getByRole('cell', { name: 'They called' })).toBeVisible();
  },
  'a reply is written and its post is skipped': async ({ hand, page, digits, desk }) => {
    await fromHandset({ from: `+1713555${after(digits, 3)}`, to: desk, text: 'Is there time on Monday?' });
    await hand.find(`713555${after(digits, 3)}`, new RegExp(`555 ${after(digits, 3)}`));
    await hand.write(page.getByLabel('Message', { exact: true }), 'At ten');
    await hand.press(page.getByRole('button', { name: 'Send', exact: true }));
    const message = page.locator('[data-conversation] .message').filter({ hasText: 'At ten' });
    await expect(message).toContainText('Held');
    await hand.press(message.locator('summary').filter({ hasText: 'Skip' }));
    await hand.press(message.getByRole('button', { name: 'Skip the message' }));
    await expect(message).toContainText('Skipped');
  },
  'a stalled conversation is retried': async ({ hand, page }) => {
    const row = page.locator('[data-row-link]').first();
    await hand.find('stalled', 'Stalled conversations');
    await expect(row).toBeVisible({ timeout: 150_000 });
    await hand.press(row);
    await hand.press(page.getByRole('button', { name: 'Retry now' }));
    await expect(page.getByText(/tried|delivering/i).first()).toBeVisible();
  },
  'a number that nobody knew becomes a line': async ({ hand, page, account, digits }) => {
    const unknown = after(digits, 2);
    await fromHandset({ from: '+12025550177', to: `+1713555${unknown}`, text: 'Is this still your number?' });
    await hand.find('home', 'Home');
    await hand.press(page.locator('[data-need="Messages to unknown lines"]').getByRole('link', { name: `+1 713 555 ${unknown}` }));
    await hand.press(page.getByRole('link', { name: 'Add as a line' }).first());
    await hand.write(page.getByLabel('Label'), 'Found');
    await hand.choose(page.getByLabel('Account'), account);
    await hand.press(page.getByRole('button', { name: 'Add line' }));
    await expect(page.getByText('The line was added.')).toBeVisible();
  },
  'a line is transferred': async ({ hand, page, digits }) => {
    await hand.find(digits, new RegExp(`555 ${digits}`));
    await hand.press(page.getByRole('link', { name: 'Transfer this line…' }));
    await hand.choose(page.getByLabel('To account'), 'Lakeside Dental');
    await hand.press(page.getByRole('button', { name: 'See what it would do' }));
    await hand.write(page.getByLabel('To confirm, type'), (await page.locator('#typed-help').textContent())!);
    await hand.press(page.getByRole('button', { name: 'Start', exact: true }));
    await expect(page.locator('main .badge').first()).toHaveText('Succeeded', { timeout: 60_000 });
  },
};

async function begin(browser: Browser, way: Way, digits: string): Promise<Day> {
  const page = await as(browser, 'administrator');
  page.setDefaultTimeout(10_000);
  await page.goto('/lines?q=Front%20desk');
  const desk = (await page.locator('[data-row-link]').first().innerText()).replaceAll(' ', '');
  await page.goto('/');
  await ready(page);
  return { hand: new Hand(page, way), page, account: `Day by ${way}`, digits, desk };
}

for (const [way, digits] of [['mouse', '0120'], ['keyboard', '0140']] as const) {
  test(`the jobs of a day by ${way}`, async ({ browser }) => {
    test.setTimeout(400_000);
    const day = await begin(browser, way, digits);
    const { hand } = day;
    const counts: string[] = [];
    for (const [job, [clicks, keys]] of Object.entries(JOBS)) {
      [hand.clicks, hand.keys] = [0, 0];
      await test.step(job, () => STORY[job as Job](day));
      await hand.isSomewhere();
      counts.push(`${job}: ${hand.clicks} clicks, ${hand.keys} keys`);
      expect.soft(way === 'mouse' ? hand.clicks : hand.keys, job).toBeLessThanOrEqual(way === 'mouse' ? clicks : keys);
    }
    test.info().annotations.push({ type: 'counts', description: counts.join('; ') });
  });
}
