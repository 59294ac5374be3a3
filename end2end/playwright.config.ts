// Runs the whole product as `make run` does, on free ports and a database of its own, and drives it in a real Chromium: two of both,
// for a machine with two processors.
import { defineConfig } from '@playwright/test';
import { existsSync } from 'node:fs';

// The shell is the same engine without a window to draw, for two thirds of the time. Where there is neither, Playwright brings its own.
const chromium = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((path) => existsSync(path));

export default defineConfig({
  testDir: './tests',
  outputDir: './results',
  globalSetup: './setup.ts',
  // Each worker has a product of its own, and tests of one file tell a story in order.
  workers: 2,
  forbidOnly: !!process.env.CI,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  use: {
    viewport: { width: 1440, height: 900 },
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: chromium,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--disable-quic',
        '--no-first-run',
      ],
    },
  },
});
