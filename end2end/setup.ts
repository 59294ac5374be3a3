// Starts a product with its demo for each worker, accepts the printed invitation as the first administrator, and invites one member of
// each other role from the shell. Returns what ends them.
import { chromium, type Browser, type FullConfig } from '@playwright/test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stateFile, stateFolder, type Role } from './product';
import { accept, start, type Program } from './program';

async function people(program: Program, worker: number, browser: Browser): Promise<void> {
  const keep = async (role: Role, invitation: string) => {
    const context = await accept(browser, invitation);
    await context.storageState({ path: stateFile(role, worker) });
    await context.close();
  };
  await keep('administrator', program.invitation);
  for (const [role, name] of [['support', 'Sam Support'], ['viewer', 'Vera Viewer']] as const) {
    const who = ['--email', `${role}@example.com`, '--name', name, '--role', role, '--as', 'admin@example.com'];
    await keep(role, program.shell(['staff', 'add', ...who]));
  }
}

export default async function setup(config: FullConfig): Promise<() => Promise<void>> {
  // The workers inherit it.
  const folder = (process.env[stateFolder] = mkdtempSync(join(tmpdir(), 'switchyard-e2e-state-')));
  const programs: Program[] = [];
  const end = async () => {
    for (const program of programs) await program.end();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const browser = await chromium.launch(config.projects[0].use.launchOptions);
    for (let worker = 0; worker < config.workers; worker++) {
      const program = await start('demo');
      programs.push(program);
      const file = stateFile('product', worker);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, JSON.stringify({ url: program.url, sandbox: program.sandbox }));
      await people(program, worker, browser);
    }
    await browser.close();
    return end;
  } catch (error) {
    await end();
    throw error;
  }
}
