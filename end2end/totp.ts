// An authenticator: its codes (RFC 6238: SHA-1, 6 digits, 30 s) as a phone would show them, and how it becomes somebody's second factor.
import { expect, ready } from './product';
import { createHmac } from 'node:crypto';
import type { Page } from '@playwright/test';

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function bytes(base32: string): Buffer {
  const bits = [...base32.trim()].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
}

/** The code that is shown so many steps from now. */
export function code(secret: string, steps = 0): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac('sha1', bytes(secret)).update(counter).digest();
  const at = hash[hash.length - 1] & 0xf;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** Sets up a second factor under “Your account”, and says its secret. */
export async function setUp(at: Page): Promise<string> {
  await at.goto('/you');
  await ready(at);
  await at.getByRole('button', { name: 'Set up' }).click();
  await expect(at.getByRole('img', { name: 'QR code' }).locator('svg')).toBeVisible();
  const secret = (await at.locator('[data-secret]').textContent())!.trim();
  await at.getByLabel('The six digits it shows now').fill(code(secret));
  await at.getByRole('button', { name: 'Confirm', exact: true }).click();
  await expect(at.locator('[data-recovery-codes]')).toContainText(/([a-z0-9]{6}-){3}[a-z0-9]{6}/);
  return secret;
}
