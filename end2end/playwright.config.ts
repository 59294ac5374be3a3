// Runs the whole product as `make run` does, on free ports and a database of its own, and drives it in a real Chromium: two of both, as
// most of a test is waiting.
import { defineConfig } from '@playwright/test';
import { existsSync } from 'node:fs';

const chromium = '/usr/bin/chromium';

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
      executablePath: existsSync(chromium) ? chromium : undefined,
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
