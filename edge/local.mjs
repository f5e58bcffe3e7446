// local.mjs - the edge of local regions (`prism up --regions`): the same router that Lambda@Edge runs, behind an HTTP server in the place of
// CloudFront: HTTP/1.1, and HTTP/2 (http2.mjs) where TLS agrees on it; HTTP/1.1 to the regions. Node.js and nothing else.
//
//   node local.mjs <router.json>
//
// router.json: {host, port, home, here?, tls?: {port, certificate, key}, regions: [{name, host, port, socket, active, standby?}]}; read again at SIGHUP, and
// the files that tls names with it. `socket` is the region's control socket, by which its replica of the registry is read.
//
// What CloudFront does and this does alike: the router sees the request's head only; bodies stream through; X-Forwarded-For, Via, X-Amz-Cf-Id; the
// answers' heads go by the router; a connection that is refused is tried again before the client hears of it (CloudFront: 3 attempts of up to 10 s).
// Where it differs: a region that cannot be reached is 503 with Retry-After (CloudFront: 502 or 504 of its own), and its circuit is told at once.
// A region has one stage for all its shards, so the shard in the origin's path is dropped.
//
// Descriptor 3, when there is one, gets one JSON object: {"pid","port"} or {"why"}. It ends with SIGTERM or with its standard input, after
// the requests that run; 30 s at most.
import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, readFileSync, realpathSync, writeSync } from 'node:fs';
import http from 'node:http';
import tls from 'node:tls';
import { pathToFileURL } from 'node:url';
import { Breakers } from './health.mjs';
import { BOUNDS, createHttp2, cut, fieldsOf, hangUp, hasBody, isComplete, isGone, isTooLarge } from './http2.mjs';
import { makeLog } from './log.mjs';
import { createRouter } from './router.mjs';

const DOMAIN = 'prism.local'; // a region's origin is <name>.api.prism.local, here only a name in the router's head
const DRAIN_MS = 30_000;
const REGISTRY_MS = 1_000;
const HEALTH_MS = 1_500;
const OPEN_MS = 100; // a port that nobody listens on says so at once, and is tried for little; the router on AWS leaves a region alone for 10 s
const CONNECT_TRIES = 50; // of a connection that is refused, 10 ms apart: a region that died is there again in less than all of them take
const CONNECT_EVERY_MS = 10;
const CUT_OFF = new Set(['ECONNRESET', 'EPIPE']); // the end of one connection says nothing of the next, which is refused if the region is gone
const CONNECTING_MAX = 256; // requests that wait for a connection at once; more are answered
const IDLE_MS = 20_000; // below the regions' 60 s, so that a kept connection is not found closed
const HEADER_BYTES = 16_384; // the regions' own limit
const LINGER_MS = 5_000; // how long, and how much of, a body is read on that was answered early
const LINGER_BYTES = 64 << 20;
const HANDSHAKE_MS = 10_000;
const TICKET_KEY_MS = 6 * 3_600_000; // a context's ticket keys live as long as it does
const HANDSHAKES_TOLD = 5; // that failed, a second

// What the gateway of a region alone offers (src/http/tls.c), less what OpenSSL 3.0 does not have. docs/design/tls.md
const SSL_OP_NO_RENEGOTIATION = 1 << 30; // openssl/ssl.h; Node.js has no name for it
const OFFERED = {
  minVersion: 'TLSv1.2',
  ciphers: [
    'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', // of TLS 1.3
    ...['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'].flatMap((cipher) => [`ECDHE-ECDSA-${cipher}`, `ECDHE-RSA-${cipher}`]),
  ].join(':'),
  ecdhCurve: 'X25519:P-256:P-384',
  sigalgs: [256, 384, 512].flatMap((bits) => [`ecdsa_secp${bits === 512 ? 521 : bits}r1_sha${bits}`, `rsa_pss_rsae_sha${bits}`, `rsa_pkcs1_sha${bits}`]).join(':'),
  honorCipherOrder: true,
  secureOptions: SSL_OP_NO_RENEGOTIATION,
  ALPNProtocols: ['h2', 'http/1.1'],
};
const shown = ({ certificate, key }) => ({ ...OFFERED, cert: readFileSync(certificate), key: readFileSync(key) });

// RFC 9110 section 7.6.1, and what CloudFront removes: what belongs to a connection and not to the message.
const HOP = new Set(['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'expect']);

const lower = (rawHeaders) => {
  const headers = {};
  for (let i = 0; i < rawHeaders.length; i += 2) (headers[rawHeaders[i].toLowerCase()] ??= []).push({ key: rawHeaders[i], value: rawHeaders[i + 1] });
  return headers;
};

function withoutHops(headers) {
  for (const { value } of headers.connection ?? []) for (const name of value.split(',')) delete headers[name.trim().toLowerCase()];
  for (const name of HOP) delete headers[name];
  return headers;
}

const flat = (headers) => Object.values(headers).flatMap((values) => values.flatMap(({ key, value }) => [key, value]));

// The configuration as CloudFront would give it (config.mjs).
export function customHeaders({ home, regions }) {
  const all = {
    version: '1',
    domain: DOMAIN,
    home,
    regions: regions.map(({ name, active, standby }) => [name, name, active === false ? 'out' : 'active', standby ?? '-'].join('/')).join(','),
    tables: 'keys=keys,tenants=tenants',
    stores: regions.map(({ name }) => name).join(','),
    attempt: '1',
  };
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [`x-prism-edge-${name}`, [{ key: `X-Prism-Edge-${name}`, value }]]));
}

const originOf = (name) => `${name}.api.${DOMAIN}`;

function get(options, timeoutMs) {
  return new Promise((resolve, reject) => {
    const request = http.get({ ...options, timeout: timeoutMs }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece) => (text += piece));
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
      answer.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    request.on('error', reject);
  });
}

// settings: what router.json holds. Returns {server, secure?, servers, configure(settings), drain()}: server and
// secure, which speaks TLS, do not listen yet; servers are those that give requests, by protocol.
export function createEdge(settings, { log = makeLog(), now = Date.now, limits, bounds = BOUNDS } = {}) {
  let config, places, secure, files;
  const configure = (next) => {
    config = { custom: customHeaders(next), home: originOf(next.home) };
    places = new Map(next.regions.map((region) => [originOf(region.name), region]));
    if (!secure || !next.tls) return;
    secure.setSecureContext(shown(next.tls)); // for connections to come; a pair that does not fit throws, and the old one stays
    files = next.tls;
  };
  configure(settings);

  const breakers = new Breakers({ now, openMs: OPEN_MS, onChange: (name, state) => log.warn(`circuit of ${name} is ${state}`) });
  const control = new http.Agent({ keepAlive: true, maxSockets: 8, timeout: IDLE_MS });
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 256, timeout: IDLE_MS });

  async function read(region, table, partition) {
    const socketPath = places.get(originOf(region))?.socket;
    const { status, text } = await get({ socketPath, agent: control, path: `/registry/${table}/${encodeURIComponent(partition)}` }, REGISTRY_MS);
    if (status === 200) return text;
    if (status === 404) return undefined;
    throw new Error(`${region} answers ${status}`);
  }

  async function ask(domain) {
    const { host, port } = places.get(domain);
    return (await get({ host, port, path: '/v1/health' }, HEALTH_MS)).status === 200;
  }

  const route = createRouter({ here: settings.here ?? settings.home, read, ask, now, log, regions: breakers, ...(limits && { limits }) });

  const record = (eventType, requestId, more) => ({ Records: [{ cf: { config: { eventType, requestId }, ...more } }] });

  function requestEvent(incoming, requestId) {
    const mark = incoming.url.indexOf('?');
    const headers = withoutHops(lower(fieldsOf(incoming)));
    const clientIp = incoming.socket.remoteAddress ?? '';
    const via = [...(headers['x-forwarded-for'] ?? []).map(({ value }) => value), clientIp].join(', ');
    headers['x-forwarded-for'] = [{ key: 'X-Forwarded-For', value: via }];
    headers.via = [...(headers.via ?? []), { key: 'Via', value: `${incoming.httpVersion} prism-edge (Prism)` }];
    headers['x-amz-cf-id'] = [{ key: 'X-Amz-Cf-Id', value: requestId }];
    return record('origin-request', requestId, {
      request: {
        clientIp,
        method: incoming.method,
        uri: mark < 0 ? incoming.url : incoming.url.slice(0, mark),
        querystring: mark < 0 ? '' : incoming.url.slice(mark + 1),
        headers,
        origin: { custom: { customHeaders: { ...config.custom }, domainName: config.home, path: '' } },
      },
    });
  }

  // The end of an answer. Where the body is still under way it is read on for a while: most clients send all of it before they look at the answer, and
  // a connection that is closed with bytes unread takes the answer with it. Over HTTP/2 the answer need not wait for that.
  function finish(incoming, outgoing) {
    if (isComplete(incoming) || isGone(outgoing) || incoming.headers.expect) return void outgoing.end();
    if (outgoing.stream) outgoing.end();
    let bytes = 0;
    const end = () => {
      clearTimeout(timer);
      outgoing.end();
      hangUp(outgoing);
    };
    const timer = setTimeout(end, LINGER_MS);
    incoming.unpipe();
    incoming.on('data', (piece) => (bytes += piece.length) > LINGER_BYTES && end());
    incoming.on('end', end).on('close', end).resume();
  }

  // An answer of the router's own.
  function answer(incoming, outgoing, { status, headers, body = '' }) {
    if (outgoing.headersSent) return void cut(outgoing);
    const fields = flat(headers);
    if (!isComplete(incoming) && !outgoing.stream) fields.push('Connection', 'close');
    fields.push('Content-Length', String(Buffer.byteLength(body)));
    outgoing.writeHead(Number(status), fields);
    if (incoming.method !== 'HEAD' && body) outgoing.write(body);
    finish(incoming, outgoing);
  }

  const problem = (status, title, detail, requestId, more = {}) => ({
    status: String(status),
    headers: {
      'content-type': [{ key: 'Content-Type', value: 'application/problem+json' }],
      'cache-control': [{ key: 'Cache-Control', value: 'no-store' }],
      ...more,
    },
    body: JSON.stringify({ type: 'about:blank', title, status, detail, requestId }),
  });
  const unreachable = (requestId) =>
    problem(503, 'Service Unavailable', 'the home region is not available; repeat later', requestId, { 'retry-after': [{ key: 'Retry-After', value: '1' }] });
  const tooLarge = (requestId) => problem(431, 'Request Header Fields Too Large', `the head is over ${bounds.headBytes} bytes`, requestId);

  // The head of a region's answer goes by the router, its body straight to the client.
  async function deliver(request, incoming, outgoing, upstream, requestId) {
    const response = { status: String(upstream.statusCode), statusDescription: upstream.statusMessage, headers: withoutHops(lower(upstream.rawHeaders)) };
    const decided = await route(record('origin-response', requestId, { request, response }));
    if (decided.body !== undefined) {
      upstream.resume();
      for (const name of ['content-length', 'date']) delete decided.headers[name];
      return answer(incoming, outgoing, decided);
    }
    const fields = flat(decided.headers);
    if ((draining || !isComplete(incoming)) && !outgoing.stream) fields.push('Connection', 'close');
    outgoing.writeHead(Number(decided.status), fields);
    upstream.on('error', () => cut(outgoing)); // cut off there, cut off here
    upstream.on('end', () => finish(incoming, outgoing));
    upstream.pipe(outgoing, { end: false });
  }

  // Requests that were refused a connection and try again. None of their bodies was read yet.
  let connecting = 0;
  function tryAgain(outgoing, go) {
    if (draining || connecting >= CONNECTING_MAX) return false;
    connecting++;
    setTimeout(() => {
      connecting--;
      if (!isGone(outgoing)) go();
    }, CONNECT_EVERY_MS);
    return true;
  }

  function forward(request, incoming, outgoing, requestId, tries = CONNECT_TRIES) {
    const domain = request.origin.custom.domainName;
    const place = places.get(domain);
    let answered = false;
    const path = request.querystring ? `${request.uri}?${request.querystring}` : request.uri;
    const withBody = hasBody(incoming);
    const headers = flat(request.headers);
    if (withBody && !request.headers['content-length']) headers.push('Transfer-Encoding', 'chunked'); // Node.js would send a GET's body bare
    const sent = http.request({ host: place.host, port: place.port, agent, method: request.method, path, headers, setHost: false });
    sent.on('response', (upstream) => {
      answered = true;
      deliver(request, incoming, outgoing, upstream, requestId).catch((error) => {
        log.error(error.message, { requestId });
        cut(outgoing);
      });
    });
    const gone = () => {
      if (!outgoing.writableEnded || !sent.writableEnded) sent.destroy(); // the client is gone: a query need not end
    };
    sent.on('error', (error) => {
      if (answered || isGone(outgoing)) return; // an early answer has ended the body, or the client has left
      outgoing.off('close', gone);
      const again = () => forward(request, incoming, outgoing, requestId, tries - 1);
      if (error.code === 'ECONNREFUSED' && tries > 1 && tryAgain(outgoing, again)) return;
      if (!CUT_OFF.has(error.code)) breakers.failed(domain);
      log.warn(`${domain}: ${error.message}`, { requestId });
      answer(incoming, outgoing, unreachable(requestId));
    });
    outgoing.on('close', gone);
    const send = () => {
      if (withBody) incoming.pipe(sent);
      else sent.end();
    };
    sent.on('socket', (socket) => (socket.connecting ? socket.once('connect', send) : send())); // only then: a body is read once
  }

  async function serve(incoming, outgoing, go) {
    const requestId = randomUUID();
    incoming.on('error', () => {}); // 'close' of the answer says it as well
    if (isGone(outgoing)) return; // reset at once
    if (isTooLarge(incoming, bounds)) return answer(incoming, outgoing, tooLarge(requestId));
    const decided = await route(requestEvent(incoming, requestId));
    if (isGone(outgoing)) return;
    if (decided.status) return answer(incoming, outgoing, decided);
    go?.();
    forward(decided, incoming, outgoing, requestId);
  }

  let draining = false;
  const failed = (outgoing) => (error) => {
    log.error(error.stack);
    cut(outgoing);
  };
  const limited = { maxHeaderSize: HEADER_BYTES, requestTimeout: 0, headersTimeout: 30_000, keepAliveTimeout: 60_000 };
  const serving = (server) =>
    server
      .on('request', (incoming, outgoing) => serve(incoming, outgoing).catch(failed(outgoing)))
      .on('checkContinue', (incoming, outgoing) => serve(incoming, outgoing, () => outgoing.writeContinue()).catch(failed(outgoing)));
  const server = serving(http.createServer(limited));

  let told = { second: 0, count: 0 };
  const handshakeFailed = (error, socket) => {
    const second = Math.floor(now() / 1000);
    if (told.second !== second) told = { second, count: 0 };
    if (++told.count <= HANDSHAKES_TOLD) log.warn(`a TLS handshake failed: ${error.code ?? error.message}`, { client: socket.remoteAddress });
    socket.destroy();
  };
  let turning, two;
  if (settings.tls) {
    files = settings.tls;
    two = createHttp2({ bounds, now, log });
    serving(two.server);
    secure = tls
      .createServer({ ...shown(files), handshakeTimeout: HANDSHAKE_MS, noDelay: true }, (socket) =>
        (socket.alpnProtocol === 'h2' ? two.server : server).emit('connection', socket),
      )
      .on('tlsClientError', handshakeFailed);
    turning = setInterval(() => {
      try {
        secure.setSecureContext(shown(files));
      } catch (error) {
        log.error(`${files.certificate}: ${error.message}; the old one is still shown`);
      }
    }, TICKET_KEY_MS).unref();
  }

  // Promise of the end: nothing new is taken, what runs may end.
  function drain() {
    draining = true;
    clearInterval(turning);
    const cutAll = () => {
      server.closeAllConnections();
      two?.end();
    };
    const timer = setTimeout(cutAll, DRAIN_MS);
    const closed = [server, secure].filter(Boolean).map((one) => new Promise((resolve) => one.close(resolve)));
    server.closeIdleConnections();
    two?.goAway();
    return Promise.all(closed).then(() => {
      clearTimeout(timer);
      two?.end();
      agent.destroy();
      control.destroy();
    });
  }
  return { server, secure, servers: [server, two?.server].filter(Boolean), configure, drain };
}

// ---- the program ----

function word(object) {
  try {
    fstatSync(3);
    writeSync(3, JSON.stringify(object));
    closeSync(3);
  } catch {
    // nobody asked
  }
}

function main(file) {
  const log = makeLog();
  const load = () => JSON.parse(readFileSync(file, 'utf8'));
  const settings = load();
  const edge = createEdge(settings, { log });
  const end = () => edge.drain().then(() => process.exit(0));
  let ending = false;
  const endOnce = () => {
    if (ending) return;
    ending = true;
    end();
  };
  process.on('SIGTERM', endOnce);
  process.on('SIGINT', endOnce);
  process.on('SIGHUP', () => {
    try {
      edge.configure(load());
    } catch (error) {
      log.error(`${file}: ${error.message}; the router goes on as it was`);
    }
  });
  process.stdin.on('end', endOnce).on('error', endOnce).resume();
  const cannot = (option, port) => (error) => {
    const why = error.code === 'EADDRINUSE' ? `port ${port} is in use by another program: choose another with ${option} N` : error.message;
    log.error(why);
    word({ why });
    process.exit(1);
  };
  const listening = (server, option, port) => new Promise((resolve) => server.on('error', cannot(option, port)).listen({ host: settings.host, port }, resolve));
  const all = [listening(edge.server, '--port', settings.port)];
  if (edge.secure) all.push(listening(edge.secure, '--tls-port', settings.tls.port));
  Promise.all(all).then(() => {
    const { port } = edge.server.address();
    log.info(`serving on port ${port}${edge.secure ? `, over TLS on port ${settings.tls.port}` : ''}`);
    word({ pid: process.pid, port });
  });
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) main(process.argv[2]);
