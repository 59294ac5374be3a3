// How the screens look: in both themes and two widths, compared with the pictures beside this file, with a tolerance for the edges of
// letters. `make screens` takes them anew after a change of look that is wanted; look at what changed before you keep it.
//
// Screens that show the demo's data as the other tests leave it are not among them; times are covered. Letters of another typeface have
// another width: where the machine has other typefaces than the one that took the pictures, only that each screen can be drawn is tested.
import { accessible, as, expect, product, ready, test } from '../product';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page } from '@playwright/test';

const TYPEFACE = join(__dirname, 'screens.spec.ts-snapshots', 'typeface.txt');
const SCREENS = ['/lines/new', '/accounts/new', '/staff/new', '/ui', '/nowhere'];

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

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1440, 390]) {
    test(`the screens look as they did, ${colorScheme}, ${width} wide`, async ({ browser }) => {
      test.setTimeout(120_000);
      // Half as many pixels are enough to see what moved, and keep the pictures small.
      const look = { colorScheme, viewport: { width, height: 900 }, deviceScaleFactor: 0.5, reducedMotion: 'reduce' } as const;
      const stranger = await (await browser.newContext({ baseURL: product().url, ...look })).newPage();
      await stranger.goto('/sign-in');
      await ready(stranger);
      await compare(stranger, `sign-in-${colorScheme}-${width}`, false);
      await accessible(stranger);
      const page = await as(browser, 'administrator', look);
      for (const path of SCREENS) {
        await page.goto(path);
        await ready(page);
        // It has both themes on it.
        const isWhole = path === '/ui';
        if (!isWhole || colorScheme === 'light') await compare(page, `${path.slice(1).replaceAll('/', '-')}-${colorScheme}-${width}`, isWhole);
        await accessible(page);
        expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
      }
    });
  }
}
