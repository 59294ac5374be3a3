// How the screens look: in both themes and two widths, compared with the pictures beside this file, with a tolerance for the edges of
// letters. `make screens` takes them anew after a change of look that is wanted; look at what changed before you keep it.
//
// Screens that show the demo's data as the other tests leave it are not among them; times are covered. Letters of another typeface have
// another width: where the machine has other typefaces than the one that took the pictures, only that each screen can be drawn is tested.
import { accessible, as, expect, product, ready, test } from '../product';
import { accept, start, type Program } from '../program';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from '@playwright/test';

const TYPEFACE = join(__dirname, 'screens.spec.ts-snapshots', 'typeface.txt');
const SCREENS = {
  'lines-new': '/lines/new',
  'accounts-new': '/accounts/new',
  'staff-new': '/staff/new',
  ui: '/ui',
  nowhere: '/nowhere',
  'no-such-line': '/lines/00000000-0000-0000-0000-000000000000',
  'sync-find': '/sync/find',
  'unknown-none': '/sync/unknown?q=%2B19995550199',
  search: '/search',
};
/** Of a house that nobody has moved into: nothing on them is of another test. */
const EMPTY = [
  '/lines',
  '/lines/types',
  '/accounts',
  '/connections',
  '/connections/new',
  '/sync',
  '/sync/unknown',
  '/findings',
  '/utilities',
  '/utilities/history',
  '/approvals',
  '/roles',
  '/bulk',
  '/simulator',
];

/** How wide a sentence is: the same on machines that have the same typefaces. */
const typeface = (page: Page) =>
  page.evaluate(() => {
    const pen = document.createElement('canvas').getContext('2d')!;
    pen.font = getComputedStyle(document.body).font;
    return pen.measureText('A line, a lane, and 1,234 messages: quick brown fox').width.toFixed(3);
  });

async function compare(page: Page, name: string, whole: boolean): Promise<void> {
  const found = await typeface(page);
  if (test.info().config.updateSnapshots === 'all') {
    mkdirSync(dirname(TYPEFACE), { recursive: true });
    writeFileSync(TYPEFACE, found);
  }
  const isOurs = existsSync(TYPEFACE) && readFileSync(TYPEFACE, 'utf8') === found;
  const how = { mask: [page.locator('time:not(details:not([open]) *)')], scale: 'device', fullPage: whole } as const;
  if (isOurs) await expect(page).toHaveScreenshot(`${name}.png`, { ...how, maxDiffPixelRatio: 0.01 });
  else await page.screenshot(how);
}

let house: Program;
let moved: BrowserContextOptions['storageState'];

test.beforeAll(async ({ browser }) => {
  house = await start('serve');
  const context = await accept(browser, house.invitation);
  moved = await context.storageState();
  await context.close();
});

test.afterAll(async () => house?.end());

/** What is the same for each picture: it is compared, accessible where the window is wide, and no wider than that. */
async function look(page: Page, path: string, name: string, whole = false): Promise<void> {
  await page.goto(path);
  await ready(page);
  await compare(page, name, whole);
  if (page.viewportSize()!.width > 1000) await accessible(page);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
}

const stranger = async (browser: Browser, options: BrowserContextOptions) =>
  (await browser.newContext({ baseURL: product().url, ...options })).newPage();

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1440, 390]) {
    // Half as many pixels are enough to see what moved, and keep the pictures small.
    const how = { colorScheme, viewport: { width, height: 900 }, deviceScaleFactor: 0.5, reducedMotion: 'reduce' } as const;
    test(`the screens look as they did, ${colorScheme}, ${width} wide`, async ({ browser }) => {
      test.setTimeout(180_000);
      const nobody = await stranger(browser, how);
      await look(nobody, '/sign-in', `sign-in-${colorScheme}-${width}`);
      await look(nobody, '/invitation?token=none', `no-invitation-${colorScheme}-${width}`);
      const page = await as(browser, 'administrator', how);
      for (const [name, path] of Object.entries(SCREENS)) {
        // It has both themes on it.
        const isWhole = name === 'ui';
        if (!isWhole || colorScheme === 'light') await look(page, path, `${name}-${colorScheme}-${width}`, isWhole);
      }
      const viewer = await as(browser, 'viewer', how);
      await look(viewer, '/staff/new', `forbidden-${colorScheme}-${width}`);
    });

    test(`the screens of an empty house look as they did, ${colorScheme}, ${width} wide`, async ({ browser }) => {
      test.setTimeout(180_000);
      const page = await (await browser.newContext({ baseURL: house.url, storageState: moved, ...how })).newPage();
      for (const path of EMPTY) await look(page, path, `empty${path.replaceAll('/', '-')}-${colorScheme}-${width}`);
    });
  }
}
