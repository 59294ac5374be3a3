// Drives the sandbox with RingCentral's own JavaScript SDKs, and then has sdk_check.py do it with the Python one. Run by `make sdk-check`.
// The one rule: nothing here knows how the sandbox is made; it is asked through the SDKs, and told what to do by its control API.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createServer as createSocket } from 'node:net';

const require = createRequire(new URL('./sdk/package.json', import.meta.url));
const RingCentral = require('@rc-ex/core').default;
const { SDK } = require('@ringcentral/sdk');

const CHAT_POSTS = '/team-messaging/v1/posts';
const [binary, python] = process.argv.slice(2);
let checks = 0;

async function check(what, does) {
  await does();
  checks += 1;
  console.log(`ok ${checks} ${what}`);
}

async function freePort() {
  const socket = createSocket();
  await new Promise((heard) => socket.listen(0, '127.0.0.1', heard));
  const { port } = socket.address();
  await new Promise((closed) => socket.close(closed));
  return port;
}

async function until(what, holds) {
  for (const end = Date.now() + 10_000; Date.now() < end; ) {
    const value = await holds();
    if (value) return value;
    await new Promise((later) => setTimeout(later, 20));
  }
  assert.fail(`not within ten seconds: ${what}`);
}

/// An address for events: it returns the handshake's token and keeps what comes.
async function receiver() {
  const events = [];
  const handshakes = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      const token = request.headers['validation-token'];
      if (token) {
        handshakes.push(request.headers);
        response.setHeader('Validation-Token', token);
      } else {
        events.push({ headers: request.headers, ...JSON.parse(body) });
      }
      response.setHeader('Content-Type', 'application/json');
      response.end();
    });
  });
  await new Promise((heard) => server.listen(0, '127.0.0.1', heard));
  return { server, events, handshakes, address: `http://127.0.0.1:${server.address().port}/events` };
}

const server = `http://127.0.0.1:${await freePort()}`;
const sandbox = spawn(binary, ['sandbox', '--listen', server.slice(7)], { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, LOG: 'warn' } });
const ended = new Promise((end) => sandbox.once('exit', end));
const control = async (path, body) => {
  const answer = await fetch(`${server}/sandbox/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  const text = await answer.text();
  return text ? JSON.parse(text) : undefined;
};
const journal = async (kind) => (await control('journal?limit=100000')).entries.filter((entry) => entry.kind === kind);
const app = (name, owner) =>
  control('clients', { client_id: name, client_secret: `${name}-secret`, jwt: `${name}-jwt`, owner_extension_id: owner });
const refused = async (call) => call.then(() => assert.fail('it was not refused'), (error) => error);

async function extensible(hook) {
  await app('rc-ex', '62000001');
  const rc = new RingCentral({ server, clientId: 'rc-ex', clientSecret: 'rc-ex-secret' });
  let chat;
  await check('@rc-ex/core signs in', async () => {
    await rc.authorize({ jwt: 'rc-ex-jwt' });
    assert.equal(rc.token.token_type, 'bearer');
    assert.equal((await rc.restapi().account().extension().get()).id, 62000001);
  });
  await check('@rc-ex/core refreshes; the old access token dies at once', async () => {
    const old = rc.token.access_token;
    await rc.refresh();
    assert.notEqual(rc.token.access_token, old);
    const dead = await fetch(`${server}/team-messaging/v1/chats`, { headers: { authorization: `Bearer ${old}` } });
    assert.equal(dead.status, 401);
    await rc.restapi().account().extension().get();
  });
  const tm = rc.teamMessaging().v1();
  await check('@rc-ex/core makes a team and a conversation', async () => {
    const team = await tm.teams().post({ name: 'Ada', members: [{ id: '701' }] });
    chat = tm.chats(team.id);
    assert.equal((await tm.teams(team.id).get()).name, 'Ada');
    assert.equal((await tm.conversations().post({ members: [{ id: '701' }] })).type, 'Direct');
    assert.equal((await tm.chats().list({ type: ['Team'] })).records.length, 1);
    assert.equal((await tm.recent().chats().get()).records.length, 2);
    assert.equal((await tm.persons('701').get()).id, '701');
  });
  await check('@rc-ex/core posts, lists newest first, pages, edits and deletes', async () => {
    for (const number of [1, 2, 3]) await chat.posts().post({ text: `number ${number}` });
    const first = await chat.posts().list({ recordCount: 2 });
    assert.deepEqual(first.records.map((post) => post.text), ['number 3', 'number 2']);
    const second = await chat.posts().list({ recordCount: 2, pageToken: first.navigation.nextPageToken });
    assert.deepEqual(second.records.map((post) => post.text), ['number 1']);
    const edited = await chat.posts(second.records[0].id).patch({ text: 'number one' });
    assert.equal(edited.text, 'number one');
    await chat.posts(edited.id).delete();
    const gone = await refused(chat.posts(edited.id).get());
    assert.equal(gone.response.status, 404);
    assert.equal(gone.response.data.errors[0].errorCode, 'CMN-102');
    const unknown = await refused(rc.get('/restapi/v1.0/nothing'));
    assert.equal(unknown.response.data.errorCode, 'CMN-120');
  });
  let subscription;
  await check('@rc-ex/core subscribes with a handshake and renews', async () => {
    const wish = {
      eventFilters: [CHAT_POSTS],
      expiresIn: 600,
      deliveryMode: { transportType: 'WebHook', address: hook.address, verificationToken: 'rc-ex-check' },
    };
    subscription = await rc.restapi().subscription().post(wish);
    assert.equal(subscription.status, 'Active');
    assert.equal(hook.handshakes.length, 1);
    const renewed = await rc.restapi().subscription(subscription.id).renew().post();
    assert.equal(renewed.id, subscription.id);
    assert.equal((await rc.restapi().subscription().list()).records.length, 1);
    const silent = await refused(rc.restapi().subscription().post({ ...wish, deliveryMode: { ...wish.deliveryMode, address: 'http://127.0.0.1:1/' } }));
    assert.equal(silent.response.data.errors[0].errorCode, 'SUB-525');
  });
  await check('@rc-ex/core hears of its own post and of an agent’s', async () => {
    const post = await chat.posts().post({ text: 'Hello' });
    const echo = await until('the echo', () => hook.events.find((event) => event.body.id === post.id));
    assert.equal(echo.headers['verification-token'], 'rc-ex-check');
    assert.equal(echo.body.eventType, 'PostAdded');
    await control('agents/post', { chat_id: post.groupId, text: 'On my way' });
    const agents = await until('the agent', () => hook.events.find((event) => event.body.text === 'On my way'));
    assert.equal(agents.body.creatorId, '701');
    assert.equal(agents.subscriptionId, subscription.id);
    await rc.restapi().subscription(subscription.id).delete();
    assert.equal((await refused(rc.restapi().subscription(subscription.id).get())).response.status, 404);
  });
  await check('@rc-ex/core hits the limit and recovers', async () => {
    await control('limits', { posts_per_minute: 2, posts_per_day: 2500 });
    await control('limits/window', { seconds: 1 });
    await chat.posts().post({ text: 'first' });
    await chat.posts().post({ text: 'second' });
    const limited = await refused(chat.posts().post({ text: 'too many' }));
    assert.equal(limited.response.status, 429);
    assert.equal(limited.response.headers['retry-after'], '1');
    assert.equal(limited.response.headers['x-rate-limit-group'], 'medium');
    assert.equal(limited.response.headers['x-rate-limit-remaining'], '0');
    assert.equal(limited.response.data.errors[0].errorCode, 'CMN-301');
    await new Promise((later) => setTimeout(later, 1_100));
    await chat.posts().post({ text: 'third' });
    await control('limits/window', { seconds: 60 });
    await control('limits', { posts_per_minute: 40, posts_per_day: 2500 });
    const texts = (await chat.posts().list({ recordCount: 3 })).records.map((post) => post.text);
    assert.deepEqual(texts, ['third', 'second', 'first']);
  });
  await check('@rc-ex/core is told of the daily limit by a 500', async () => {
    await control('faults', { on: 'post', fault: 'daily_limit' });
    const limited = await refused(chat.posts().post({ text: 'too many today' }));
    assert.equal(limited.response.status, 500);
    assert.match(limited.response.data.message, /exceeded your limits/);
  });
  await check('@rc-ex/core signs out', async () => {
    await rc.revoke();
    assert.equal((await journal('revoke')).length, 1);
  });
}

async function classic(hook) {
  await app('rc-js', '62000002');
  const sdk = new SDK({ server, clientId: 'rc-js', clientSecret: 'rc-js-secret', handleRateLimit: 2 });
  const platform = sdk.platform();
  const json = async (answer) => (await answer).json();
  let posts;
  await check('@ringcentral/sdk signs in and posts', async () => {
    await platform.login({ jwt: 'rc-js-jwt' });
    const team = await json(platform.post('/team-messaging/v1/teams', { name: 'Bob' }));
    posts = `/team-messaging/v1/chats/${team.id}/posts`;
    const post = await json(platform.post(posts, { text: 'one' }));
    assert.equal((await json(platform.get(posts))).records[0].id, post.id);
    assert.equal((await json(platform.send({ method: 'PATCH', url: `${posts}/${post.id}`, body: { text: 'two' } }))).text, 'two');
    assert.equal((await platform.delete(`${posts}/${post.id}`)).status, 204);
  });
  await check('@ringcentral/sdk refreshes by itself when its token has expired, and posts once', async () => {
    await control('tokens/expire', {});
    const post = await json(platform.post(posts, { text: 'after the 401' }));
    assert.equal(post.text, 'after the 401');
    const made = (await journal('post')).filter((entry) => entry.text === 'after the 401' && entry.accepted);
    assert.equal(made.length, 1);
  });
  await check('@ringcentral/sdk waits out a 429 by itself', async () => {
    await control('faults', { on: 'post', fault: 'status', status: 429, retry_after: 1 });
    assert.equal((await json(platform.post(posts, { text: 'after the 429' }))).text, 'after the 429');
  });
  await check('@ringcentral/sdk reads an error', async () => {
    const error = await refused(platform.get('/team-messaging/v1/chats/1'));
    assert.match(error.message, /Resource for parameter \[chatId\] is not found/);
  });
  await check('@ringcentral/sdk reads people in bulk', async () => {
    await control('people', { id: '404', known: false });
    const parts = await sdk.client().multipart(await platform.get('/team-messaging/v1/persons/701,404'));
    assert.deepEqual(parts.map((part) => part.status), [200, 404]);
    assert.equal((await parts[0].json()).id, '701');
  });
  await check('@ringcentral/sdk subscribes, hears an event, changes and deletes', async () => {
    const deliveryMode = { transportType: 'WebHook', address: hook.address };
    const made = await json(platform.post('/restapi/v1.0/subscription', { eventFilters: [CHAT_POSTS], deliveryMode }));
    assert.equal(made.expiresIn, 604_799);
    const post = await json(platform.post(posts, { text: 'hear this' }));
    await until('the event', () => hook.events.find((event) => event.body.id === post.id));
    const url = `/restapi/v1.0/subscription/${made.id}`;
    assert.equal((await json(platform.put(url, { eventFilters: [CHAT_POSTS, '/team-messaging/v1/groups'] }))).eventFilters.length, 2);
    await platform.delete(url);
  });
  await check('@ringcentral/sdk signs out', async () => {
    await platform.logout();
    assert.equal(await platform.loggedIn(), false);
  });
}

async function inPython(hook) {
  await app('rc-py', '62000003');
  const script = new URL('./sdk_check.py', import.meta.url).pathname;
  const child = spawn(python, [script, server, hook.address], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (part) => (printed += part));
  const code = await new Promise((end) => child.once('exit', end));
  for (const line of printed.trim().split('\n')) {
    if (line.startsWith('ok ')) await check(line.slice(3), async () => {});
    else console.log(line);
  }
  assert.equal(code, 0, 'the Python SDK failed');
  const echo = await until('the event', () => hook.events.find((event) => event.body.text === 'from Python'));
  assert.equal(echo.headers['verification-token'], 'rc-py-check');
}

try {
  await until('the sandbox listens', () => fetch(`${server}/sandbox/v1/limits`).then((answer) => answer.ok, () => false));
  const hook = await receiver();
  await extensible(hook);
  await classic(hook);
  await inPython(hook);
  console.log(`${checks} passed, 0 failed`);
} catch (error) {
  console.error(error);
  console.log(`${checks} passed, 1 failed`);
  process.exitCode = 1;
} finally {
  sandbox.kill('SIGTERM');
  await ended;
  process.exit(); // the address for events still listens
}
