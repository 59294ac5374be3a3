// Starts the built binary on free ports with a database of its own, as a person would, and ends what it started.
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { join } from 'node:path';
import type { Browser, BrowserContext } from '@playwright/test';

const root = join(__dirname, '..');
const binary = join(root, 'target', 'debug', 'switchyard');
export const password = 'a long enough password';

export interface Program {
  url: string;
  sandbox: string;
  /** What belongs to this program alone, its database first; gone with its end. */
  folder: string;
  /** The first administrator's one-time link. */
  invitation: string;
  /** Runs a further command on the same database and answers what it prints. */
  shell(args: string[]): string;
  /** Makes the last proof of everybody who is signed in too old for a dangerous act. */
  ageProofs(): void;
  /** Ends the process and leaves its data where it is. */
  stop(): Promise<void>;
  /** Starts it anew on the same port and the same data. */
  again(): Promise<void>;
  end(): Promise<void>;
}

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

/** `demo` fills its database and brings the sandbox; `serve` is empty and stands alone. `more` are further settings. */
export async function start(command: 'demo' | 'serve', more: Record<string, string> = {}): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'switchyard-e2e-'));
  const [port, sandboxPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const env = {
    ...process.env,
    DATABASE_URL: `sqlite:${join(folder, 'switchyard.db')}`,
    LISTEN: `127.0.0.1:${port}`,
    SANDBOX_LISTEN: `127.0.0.1:${sandboxPort}`,
    SMS_PER_SECOND: '500',
    // 32 zero bytes: a key like any other.
    SECRET_KEY: 'A'.repeat(43),
    // The sandbox lists a post at once: nobody need wait for the time that RingCentral is given.
    RINGCENTRAL_SETTLE_MS: '2000',
    PUBLIC_URL: url,
    LOG: 'error',
    ...more,
  };
  let child: ChildProcessByStdio<null, Readable, null>;
  /** Starts it and waits until it prints what `words` find. */
  const run = async (words: RegExp) => {
    child = spawn(binary, [command], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
    return new Promise<string>((resolve, reject) => {
      let text = '';
      child.once('exit', (code) => reject(new Error(`the product ended with ${code} before it was ready`)));
      child.stdout.on('data', (part: Buffer) => {
        text += part.toString();
        const found = words.exec(text);
        if (found) resolve(found[1]);
      });
    });
  };
  const stop = async () => {
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.kill('SIGTERM')) await ended;
  };
  const again = async () => void (await run(/Switchyard listens on (\S+)/));
  const end = async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const invitation = await run(/(http\S+\/invitation\?token=\S+)/);
    const shell = (args: string[]) => execFileSync(binary, args, { env, encoding: 'utf8' }).trim();
    const ageProofs = () => {
      const proved = "json_extract(data, '$.proved')";
      // A minute more than a proof is good for.
      const sql = `update session set data = json_set(data, '$.proved', ${proved} - 11 * 60 * 1000000) where ${proved} is not null`;
      execFileSync('sqlite3', ['-cmd', '.timeout 5000', join(folder, 'switchyard.db'), sql]);
    };
    return { url, sandbox: `http://127.0.0.1:${sandboxPort}`, folder, invitation, shell, ageProofs, stop, again, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Accepts an invitation; whose it was is then signed in. */
export async function accept(browser: Browser, invitation: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
  const context = await browser.newContext({ baseURL: new URL(invitation).origin, ...options });
  const page = await context.newPage();
  await page.goto(invitation);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: /set the password/i }).click();
  await page.waitForURL((url) => url.pathname === '/');
  await page.close();
  return context;
}
