// Starts the product with its demo, accepts the printed invitation as the first administrator, and invites one member of each
// other role from the shell. Returns what ends it.
import { chromium, type FullConfig } from '@playwright/test';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stateFile, type Role } from './product';

const root = join(__dirname, '..');
const binary = join(root, 'target', 'debug', 'switchyard');
const password = 'a long enough password';

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

export default async function setup(config: FullConfig): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-e2e-'));
  const [port, sandboxPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const sandbox = `http://127.0.0.1:${sandboxPort}`;
  const env = {
    ...process.env,
    DATABASE_URL: `sqlite:${join(folder, 'switchyard.db')}`,
    LISTEN: `127.0.0.1:${port}`,
    SANDBOX_LISTEN: `127.0.0.1:${sandboxPort}`,
    SMS_PER_SECOND: '500',
    // 32 zero bytes: a key like any other.
    SECRET_KEY: 'A'.repeat(43),
    PUBLIC_URL: url,
    LOG: 'error',
  };
  const child = spawn(binary, ['demo'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const end = async () => {
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.kill('SIGTERM')) await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const link = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.once('exit', (code) => reject(new Error(`the product ended with ${code} before it was ready`)));
      child.stdout.on('data', (part: Buffer) => {
        text += part.toString();
        const found = /(http\S+\/invitation\?token=\S+)/.exec(text);
        if (found) resolve(found[1]);
      });
    });

    mkdirSync(dirname(stateFile('product')), { recursive: true });
    writeFileSync(stateFile('product'), JSON.stringify({ url, sandbox }));
    const browser = await chromium.launch(config.projects[0].use.launchOptions);
    const accept = async (role: Role, invitation: string) => {
      const page = await browser.newPage({ baseURL: url });
      await page.goto(invitation);
      await page.getByLabel('Password', { exact: true }).fill(password);
      await page.getByRole('button', { name: /set the password/i }).click();
      await page.waitForURL(/\/lines/);
      await page.context().storageState({ path: stateFile(role) });
      await page.context().close();
    };
    await accept('administrator', link);
    for (const [role, name] of [['support', 'Sam Support'], ['viewer', 'Vera Viewer']] as const) {
      const args = ['staff', 'add', '--email', `${role}@example.com`, '--name', name, '--role', role, '--as', 'admin@example.com'];
      await accept(role, execFileSync(binary, args, { env, encoding: 'utf8' }).trim());
    }
    await browser.close();
    return end;
  } catch (error) {
    await end();
    throw error;
  }
}
