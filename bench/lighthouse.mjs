// Lighthouse on the pages $PATHS of the console at $CONSOLE, as who has the cookie $COOKIE: its desktop preset, a local Chromium.
// Prints a line of JSON for each page: its scores, and which audits cost it something.
import { chromium } from '@playwright/test';
import lighthouse, { desktopConfig } from 'lighthouse';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';

const { CONSOLE, COOKIE, PATHS } = process.env;
const CATEGORIES = ['performance', 'accessibility', 'best-practices'];
const installed = ['/usr/bin/chromium', '/usr/bin/chromium-headless-shell'].find((path) => existsSync(path));

const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const browser = await chromium.launch({
  executablePath: installed,
  args: [`--remote-debugging-port=${port}`, '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});
for (const path of PATHS.split(' ')) {
  const extraHeaders = path === '/sign-in' ? {} : { Cookie: COOKIE };
  const { lhr } = await lighthouse(CONSOLE + path, { port, logLevel: 'error', onlyCategories: CATEGORIES, extraHeaders }, desktopConfig);
  const shown = new URL(lhr.finalDisplayedUrl);
  if (shown.pathname + shown.search !== path) throw new Error(`${path} led to ${shown}`);
  const scores = Object.fromEntries(CATEGORIES.map((name) => [name, Math.round((lhr.categories[name].score ?? 0) * 100)]));
  const lost = CATEGORIES.flatMap((name) => lhr.categories[name].auditRefs)
    .filter(({ id, weight }) => weight > 0 && lhr.audits[id].score !== null && lhr.audits[id].score < 0.9)
    .map(({ id }) => `${id}: ${lhr.audits[id].displayValue ?? lhr.audits[id].title}`);
  console.log(JSON.stringify({ path, scores, lost }));
}
await browser.close();
