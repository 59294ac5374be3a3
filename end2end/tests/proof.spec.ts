// Asking again who is there: a dangerous act whose last proof is older than ten minutes waits for another one, and loses nothing. In an
// installation of its own, whose proofs are made old.
import { accessible, expect, newAccount, ready, test } from '../product';
import { accept, password, start, type Program } from '../program';
import { Hand } from '../hand';
import type { BrowserContext, Page } from '@playwright/test';

let program: Program;
let context: BrowserContext;

test.beforeAll(async ({ browser }) => {
  program = await start('serve');
  context = await accept(browser, program.invitation);
});
test.afterAll(async () => program?.end());

// Who is signed in here stays so over the tests of this file.
test.use({ tidy: [async ({}, use) => use(), { auto: true }] as never });

const WRONG = 'not the password at all';
const name = (page: Page) => page.getByLabel('What it is for');
const make = (page: Page) => page.getByRole('button', { name: 'Make a token' });
const asks = (page: Page) => page.getByText('Confirm that it is you, then do this again');
const proof = (page: Page) => page.getByLabel('Your password, or a code if you have a second factor');
const confirm = (page: Page) => page.getByRole('button', { name: 'Confirm', exact: true });
const isWrong = (page: Page) => page.getByText('This is not your password.');
const isConfirmed = (page: Page) => page.getByText('Confirmed. Now do it again.');
const made = (page: Page) => page.getByText('The token is made.');
/** What revokes the token of this name: each token that is good has it once. */
const token = (page: Page, name: string) => page.locator('summary').filter({ hasText: `the token ${name}` });

/** Nothing was done, as somebody sees who comes to the account now. */
async function hasNoTokens(account: string): Promise<void> {
  const other = await context.newPage();
  await other.goto(account);
  await expect(other.getByText('No tokens. The account’s programs cannot call.')).toBeVisible();
  await other.close();
}

test('a dangerous act of an old session asks who is there, and is done with what was typed', async () => {
  const page = await context.newPage();
  const account = await newAccount(page, 'Proof Harbour');
  await page.goto(account);
  await ready(page);
  program.ageProofs();
  await name(page).fill('Order system');
  await make(page).click();
  await expect(asks(page)).toBeVisible();
  await accessible(page);
  await hasNoTokens(account);

  await proof(page).fill(WRONG);
  await confirm(page).click();
  await expect(isWrong(page)).toBeVisible();
  await make(page).click();
  await expect(asks(page)).toBeVisible();
  await expect(isWrong(page), 'it is asked for anew').toHaveCount(0);
  await hasNoTokens(account);
  await expect(name(page)).toHaveValue('Order system');

  await proof(page).fill(password);
  await confirm(page).click();
  await expect(isConfirmed(page)).toBeVisible();
  await expect(proof(page)).toHaveCount(0);
  await hasNoTokens(account);
  await expect(name(page)).toHaveValue('Order system');
  await make(page).click();
  await expect(made(page)).toBeVisible();
  await expect(token(page, 'Order system')).toHaveCount(1);
  await expect(name(page)).toHaveValue('');
  await page.close();
});

test('on a page that stays open it is asked for again, as often as the proof has grown old', async () => {
  const page = await context.newPage();
  await page.goto(await newAccount(page, 'Proof Quay'));
  await ready(page);
  for (const caller of ['Order system', 'Shop']) {
    program.ageProofs();
    await name(page).fill(caller);
    await make(page).click();
    await expect(proof(page)).toBeVisible();
    await expect(isConfirmed(page)).toHaveCount(0);
    await proof(page).fill(password);
    await proof(page).press('Enter');
    await expect(isConfirmed(page)).toBeVisible();
    await make(page).click();
    await expect(token(page, caller)).toHaveCount(1);
  }
  // Of two places that ask, the later one does.
  program.ageProofs();
  await name(page).fill('Warehouse');
  await make(page).click();
  await expect(proof(page)).toHaveCount(1);
  await token(page, 'Shop').click();
  await page.getByRole('button', { name: 'Revoke the token' }).click();
  await expect(asks(page)).toHaveCount(2);
  await expect(proof(page)).toHaveCount(1);
  await proof(page).fill(password);
  await confirm(page).click();
  await expect(isConfirmed(page)).toHaveCount(1);
  await page.close();
});

test('who is there is shown by keyboard alone', async () => {
  const page = await context.newPage();
  const hand = new Hand(page, 'keyboard');
  await page.goto(await newAccount(page, 'Proof Wharf'));
  await ready(page);
  program.ageProofs();
  await hand.write(name(page), 'Till');
  await hand.press(make(page));
  await expect(asks(page)).toBeVisible();
  await hand.write(proof(page), WRONG);
  await hand.press(confirm(page));
  await expect(isWrong(page)).toBeVisible();
  await hand.write(proof(page), password);
  await hand.press(confirm(page));
  await expect(isConfirmed(page)).toBeVisible();
  await hand.press(make(page));
  await expect(token(page, 'Till')).toHaveCount(1);
  await hand.isSomewhere();
  await page.close();
});

test('it is asked without JavaScript, too, and a wrong password is said', async ({ browser }) => {
  const own = await context.newPage();
  const account = await newAccount(own, 'Proof Pier');
  await own.close();
  const plain = await browser.newContext({ baseURL: program.url, javaScriptEnabled: false });
  const page = await plain.newPage();
  await page.goto(account);
  await page.getByLabel('E-mail').fill('admin@example.com');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(new RegExp(`${account}$`));
  program.ageProofs();
  await name(page).fill('Order system');
  await make(page).click();
  await expect(asks(page)).toBeVisible();
  await hasNoTokens(account);
  await proof(page).fill(WRONG);
  await confirm(page).click();
  await expect(isWrong(page)).toBeVisible();
  await expect(asks(page)).toBeVisible();
  await proof(page).fill(password);
  await confirm(page).click();
  await expect(page).toHaveURL(new RegExp(`${account}$`));
  await expect(asks(page)).toHaveCount(0);
  await hasNoTokens(account);
  await name(page).fill('Order system');
  await make(page).click();
  await expect(made(page)).toBeVisible();
  await expect(token(page, 'Order system')).toHaveCount(1);
  await plain.close();
});
