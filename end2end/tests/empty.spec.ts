// A house that nobody has moved into, without a sandbox: each screen says what would be there and what to do.
import { accessible, expect, ready, test } from '../product';
import { accept, start } from '../program';

test('every screen of an empty house says what to do, and there is no simulator', async ({ browser }) => {
  const program = await start('serve');
  try {
    const context = await accept(browser, program.invitation);
    const page = await context.newPage();
    for (const [path, words] of [
      ['/lines', 'No lines yet'],
      ['/lines/new', 'No account yet'],
      ['/accounts', 'No accounts yet'],
      ['/sync', 'Everything is in sync'],
      ['/sync/unknown', 'No messages to unknown lines'],
      ['/simulator', 'No sandbox runs here'],
    ]) {
      await page.goto(path);
      await ready(page);
      await expect(page.getByText(words)).toBeVisible();
      await accessible(page);
    }
    await expect(page.getByRole('link', { name: 'Simulator' })).toHaveCount(0);
    await context.close();
  } finally {
    await program.end();
  }
});
