// The product under test: where it is, who may sign in, and how a test acts as one of them.
import { AxeBuilder } from '@axe-core/playwright';
import axe, { type Result } from 'axe-core';
import { test as base, expect, type Browser, type Page, type PlaywrightWorkerArgs } from '@playwright/test';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { password } from './program';

export type Role = 'administrator' | 'support' | 'viewer';

export interface Product {
  url: string;
  sandbox: string;
}

/** Where this run keeps what its tests share; the set-up makes it, and another run has another. */
export const stateFolder = 'SWITCHYARD_E2E_STATE';

/** What is kept for a worker: this one, unless said otherwise. One that ends with a failed test has a successor of its number. */
export const stateFile = (role: Role | 'product', worker: number | string = process.env.TEST_PARALLEL_INDEX!) =>
  join(process.env[stateFolder]!, `${worker}`, `${role}.json`);

export const product = (): Product => JSON.parse(readFileSync(stateFile('product'), 'utf8')) as Product;

/** A page in which somebody with this role is signed in. */
export async function as(browser: Browser, role: Role, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: product().url, storageState: stateFile(role), ...options });
  return context.newPage();
}

/** A text from somebody's handset, by way of the carrier; `media` are links, or names of pictures that the sandbox paints. */
export async function fromHandset(text: { from: string; to: string; text: string; others?: string[]; media?: string[] }): Promise<void> {
  const answer = await fetch(`${product().sandbox}/sandbox/v1/handsets/send`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(text),
  });
  expect(await answer.json()).toMatchObject({ webhook_status: 200 });
}

/** Waits until the page answers to scripts: before that a click is a plain form post or link, which works too. */
export async function ready(page: Page): Promise<void> {
  await page.waitForFunction(() => document.documentElement.dataset.ready === 'true');
}

/** A new account of this name; its address. */
export async function newAccount(page: Page, name: string): Promise<string> {
  await page.goto('/accounts/new');
  await ready(page);
  await page.getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Add account' }).click();
  await expect(page.getByText('The account was added.')).toBeVisible();
  await page.goto(`/accounts?q=${encodeURIComponent(name)}`);
  return (await page.getByRole('link', { name }).getAttribute('href'))!;
}

/** A new line of the account, set to Inbox; its address, where the page is now. */
export async function newLine(page: Page, account: string, number: string, label: string): Promise<string> {
  await page.goto(`/lines/new?account=${account.split('/').pop()}`);
  await ready(page);
  await page.getByLabel('Number').fill(number);
  await page.getByLabel('Label').fill(label);
  await page.getByLabel('Integration type').selectOption('inbox');
  await page.getByRole('button', { name: 'Add line' }).click();
  await expect(page.getByText('The line was added.')).toBeVisible();
  return new URL(page.url()).pathname;
}

const WCAG = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const inWords = (found: Result[]) => found.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`);

/** What axe finds against WCAG 2.2 AA; `plain` is a page of a context without JavaScript. */
export async function violations(page: Page, plain = false): Promise<string[]> {
  // Legacy: no second page, and no frames are used.
  if (!plain) return inWords((await new AxeBuilder({ page }).setLegacyMode(true).withTags(WCAG).analyze()).violations);
  await page.evaluate(axe.source);
  const found = await page.evaluate((tags) => {
    // No timer runs in such a page; promises do.
    window.setTimeout = ((then: () => void) => void Promise.resolve().then(then)) as typeof window.setTimeout;
    return (window as unknown as { axe: typeof axe }).axe.run(document, { runOnly: tags });
  }, WCAG);
  return inWords(found.violations);
}

/** Each theme and each width once; `make accessibility` puts every screen before axe in all four. */
export const LOOKS = [
  { colorScheme: 'light', width: 1440 },
  { colorScheme: 'dark', width: 390 },
] as const;

/** No accessibility violations that axe can find, in the theme given. */
export async function accessible(page: Page): Promise<void> {
  expect(await violations(page)).toEqual([]);
}

/** They show anew who they are: dangerous actions want that of the last ten minutes, and a slow machine takes longer. */
async function prove(playwright: PlaywrightWorkerArgs['playwright'], role: Role): Promise<void> {
  const path = stateFile(role);
  if (Date.now() - statSync(path).mtimeMs < 3 * 60_000) return;
  const member = await playwright.request.newContext({ baseURL: product().url, storageState: path });
  const answer = await member.post('/fn/prove', { form: { code: password }, headers: { origin: product().url } });
  expect(answer.ok(), await answer.text()).toBe(true);
  await member.storageState({ path });
  await member.dispose();
}

/** After each test its pages are closed: an open one goes on reading whatever changes. */
export const test = base.extend<{ tidy: void }>({
  tidy: [
    async ({ browser, playwright }, use) => {
      for (const role of ['administrator', 'support'] as const) await prove(playwright, role);
      await use();
      for (const context of browser.contexts()) await context.close();
    },
    { auto: true },
  ],
});
export { expect };
