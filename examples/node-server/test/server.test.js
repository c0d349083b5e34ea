'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const http = require('node:http');
const path = require('node:path');
const { after, before, test } = require('node:test');

const { createServer } = require('../server.js');

let server;
let base;

before(async () => {
  server = createServer({ commit: '5de842e', log: () => {} });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.close();
  server.closeAllConnections();
});

test('says which commit it is', async () => {
  const response = await fetch(base);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { hello: 'world', commit: '5de842e' });
});

test('is healthy', async () => {
  const response = await fetch(`${base}/healthz?from=the-load-balancer`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { ok: true });
});

test('answers a HEAD without a body', async () => {
  const response = await fetch(`${base}/healthz`, { method: 'HEAD' });
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '');
});

test('knows nothing else', async () => {
  assert.equal((await fetch(`${base}/favicon.ico`)).status, 404);
  assert.equal((await fetch(base, { method: 'POST', body: 'x' })).status, 405);
});

test('finishes what was begun before it stops', async () => {
  const child = spawn(process.execPath, [path.join(__dirname, '..', 'server.js')], {
    env: { ...process.env, PORT: '0', COMMIT: 'abc1234' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
  const { listening } = JSON.parse((await lines.next()).value.split('\n')[0]);

  // A request whose headers are not complete yet when the signal comes.
  const begun = http.request({ port: listening, host: '127.0.0.1', path: '/', agent: false });
  const socket = await new Promise((resolve) => begun.on('socket', resolve));
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n');
  const answered = new Promise((resolve) => socket.on('data', (data) => resolve(String(data))));
  // Said by the server once it has taken the connection, by answering another one first.
  await (await fetch(`http://127.0.0.1:${listening}/healthz`, { headers: { connection: 'close' } })).text();

  child.kill('SIGTERM');
  const exited = once(child, 'exit');
  let heard = '';
  while (!heard.includes('stopping')) heard += (await lines.next()).value;
  socket.write('Connection: close\r\n\r\n');
  assert.match(await answered, /"commit":"abc1234"/);
  assert.deepEqual(await exited, [0, null]);
});
