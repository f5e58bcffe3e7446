// The edge of local regions: real HTTP on both sides; regions that do as the test says. What clients must not notice is asked over both protocols.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import tls from 'node:tls';
import { BOUNDS } from '../http2.mjs';
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

const own = mkdtempSync(join(tmpdir(), 'edge-'));
const pair = { certificate: join(own, 'pem'), key: join(own, 'key') };
before(() =>
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', pair.key, '-out', pair.certificate], { stdio: 'ignore' }), // prettier-ignore
);
after(() => rmSync(own, { recursive: true }));

async function edge(serveEu, { serveUs = (_, answer) => answer.end('us'), change = (settings) => settings, items, bounds, now } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'edge-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const regions = [await region(folder, 'us', serveUs, items), await region(folder, 'eu', serveEu, items)];
  const settings = change({ home: 'us', regions, tls: pair });
  const made = createEdge(settings, { log: makeLog(() => {}), now, bounds: { ...BOUNDS, lookMs: 20, ...bounds } });
  for (const server of [made.server, made.secure]) await listen(server, { port: 0, host: '127.0.0.1' });
  closing.push(() => made.drain());
  const seen = new EventEmitter(); // requests of both protocols
  for (const server of made.servers) server.on('request', (...both) => seen.emit('request', ...both));
  return { ...made, seen, regions, settings, port: made.server.address().port, tlsPort: made.secure.address().port };
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

function connectTwo({ tlsPort }, options) {
  // The memory is of what this client has yet to send: past 10 MB Node.js would give up.
  const client = http2.connect(`https://127.0.0.1:${tlsPort}`, { ca: readFileSync(pair.certificate), maxSessionMemory: 64, ...options });
  closing.push(() => client.destroy());
  return client;
}

const startTwo = (client, { method = 'GET', path = '/v1/query', headers = {} } = {}, options) =>
  client.request({ ':method': method, ':path': path, authorization: `Bearer ${key.text}`, ...headers }, options);

// As ask(): on a connection of its own, unless one is given.
function askTwo(made, { body, pieces, ...more } = {}, client = connectTwo(made)) {
  return new Promise((resolve, reject) => {
    client.on('error', reject);
    const request = startTwo(client, more, { endStream: !body && !pieces });
    const got = [];
    let headers;
    request.on('response', (head) => (headers = head));
    request.on('data', (piece) => got.push(piece));
    request.on('error', (error) => reject(error.cause ?? error));
    request.on('close', () =>
      headers && request.rstCode === 0 ? resolve({ status: headers[':status'], headers, body: Buffer.concat(got).toString() }) : reject(new Error(`reset by ${request.rstCode}`)),
    );
    for (const piece of pieces ?? []) request.write(piece);
    if (body || pieces) request.end(body);
  });
}

// A GET whose answer nobody reads yet: {answered, leave(), read(on), stop()}.
function startOne({ port }, path = '/v1/query') {
  const client = net.connect(port, '127.0.0.1').on('error', () => {});
  client.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key.text}\r\n\r\n`);
  const answered = new Promise((resolve) => client.once('data', () => (client.pause(), resolve())));
  return { answered, leave: () => client.destroy(), readAll: (on) => client.on('data', on).resume() };
}

function startOneOfTwo(made, path) {
  const client = connectTwo(made);
  const stream = startTwo(client, { path }).on('error', () => {});
  const answered = new Promise((resolve) => stream.once('response', resolve));
  return { answered, leave: () => stream.close(http2.constants.NGHTTP2_CANCEL), readAll: (on) => stream.on('data', on) };
}

const ONE = { name: 'HTTP/1.1', ask: ({ port }, options) => ask(port, options), start: startOne };
const TWO = { name: 'HTTP/2', ask: askTwo, start: startOneOfTwo };
const both = (name, run) => [ONE, TWO].forEach((over) => test(`${name} (${over.name})`, () => run(over)));

const whole = async (request) => {
  let bytes = 0;
  for await (const piece of request) bytes += piece.length;
  return bytes;
};

both('a request goes home with its head as CloudFront gives it, and nothing of the router in it', async (over) => {
  let seen;
  const made = await edge((request, answer) => {
    seen = { url: request.url, headers: request.headers };
    answer.writeHead(200, { 'X-Own': 'yes', Connection: 'keep-alive' }).end('eu');
  });
  const hop = over === ONE ? { Connection: 'x-hop', 'X-Hop': '1' } : { TE: 'trailers' };
  const got = await over.ask(made, { path: '/v1/query?a=1&b=%2F', headers: { 'X-Forwarded-For': '203.0.113.9', Cookie: 'a=1; b=2', ...hop } });
  assert.deepEqual([got.status, got.body, got.headers['x-own']], [200, 'eu', 'yes']);
  assert.equal(seen.url, '/v1/query?a=1&b=%2F'); // no shard
  assert.equal(seen.headers.host, 'eu.api.prism.local');
  assert.equal(seen.headers['x-forwarded-for'], '203.0.113.9, 127.0.0.1');
  assert.equal(seen.headers.via, `${over === ONE ? '1.1' : '2.0'} prism-edge (Prism)`);
  assert.equal(seen.headers.cookie, 'a=1; b=2');
  assert.ok(seen.headers['x-amz-cf-id']);
  assert.ok(!['x-hop', 'te'].some((name) => name in seen.headers));
  assert.ok(!Object.keys(seen.headers).some((name) => name.startsWith(':')));
  assert.ok(!Object.keys(seen.headers).some((name) => name.startsWith('x-prism-edge-')));
});

both('bodies pass whole, with a length and in pieces', async (over) => {
  const made = await edge(async (request, answer) => answer.end(`${await whole(request)} ${request.headers['content-length'] ?? request.headers['transfer-encoding']}`));
  const big = Buffer.alloc(3_000_000, 'x');
  assert.equal((await over.ask(made, { method: 'POST', body: big, headers: { 'content-length': big.length } })).body, '3000000 3000000');
  assert.equal((await over.ask(made, { method: 'POST', pieces: [big, big] })).body, '6000000 chunked');
  assert.equal((await over.ask(made, { method: 'POST' })).body.split(' ')[0], '0');
});

both('an unknown key and a bad path are answered here', async (over) => {
  const made = await edge(() => assert.fail('asked'));
  assert.equal((await over.ask(made, { headers: { authorization: `Bearer ${makeKey('other').text}` } })).status, 401);
  assert.equal((await over.ask(made, { headers: { authorization: '' }, method: 'POST', body: 'x'.repeat(1_000_000) })).status, 401);
  assert.equal((await over.ask(made, { path: '/v1/a//b' })).status, 400);
  assert.equal((await over.ask(made, { path: '/elsewhere' })).status, 404);
});

both('a region that is gone is 503 with Retry-After, and after three failures is not tried', async (over) => {
  const made = await edge((_, answer) => answer.end('eu'));
  await new Promise((resolve) => (made.regions[1].gateway.close(resolve), made.regions[1].gateway.closeAllConnections()));
  for (let i = 0; i < 5; i++) {
    const got = await over.ask(made);
    assert.equal(got.status, 503);
    assert.ok(Number(got.headers['retry-after']) >= 1);
    assert.equal(JSON.parse(got.body).detail, 'the home region is not available; repeat later');
  }
  assert.equal((await over.ask(made, { path: '/v1/health', headers: { authorization: '' } })).body, 'us');
});

both('who is refused a connection waits for the region, with the body whole', async (over) => {
  const made = await edge(async (request, answer) => answer.end(String(await whole(request))));
  const { gateway, port } = made.regions[1];
  await new Promise((resolve) => (gateway.close(resolve), gateway.closeAllConnections()));
  const big = Buffer.alloc(3_000_000, 'x');
  const waiting = [over.ask(made, { method: 'POST', body: big, headers: { 'content-length': big.length } }), over.ask(made, { method: 'POST', pieces: [big, big] }), over.ask(made)];
  assert.equal(await Promise.race([...waiting, new Promise((resolve) => setTimeout(resolve, 50, 'nobody was answered'))]), 'nobody was answered');
  await listen(gateway, { port, host: '127.0.0.1' });
  const got = await Promise.all(waiting);
  assert.deepEqual(got.map(({ status, body }) => [status, body]), [[200, '3000000'], [200, '6000000'], [200, '0']]);
});

both('a client that leaves while it waits for a region is not told on', async (over) => {
  let asked = 0;
  const made = await edge((_, answer) => (asked++, answer.end('eu')));
  const { gateway, port } = made.regions[1];
  await new Promise((resolve) => (gateway.close(resolve), gateway.closeAllConnections()));
  const came = new Promise((resolve) => made.seen.once('request', (_, outgoing) => resolve(outgoing)));
  const client = over.start(made, '/v1/query?left');
  const answer = await came;
  const left = new Promise((resolve) => answer.once('close', resolve));
  await new Promise((resolve) => setTimeout(resolve, 30)); // it waits for its region meanwhile
  client.leave();
  await left;
  await listen(gateway, { port, host: '127.0.0.1' });
  assert.equal((await over.ask(made)).body, 'eu');
  assert.equal(asked, 1);
});

both('connections that broke off make no region ill', async (over) => {
  let cut = 4;
  const made = await edge((request, answer) => (cut-- > 0 ? request.socket.destroy() : answer.end('eu')));
  for (let i = 0; i < 4; i++) assert.equal((await over.ask(made)).status, 503);
  assert.equal((await over.ask(made)).body, 'eu');
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

both('421 becomes 503, repeatable', async (over) => {
  const made = await edge((_, answer) => answer.writeHead(421, { 'content-type': 'application/problem+json' }).end('{}'));
  const got = await over.ask(made);
  assert.deepEqual([got.status, got.headers['retry-after'], JSON.parse(got.body).detail], [503, '1', 'the tenant has moved to another region; repeat the request']);
});

both('an early answer reaches a client that still sends', async (over) => {
  const made = await edge((request, answer) => {
    answer.writeHead(413).end('too large');
    request.resume(); // as the regions do: a connection that is closed with bytes unread takes the answer along
  });
  const got = await over.ask(made, { method: 'POST', body: Buffer.alloc(20_000_000), headers: { 'content-length': 20_000_000 } });
  assert.deepEqual([got.status, got.body], [413, 'too large']);
});

both('an answer that breaks off there breaks off here', async (over) => {
  const made = await edge((request, answer) => {
    answer.writeHead(200, request.url.endsWith('?pieces') ? {} : { 'content-length': 100 });
    answer.write('half', () => answer.destroy());
  });
  await assert.rejects(over.ask(made));
  await assert.rejects(over.ask(made, { path: '/v1/query?pieces' }));
});

both('a client that leaves ends the request at the region', async (over) => {
  let arrived, gone;
  const came = new Promise((resolve) => (arrived = resolve));
  const left = new Promise((resolve) => (gone = resolve));
  const made = await edge((request, answer) => {
    answer.on('close', gone);
    arrived();
  });
  const client = over.start(made);
  await came;
  client.leave();
  await left;
});

both('a slow reader slows the region down', async (over) => {
  let written = 0;
  const made = await edge((_, answer) => {
    answer.writeHead(200);
    const piece = Buffer.alloc(1 << 20);
    const more = () => {
      while (written < 200 && answer.write(piece)) written++;
      if (written < 200) answer.once('drain', () => (written++, more()));
      else answer.end();
    };
    more();
  });
  const client = over.start(made);
  await client.answered;
  let last = -1;
  while (last !== written) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 300)); // until nothing moves any more
  }
  assert.ok(written < 100, `${written} MiB are under way`);
  await new Promise((resolve) => client.readAll(() => written === 200 && resolve()));
  client.leave();
});

both('drained, it lets a request end and takes no other', async (over) => {
  let answerNow;
  const came = new Promise((resolve) => (answerNow = resolve));
  const made = await edge((_, answer) => answerNow(() => answer.end('late')));
  const running = over.ask(made);
  const finish = await came;
  const drained = made.drain();
  await assert.rejects(over.ask(made), { code: 'ECONNREFUSED' });
  finish();
  const got = await running;
  assert.deepEqual([got.body, got.headers.connection], ['late', over === ONE ? 'close' : undefined]);
  await drained;
});

both('a body of a request that has none as a rule is framed', async (over) => {
  const smuggled = 'GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  const seen = [];
  const made = await edge(async (request, answer) => {
    let text = '';
    for await (const piece of request) text += piece;
    seen.push([request.method, request.url, text]);
    answer.end('eu');
  });
  const headers = over === ONE ? { 'Transfer-Encoding': 'chunked' } : {};
  for (const method of ['GET', 'DELETE']) assert.equal((await over.ask(made, { method, headers, pieces: [smuggled] })).body, 'eu');
  assert.deepEqual(seen, [['GET', '/v1/query', smuggled], ['DELETE', '/v1/query', smuggled]]);
});

test('over TLS both protocols are there, HTTP/2 first, and without ALPN it is HTTP/1.1', async () => {
  const { tlsPort: port } = await edge((_, answer) => answer.end('eu'));
  const agreed = (ALPNProtocols) =>
    new Promise((resolve, reject) => {
      const client = tls.connect({ port, host: '127.0.0.1', ca: readFileSync(pair.certificate), ALPNProtocols }, () => (client.destroy(), resolve(client.alpnProtocol)));
      client.on('error', reject);
    });
  assert.deepEqual(await Promise.all([['http/1.1', 'h2'], ['http/1.1'], []].map(agreed)), ['h2', 'http/1.1', false]);
  await assert.rejects(agreed(['h3']));
  const got = await new Promise((resolve, reject) =>
    https.get({ port, host: '127.0.0.1', ca: readFileSync(pair.certificate), path: '/v1/query', agent: false, headers: { authorization: `Bearer ${key.text}` } }, resolve).on('error', reject),
  );
  assert.deepEqual([got.statusCode, got.httpVersion], [200, '1.1']);
  got.resume();
});

// ---- bounds of HTTP/2 ----

test('what a connection may do is said at its start', async () => {
  const client = connectTwo(await edge((_, answer) => answer.end('eu')));
  const { maxConcurrentStreams, initialWindowSize, maxHeaderListSize } = await new Promise((resolve) => client.once('remoteSettings', resolve));
  assert.deepEqual([maxConcurrentStreams, initialWindowSize, maxHeaderListSize], [100, 256 << 10, 32_768]);
});

test('a head that is too large is 431, one far beyond is not read', async () => {
  const made = await edge(() => assert.fail('asked'));
  const client = connectTwo(made);
  const got = await askTwo(made, { headers: { 'x-large': 'x'.repeat(17_000) } }, client);
  assert.deepEqual([got.status, got.headers['content-type']], [431, 'application/problem+json']);
  await assert.rejects(askTwo(made, { headers: { 'x-large': 'x'.repeat(40_000) } }, client));
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, '']));
  await assert.rejects(askTwo(made, { headers: many }, client));
  assert.equal((await askTwo(made, { path: '/elsewhere' }, client)).status, 404);
});

test('who resets one stream after the other loses the connection, and no other does', async () => {
  const made = await edge(() => {}, { bounds: { resets: 20, resetsPerSecond: 0.001 } });
  const other = connectTwo(made);
  const client = connectTwo(made).on('error', () => {});
  const code = new Promise((resolve) => client.once('goaway', resolve));
  const closed = new Promise((resolve) => client.once('close', resolve));
  const more = () => {
    if (client.destroyed || client.closed) return;
    const stream = startTwo(client).on('error', () => {});
    made.seen.once('request', () => stream.close(http2.constants.NGHTTP2_CANCEL));
    stream.once('close', more);
  };
  more();
  assert.equal(await code, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  await closed;
  assert.equal((await askTwo(made, { path: '/elsewhere' }, other)).status, 404);
});

test('a reader that takes nothing is reset, and its request at the region ends', async () => {
  let gone;
  let clock = 0;
  const left = new Promise((resolve) => (gone = resolve));
  const made = await edge(
    (request, answer) => {
      if (request.url.endsWith('?small')) return answer.end('eu');
      answer.on('close', gone).writeHead(200);
      const more = () => {
        while (!answer.destroyed && answer.write(Buffer.alloc(65_536)));
      };
      answer.on('drain', more);
      more();
    },
    { now: () => clock, bounds: { idleMs: Infinity, quietMs: Infinity } },
  );
  const client = connectTwo(made);
  const stream = startTwo(client).on('error', () => {});
  const code = new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode)));
  stream.once('response', () => stream.pause());
  const ticking = setInterval(() => (clock += BOUNDS.readerMs + 1), 50);
  await left;
  clearInterval(ticking);
  stream.resume();
  assert.equal(await code, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  assert.equal((await askTwo(made, { path: '/v1/query?small' }, client)).body, 'eu');
});

test('a connection without a stream is ended in time; one whose answer takes longer is not', async () => {
  let answerNow;
  let clock = 0;
  const came = new Promise((resolve) => (answerNow = resolve));
  const made = await edge((_, answer) => answerNow(() => answer.end('late')), { now: () => clock });
  const busy = connectTwo(made);
  const running = askTwo(made, {}, busy);
  const finish = await came;
  const idle = connectTwo(made);
  const bare = tls.connect({ port: made.tlsPort, host: '127.0.0.1', ca: readFileSync(pair.certificate), ALPNProtocols: ['h2'] }); // not a word
  await Promise.all([new Promise((resolve) => idle.once('remoteSettings', resolve)), new Promise((resolve) => bare.once('data', resolve))]);
  const closed = [idle, bare].map((client) => new Promise((resolve) => client.once('close', resolve)));
  bare.resume();
  clock += BOUNDS.idleMs + 1;
  await Promise.all(closed);
  assert.equal(busy.closed, false);
  finish();
  assert.equal((await running).body, 'late');
});

// RFC 9113 section 4.1
function frame(type, flags, stream, bytes) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

function connectRaw(made) {
  const client = tls.connect({ port: made.tlsPort, host: '127.0.0.1', ca: readFileSync(pair.certificate), ALPNProtocols: ['h2'] });
  client.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]));
  closing.push(() => client.destroy());
  return client;
}

// A request on stream 1 whose body is to come. RFC 7541: POST and https of the static table, :authority, :path and authorization with values.
function beginning() {
  const text = (value) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  const fields = [[0x83, 0x87, 0x01], text('x'), [0x04], text('/v1/query'), [0x0f, 0x08], text(`Bearer ${key.text}`)];
  return frame(1, 4, 1, Buffer.concat(fields.map((piece) => Buffer.from(piece))));
}

for (const [name, one] of [['PING', frame(6, 0, 0, Buffer.alloc(8))], ['SETTINGS', frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]))], ['empty DATA', frame(0, 0, 1, Buffer.alloc(0))]])
  test(`a flood of ${name} ends its connection and no other`, async () => {
    const made = await edge(() => {});
    const other = connectTwo(made);
    const client = connectRaw(made);
    client.write(Buffer.concat([beginning(), ...Array(20_000).fill(one)]));
    await new Promise((resolve) => client.on('error', resolve).once('close', resolve).resume());
    assert.equal((await askTwo(made, { path: '/elsewhere' }, other)).status, 404);
  });

test('a peer that is there no more is noticed by its silence, though its stream is open', async () => {
  let clock = 0;
  const made = await edge(() => {}, { now: () => clock });
  const came = new Promise((resolve) => made.seen.once('request', resolve));
  const silent = connectRaw(made);
  silent.write(beginning()); // a request whose body does not come
  let heard = Buffer.alloc(0);
  silent.on('data', (piece) => (heard = Buffer.concat([heard, piece])));
  const closed = new Promise((resolve) => silent.on('error', resolve).once('close', resolve));
  await came;
  const ticking = setInterval(() => (clock += BOUNDS.quietMs + 1), 100);
  await closed;
  clearInterval(ticking);
  assert.ok(heard.includes(Buffer.from([0, 0, 8, 6, 0])), 'it was asked'); // PING
});

test('drained, it says so to who is connected, and ends each connection with its last stream', async () => {
  let answerNow;
  const came = new Promise((resolve) => (answerNow = resolve));
  const made = await edge((_, answer) => answerNow(() => answer.end('late')));
  const client = connectTwo(made);
  const running = askTwo(made, {}, client);
  const finish = await came;
  const code = new Promise((resolve) => client.once('goaway', resolve));
  const closed = new Promise((resolve) => client.once('close', resolve));
  const drained = made.drain();
  assert.equal(await code, http2.constants.NGHTTP2_NO_ERROR);
  finish();
  assert.equal((await running).body, 'late');
  await closed;
  await drained;
});

test('the configuration is as CloudFront gives it', () => {
  const headers = customHeaders({ home: 'a', regions: [{ name: 'a', active: true }, { name: 'b', active: false, standby: 'a' }] });
  assert.equal(headers['x-prism-edge-regions'][0].value, 'a/a/active/-,b/b/out/a');
});
