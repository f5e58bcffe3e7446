// The edge of local regions: real HTTP on both sides; regions that do as the test says.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { createEdge, customHeaders } from '../local.mjs';
import { makeLog } from '../log.mjs';
import { makeKey } from './fixtures.mjs';

const closing = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const listen = (server, where) => new Promise((resolve) => server.listen(where, resolve));

const key = makeKey('local');
const ITEMS = {
  [`/registry/keys/${key.id}`]: JSON.stringify({ tenant: 'acme', status: 'active' }),
  '/registry/tenants/acme': JSON.stringify({ home_region: 'eu', shard: 'shard-0', status: 'active', epoch: 1 }),
};

// A region: its gateway by `serve`, its control socket by ITEMS.
async function region(folder, name, serve, items = ITEMS) {
  const gateway = http.createServer(serve);
  const socket = join(folder, name);
  const control = http.createServer((request, answer) => {
    const text = items[request.url];
    answer.writeHead(text ? 200 : 404).end(text);
  });
  await listen(gateway, { port: 0, host: '127.0.0.1' });
  await listen(control, socket);
  closing.push(() => Promise.all([gateway, control].map((server) => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())))));
  return { name, host: '127.0.0.1', port: gateway.address().port, active: true, socket, gateway };
}

async function edge(serveEu, { serveUs = (_, answer) => answer.end('us'), change = (settings) => settings, items } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'edge-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const regions = [await region(folder, 'us', serveUs, items), await region(folder, 'eu', serveEu, items)];
  const settings = change({ home: 'us', regions });
  const made = createEdge(settings, { log: makeLog(() => {}) });
  await listen(made.server, { port: 0, host: '127.0.0.1' });
  closing.push(() => made.drain());
  return { ...made, regions, settings, port: made.server.address().port };
}

function ask(port, { method = 'GET', path = '/v1/query', headers = {}, body, pieces } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, agent: false, headers: { authorization: `Bearer ${key.text}`, ...headers } }, (answer) => {
      const got = [];
      answer.on('data', (piece) => got.push(piece));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(got).toString() }));
      answer.on('error', reject);
    });
    request.on('error', reject);
    for (const piece of pieces ?? []) request.write(piece);
    request.end(body);
  });
}

const whole = async (request) => {
  let bytes = 0;
  for await (const piece of request) bytes += piece.length;
  return bytes;
};

test('a request goes home with its head as CloudFront gives it, and nothing of the router in it', async () => {
  let seen;
  const { port } = await edge((request, answer) => {
    seen = { url: request.url, headers: request.headers };
    answer.writeHead(200, { 'X-Own': 'yes', Connection: 'keep-alive' }).end('eu');
  });
  const got = await ask(port, { path: '/v1/query?a=1&b=%2F', headers: { 'X-Forwarded-For': '203.0.113.9', Connection: 'x-hop', 'X-Hop': '1' } });
  assert.deepEqual([got.status, got.body, got.headers['x-own']], [200, 'eu', 'yes']);
  assert.equal(seen.url, '/v1/query?a=1&b=%2F'); // no shard
  assert.equal(seen.headers.host, 'eu.api.prism.local');
  assert.equal(seen.headers['x-forwarded-for'], '203.0.113.9, 127.0.0.1');
  assert.match(seen.headers.via, /prism-edge/);
  assert.ok(seen.headers['x-amz-cf-id']);
  assert.equal(seen.headers['x-hop'], undefined);
  assert.ok(!Object.keys(seen.headers).some((name) => name.startsWith('x-prism-edge-')));
});

test('bodies pass whole, with a length and in pieces', async () => {
  const { port } = await edge(async (request, answer) => answer.end(`${await whole(request)} ${request.headers['content-length'] ?? request.headers['transfer-encoding']}`));
  const big = Buffer.alloc(3_000_000, 'x');
  assert.equal((await ask(port, { method: 'POST', body: big, headers: { 'content-length': big.length } })).body, '3000000 3000000');
  assert.equal((await ask(port, { method: 'POST', pieces: [big, big] })).body, '6000000 chunked');
  assert.equal((await ask(port, { method: 'POST' })).body.split(' ')[0], '0');
});

test('an unknown key and a bad path are answered here', async () => {
  const { port } = await edge(() => assert.fail('asked'));
  assert.equal((await ask(port, { headers: { authorization: `Bearer ${makeKey('other').text}` } })).status, 401);
  assert.equal((await ask(port, { headers: { authorization: '' }, method: 'POST', body: 'x'.repeat(1_000_000) })).status, 401);
  assert.equal((await ask(port, { path: '/v1/a//b' })).status, 400);
  assert.equal((await ask(port, { path: '/elsewhere' })).status, 404);
});

test('a region that is gone is 503 with Retry-After, and after three failures is not tried', async () => {
  const made = await edge((_, answer) => answer.end('eu'));
  await new Promise((resolve) => (made.regions[1].gateway.close(resolve), made.regions[1].gateway.closeAllConnections()));
  for (let i = 0; i < 5; i++) {
    const got = await ask(made.port);
    assert.equal(got.status, 503);
    assert.ok(Number(got.headers['retry-after']) >= 1);
    assert.equal(JSON.parse(got.body).detail, 'the home region is not available; repeat later');
  }
  assert.equal((await ask(made.port, { path: '/v1/health', headers: { authorization: '' } })).body, 'us');
});

test('who is refused a connection waits for the region, with the body whole', async () => {
  const made = await edge(async (request, answer) => answer.end(String(await whole(request))));
  const { gateway, port } = made.regions[1];
  await new Promise((resolve) => (gateway.close(resolve), gateway.closeAllConnections()));
  const big = Buffer.alloc(3_000_000, 'x');
  const waiting = [ask(made.port, { method: 'POST', body: big, headers: { 'content-length': big.length } }), ask(made.port, { method: 'POST', pieces: [big, big] }), ask(made.port)];
  assert.equal(await Promise.race([...waiting, new Promise((resolve) => setTimeout(resolve, 50, 'nobody was answered'))]), 'nobody was answered');
  await listen(gateway, { port, host: '127.0.0.1' });
  const got = await Promise.all(waiting);
  assert.deepEqual(got.map(({ status, body }) => [status, body]), [[200, '3000000'], [200, '6000000'], [200, '0']]);
});

test('a client that leaves while it waits for a region is not told on', async () => {
  let asked = 0;
  const made = await edge((_, answer) => (asked++, answer.end('eu')));
  const { gateway, port } = made.regions[1];
  await new Promise((resolve) => (gateway.close(resolve), gateway.closeAllConnections()));
  const client = net.connect(made.port, '127.0.0.1');
  client.write(`GET /v1/query?left HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key.text}\r\n\r\n`);
  const answer = await new Promise((resolve) => made.server.once('request', (_, outgoing) => resolve(outgoing)));
  const left = new Promise((resolve) => answer.once('close', resolve));
  await new Promise((resolve) => setTimeout(resolve, 30)); // it waits for its region meanwhile
  client.destroy();
  await left;
  await listen(gateway, { port, host: '127.0.0.1' });
  assert.equal((await ask(made.port)).body, 'eu');
  assert.equal(asked, 1);
});

test('connections that broke off make no region ill', async () => {
  let cut = 4;
  const made = await edge((request, answer) => (cut-- > 0 ? request.socket.destroy() : answer.end('eu')));
  for (let i = 0; i < 4; i++) assert.equal((await ask(made.port)).status, 503);
  assert.equal((await ask(made.port)).body, 'eu');
});

test('a region that is ill is tried again soon', async () => {
  const made = await edge((_, answer) => answer.end('eu'));
  const { gateway, port } = made.regions[1];
  await new Promise((resolve) => (gateway.close(resolve), gateway.closeAllConnections()));
  for (const { status } of await Promise.all([1, 2, 3].map(() => ask(made.port)))) assert.equal(status, 503); // the circuit is open
  await listen(gateway, { port, host: '127.0.0.1' });
  let got = await ask(made.port);
  while (got.status !== 200) got = await ask(made.port);
  assert.equal(got.body, 'eu');
});

test('an evacuated region is not asked; its standby is, from the next configuration on', async () => {
  const made = await edge((_, answer) => answer.end('eu'));
  assert.equal((await ask(made.port)).body, 'eu');
  made.configure({ ...made.settings, regions: made.settings.regions.map((one) => (one.name === 'eu' ? { ...one, active: false, standby: 'us' } : one)) });
  assert.equal((await ask(made.port)).body, 'us');
});

test('421 becomes 503, repeatable', async () => {
  const { port } = await edge((_, answer) => answer.writeHead(421, { 'content-type': 'application/problem+json' }).end('{}'));
  const got = await ask(port);
  assert.deepEqual([got.status, got.headers['retry-after'], JSON.parse(got.body).detail], [503, '1', 'the tenant has moved to another region; repeat the request']);
});

test('an early answer reaches a client that still sends', async () => {
  const { port } = await edge((request, answer) => {
    answer.writeHead(413).end('too large');
    request.resume(); // as the regions do: a connection that is closed with bytes unread takes the answer along
  });
  const got = await ask(port, { method: 'POST', body: Buffer.alloc(20_000_000), headers: { 'content-length': 20_000_000 } });
  assert.deepEqual([got.status, got.body], [413, 'too large']);
});

test('an answer that breaks off there breaks off here', async () => {
  const { port } = await edge((_, answer) => {
    answer.writeHead(200, { 'content-length': 100 });
    answer.write('half', () => answer.destroy());
  });
  await assert.rejects(ask(port));
});

test('a client that leaves ends the request at the region', async () => {
  let arrived, gone;
  const came = new Promise((resolve) => (arrived = resolve));
  const left = new Promise((resolve) => (gone = resolve));
  const { port } = await edge((request, answer) => {
    answer.on('close', gone);
    arrived();
  });
  const client = net.connect(port, '127.0.0.1');
  client.write(`GET /v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key.text}\r\n\r\n`);
  await came;
  client.destroy();
  await left;
});

test('a slow reader slows the region down', async () => {
  let written = 0;
  const { port } = await edge((_, answer) => {
    answer.writeHead(200);
    const piece = Buffer.alloc(1 << 20);
    const more = () => {
      while (written < 200 && answer.write(piece)) written++;
      if (written < 200) answer.once('drain', () => (written++, more()));
      else answer.end();
    };
    more();
  });
  const client = net.connect(port, '127.0.0.1');
  client.write(`GET /v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key.text}\r\n\r\n`);
  await new Promise((resolve) => client.once('data', resolve));
  client.pause();
  let last = -1;
  while (last !== written) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 300)); // until nothing moves any more
  }
  assert.ok(written < 100, `${written} MiB are under way`);
  client.resume();
  await new Promise((resolve) => client.on('data', () => written === 200 && resolve()));
  client.destroy();
});

test('drained, it lets a request end and takes no other', async () => {
  let answerNow;
  const came = new Promise((resolve) => (answerNow = resolve));
  const made = await edge((_, answer) => answerNow(() => answer.end('late')));
  const running = ask(made.port);
  const finish = await came;
  const drained = made.drain();
  await assert.rejects(ask(made.port), { code: 'ECONNREFUSED' });
  finish();
  const got = await running;
  assert.deepEqual([got.body, got.headers.connection], ['late', 'close']);
  await drained;
});

test('the configuration is as CloudFront gives it', () => {
  const headers = customHeaders({ home: 'a', regions: [{ name: 'a', active: true }, { name: 'b', active: false, standby: 'a' }] });
  assert.equal(headers['x-prism-edge-regions'][0].value, 'a/a/active/-,b/b/out/a');
});
