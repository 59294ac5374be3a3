// The job, watched: a blast makes no post; a reply brings it into that contact's chat, above the reply, and into no other.
import { accessible, as, expect, fromHandset, product, ready, test } from '../product';
import type { Page } from '@playwright/test';

const figure = (page: Page, label: string) => page.locator('[data-blast] div').filter({ hasText: label }).locator('dd');

/** Opens the simulator on a line of the demo with its newest contact. */
async function stage(page: Page, line: RegExp): Promise<void> {
  await page.goto('/simulator');
  await ready(page);
  const option = page.getByLabel('Line', { exact: true }).locator('option').filter({ hasText: line });
  await page.getByLabel('Line', { exact: true }).selectOption((await option.first().getAttribute('value'))!);
  await expect(page).toHaveURL(/line=/);
  // The line before stands there until this one has been read.
  await expect(page.locator('header').filter({ hasText: 'The agent’s chat' })).toContainText(line);
}

async function replyAs(page: Page, text: string): Promise<void> {
  await page.getByLabel('Reply as the contact').fill(text);
  await page.getByRole('button', { name: 'Send reply' }).click();
  await expect(page.getByLabel('Reply as the contact')).toHaveValue('');
}

test('a blast is held; a reply brings it into that chat, above the reply, and nowhere else', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Recalls/);
  await page.getByRole('button', { name: /Send a blast to 200 contacts/ }).click();
  await expect(page).toHaveURL(/blast=/);
  await expect(figure(page, 'SMS sent')).toHaveText('200 of 200', { timeout: 30_000 });
  await expect(figure(page, 'Posts that carry it')).toHaveText('0');
  await expect(figure(page, 'Chats touched')).toHaveText('0');
  const blast = page.getByRole('region', { name: 'The contact’s handset' }).getByText(/Show code \d{6}/).last();
  const code = /Show code (\d{6})/.exec(await blast.innerText())![1];
  const chat = page.getByRole('region', { name: 'The agent’s chat in RingCentral' });
  await expect(chat.getByText(code)).toHaveCount(0);

  await replyAs(page, 'Does it count for children too?');
  await expect(chat.getByText(code)).toHaveCount(1);
  await expect(chat.getByText('Does it count for children too?')).toHaveCount(1);
  const said = await chat.innerText();
  expect(said.indexOf(code)).toBeLessThan(said.indexOf('Does it count for children too?'));
  await expect(figure(page, 'Posts that carry it')).toHaveText('1');
  await expect(figure(page, 'Chats touched')).toHaveText('1');
  await expect(page.getByText('In sync', { exact: true })).toBeVisible();
  await accessible(page);

  // The verdict of somebody else: the sandbox's own page.
  const journal = await page.request.get(`${product().sandbox}/sandbox/v1/journal?limit=100000`);
  const entries = ((await journal.json()) as { entries: { kind: string; text?: string; accepted: boolean }[] }).entries;
  expect(entries.filter((entry) => entry.kind === 'post' && entry.text?.includes(code))).toHaveLength(1);
  expect(entries.filter((entry) => entry.kind === 'sms' && entry.text?.includes(code))).toHaveLength(200);
});

/** Writes in the agent's chat, as in the RingCentral app. */
async function answerAs(page: Page, text: string): Promise<void> {
  await page.getByLabel('Answer as the agent').fill(text);
  await page.getByRole('button', { name: 'Send answer' }).click();
  await expect(page.getByLabel('Answer as the agent')).toHaveValue('');
}

test('what an agent writes in RingCentral is on the handset, and the chat says who wrote what', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Recalls/);
  const question = 'Shall I bring the X-rays along?';
  await replyAs(page, question);
  const chat = page.getByRole('region', { name: 'The agent’s chat in RingCentral' });
  await expect(chat.getByRole('listitem').filter({ hasText: question })).toContainText('Switchyard');

  const answer = 'Please do, and come ten minutes early.';
  await answerAs(page, answer);
  await expect(page.getByRole('region', { name: 'The contact’s handset' }).getByText(answer)).toHaveCount(1);
  await expect(chat.getByRole('listitem').filter({ hasText: answer })).toContainText('Agent');
});

test('events that come twice, late or overtaken, and tokens that run out, change nothing on the handset', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Recalls/);
  const handset = page.getByRole('region', { name: 'The contact’s handset' });
  const arm = async (button: string, armed: string) => {
    await page.getByRole('button', { name: button }).click();
    await expect(page.getByText(armed, { exact: true })).toBeVisible();
  };
  await arm('Double the next event', 'The next event comes twice');
  await answerAs(page, 'Said once, told twice');
  await expect(handset.getByText('Said once, told twice')).toHaveCount(1);
  await expect(page.getByText('The next event comes twice', { exact: true })).toHaveCount(0);

  await arm('Have the next event overtaken', 'The next event is overtaken');
  await answerAs(page, 'The overtaken answer');
  await answerAs(page, 'The answer that overtakes');
  await expect(handset.getByText('The answer that overtakes')).toHaveCount(1);
  await expect(handset.getByText('The overtaken answer')).toHaveCount(1);

  await arm('Delay the next event', 'The next event is late');
  await answerAs(page, 'Better late');
  await page.getByRole('button', { name: 'Expire the tokens' }).click();
  await expect(page.getByText('Done. Now write as the contact or the agent.')).toBeVisible();
  await replyAs(page, 'Posted with a new token');
  const chat = page.getByRole('region', { name: 'The agent’s chat in RingCentral' });
  await expect(chat.getByText('Posted with a new token')).toHaveCount(1);
  await expect(handset.getByText('Better late')).toHaveCount(1, { timeout: 20_000 });
  await expect(handset.getByText('Said once, told twice')).toHaveCount(1);
  await accessible(page);
});

test('what is being typed stays while figures change around it', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Store 12/);
  await page.getByRole('button', { name: /Send a blast/ }).click();
  await expect(page).toHaveURL(/blast=/);
  const field = page.getByLabel('Reply as the contact');
  await field.fill('half a sen');
  await field.focus();
  await expect(figure(page, 'SMS sent')).toHaveText('200 of 200', { timeout: 30_000 });
  await expect(field).toHaveValue('half a sen');
  await expect(field).toBeFocused();
});

test('a refused post is marked, does not block the reply, and can be restored', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Store 12/);
  // Nothing may be waiting, so that the next post is the one reply.
  await replyAs(page, 'First of all, hello');
  await expect(page.getByText('In sync', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Refuse the next post' }).click();
  await expect(page.getByText('The next post is refused')).toBeVisible();
  await replyAs(page, 'This one is refused');
  await expect(page.getByText('The next post is refused')).toHaveCount(0);
  await replyAs(page, 'This one arrives');
  const chat = page.getByRole('region', { name: 'The agent’s chat in RingCentral' });
  await expect(chat.getByText('This one arrives')).toHaveCount(1);
  await expect(chat.getByText('This one is refused')).toHaveCount(0);

  await page.getByRole('link', { name: 'The conversation in Switchyard' }).click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
  const message = page.getByRole('listitem').filter({ hasText: 'This one is refused' });
  await expect(message.getByText('Refused', { exact: true })).toBeVisible();
  await message.getByText('Restore…').click();
  await message.getByRole('button', { name: 'Restore the message' }).click();
  // A message does not change by itself under the pointer.
  await page.mouse.move(5, 5);
  await expect(message.getByText('Posted', { exact: true })).toBeVisible();
  await accessible(page);
});

test('after a 429 the lane waits and goes on; an armed fault can be disarmed', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Store 12/);
  await page.getByRole('button', { name: 'Refuse the next post' }).click();
  await expect(page.getByText('The next post is refused')).toBeVisible();
  await page.getByRole('button', { name: 'Disarm all' }).click();
  await expect(page.getByText('The next post is refused')).toHaveCount(0);

  await page.getByRole('button', { name: 'Answer 429 once' }).click();
  await expect(page.getByText('The next post gets 429')).toBeVisible();
  await replyAs(page, 'Asked too often');
  await expect(page.getByText('The next post gets 429')).toHaveCount(0);
  await expect(page.getByText(/^(Delivering|Stalled)/)).toBeVisible();
  const chat = page.getByRole('region', { name: 'The agent’s chat in RingCentral' });
  await expect(chat.getByText('Asked too often')).toHaveCount(0);
  await expect(chat.getByText('Asked too often')).toHaveCount(1, { timeout: 30_000 });
  await expect(page.getByText('In sync', { exact: true })).toBeVisible();
});

test('after a lost answer the post is found and not made twice', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Store 12/);
  await page.getByRole('button', { name: 'Lose the next answer' }).click();
  await expect(page.getByText('The next answer is lost')).toBeVisible();
  await replyAs(page, 'Did you hear me?');
  await expect(page.getByText('The next answer is lost')).toHaveCount(0);
  await expect(page.getByText('In sync', { exact: true })).toBeVisible({ timeout: 40_000 });
  await expect(page.getByRole('region', { name: 'The agent’s chat in RingCentral' }).getByText('Did you hear me?')).toHaveCount(1);
});

test('pictures and group texts are shown on both sides', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Store 12/);
  const chosen = (label: string) => page.getByLabel(label, { exact: true }).locator('option:checked').innerText();
  const number = (text: string) => /\+1 \d{3} \d{3} \d{4}/.exec(text)![0].replaceAll(' ', '');
  const [to, from] = [number(await chosen('Line')), number(await chosen('Contact'))];
  await fromHandset({ from, to, text: 'Here is the label', others: ['+16465550180'], media: ['label', 'box'] });
  const handset = page.getByRole('region', { name: 'The contact’s handset' });
  await expect(handset.getByRole('listitem').filter({ hasText: 'Here is the label' })).toContainText('2 attachments');
  const chat = page.getByRole('region', { name: 'The agent’s chat in RingCentral' });
  await expect(chat.getByText('Here is the label')).toHaveCount(1);
  const link = chat.getByRole('listitem').filter({ hasText: 'Here is the label' }).getByRole('link', { name: 'attachment 2 (image)' });
  const conversation = await page.getByRole('link', { name: 'The conversation in Switchyard' }).getAttribute('href');
  await expect(link).toHaveAttribute('href', `${product().url}${conversation}`);

  await page.getByRole('link', { name: 'The conversation in Switchyard' }).click();
  await expect(page.getByRole('heading', { name: 'Messages' })).toBeVisible();
  const message = page.getByRole('listitem').filter({ hasText: 'Here is the label' });
  await expect(message).toContainText('Group text, also to +1 646 555 0180');
  const picture = message.getByRole('link', { name: 'Attachment 2 (image)' });
  await expect(picture).toHaveAttribute('rel', /noreferrer/);
  expect((await page.request.get((await picture.getAttribute('href'))!)).ok()).toBe(true);
});

test('a long conversation is read on to its beginning and back', async ({ browser }) => {
  const page = await as(browser, 'support');
  await page.goto('/lines?q=Store+14');
  const line = page.locator('[data-row-link]').first();
  const [to, path] = [(await line.innerText()).replaceAll(' ', ''), await line.getAttribute('href')];
  for (let n = 0; n < 51; n++) await fromHandset({ from: '+16465550181', to, text: `Line ${n} of many` });
  await page.goto(`${path}/conversations`);
  await page.getByRole('link', { name: '+1 646 555 0181' }).click();
  await expect(page.getByText('Line 50 of many')).toBeVisible();
  await expect(page.getByText('Line 0 of many')).toHaveCount(0);
  await page.getByRole('link', { name: 'Older' }).click();
  await expect(page.getByText('Line 0 of many')).toBeVisible();
  await expect(page.getByText('Line 50 of many')).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'Older' })).toHaveCount(0);
  await page.getByRole('link', { name: 'Newest' }).click();
  await expect(page.getByText('Line 50 of many')).toBeVisible();
});

test('a blacklisted subscription is shown, and what an agent writes then is not heard yet', async ({ browser }) => {
  const page = await as(browser, 'support');
  await stage(page, /Recalls/);
  await page.getByRole('button', { name: 'Blacklist the subscription' }).click();
  await expect(page.getByText('Blacklisted: Switchyard is told nothing')).toBeVisible();
  await answerAs(page, 'Is anybody listening?');
  const chat = page.getByRole('region', { name: 'The agent’s chat in RingCentral' });
  await expect(chat.getByText('Is anybody listening?')).toHaveCount(1);
  await expect(page.getByRole('region', { name: 'The contact’s handset' }).getByText('Is anybody listening?')).toHaveCount(0);
});

test('who may not send messages is not offered the simulator', async ({ browser }) => {
  const page = await as(browser, 'viewer');
  await page.goto('/lines');
  await expect(page.getByRole('link', { name: 'Lines', exact: true }).first()).toBeVisible();
  await expect(page.getByRole('link', { name: 'Simulator' })).toHaveCount(0);
  await page.goto('/simulator');
  await expect(page.getByRole('heading', { name: 'You may not see this' })).toBeVisible();
});
