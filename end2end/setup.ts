// Starts the product with its demo, accepts the printed invitation as the first administrator, and invites one member of each
// other role from the shell. Returns what ends it.
import { chromium, type FullConfig } from '@playwright/test';
import { writeFileSync } from 'node:fs';
import { stateFile, stateFolder, type Role } from './product';
import { accept, start } from './program';

export default async function setup(config: FullConfig): Promise<() => Promise<void>> {
  const program = await start('demo');
  try {
    // The workers inherit it.
    process.env[stateFolder] = program.folder;
    writeFileSync(stateFile('product'), JSON.stringify({ url: program.url, sandbox: program.sandbox }));
    const browser = await chromium.launch(config.projects[0].use.launchOptions);
    const keep = async (role: Role, invitation: string) => {
      const context = await accept(browser, invitation);
      await context.storageState({ path: stateFile(role) });
      await context.close();
    };
    await keep('administrator', program.invitation);
    for (const [role, name] of [['support', 'Sam Support'], ['viewer', 'Vera Viewer']] as const) {
      const who = ['--email', `${role}@example.com`, '--name', name, '--role', role, '--as', 'admin@example.com'];
      await keep(role, program.shell(['staff', 'add', ...who]));
    }
    await browser.close();
    return program.end;
  } catch (error) {
    await program.end();
    throw error;
  }
}
