// http2.mjs - HTTP/2 before local regions, on connections that TLS agreed on it for; HTTP/1.1 goes on behind, as CloudFront has it. And what differs
// between the requests and answers of both, for local.mjs.
//
// Bounds of Node.js and nghttp2 hold besides: 1,000 answers to PING and SETTINGS that wait, 9 frames of a head, 128 fields of it, 10 MB a connection; empty
// DATA frames count as invalid. docs/design/tls.md, "Several regions".
import http2 from 'node:http2';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants;

export const BOUNDS = {
  streams: 100,
  streamWindow: 256 << 10,
  connectionWindow: 1 << 20,
  headBytes: 16_384, // more is 431
  headBytesRead: 32_768, // more is a stream that is reset
  resets: 200, // streams of a connection that its peer resets, or by its doing the server (CVE-2023-44487, CVE-2025-8671)
  resetsPerSecond: 20,
  invalidFrames: 200,
  idleMs: 60_000, // of a connection without a stream
  readerMs: 60_000, // of a stream whose reader takes nothing of what is there
  quietMs: 60_000, // of a connection of which nothing comes, though streams are open: then it is asked
  graceMs: 5_000, // for what was asked
  lookMs: 1_000,
};

// ---- requests and answers of either protocol ----

const isTwo = (message) => message.httpVersionMajor === 2;

// The fields of a request's head as HTTP/1.1 has them. Host is dropped: it says what :authority says, and the router writes another one.
export function fieldsOf(incoming) {
  const { rawHeaders } = incoming;
  if (!isTwo(incoming)) return rawHeaders;
  const fields = [];
  const cookies = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name === 'cookie') cookies.push(rawHeaders[i + 1]); // RFC 9113 section 8.2.3
    else if (name[0] !== ':' && name !== 'host') fields.push(name, rawHeaders[i + 1]);
  }
  if (cookies.length > 0) fields.push('cookie', cookies.join('; '));
  return fields;
}

export const hasBody = (incoming) =>
  isTwo(incoming) ? !incoming.stream.endAfterHeaders : incoming.headers['content-length'] !== undefined || incoming.headers['transfer-encoding'] !== undefined;

// All of the request is here.
export const isComplete = (incoming) => incoming.complete || (isTwo(incoming) && incoming.stream.endAfterHeaders);

// The client can hear no more.
export const isGone = (outgoing) => outgoing.destroyed ?? (outgoing.stream.destroyed || outgoing.stream.closed);

// Ends an answer so that nobody takes it for whole.
export function cut(outgoing) {
  if (outgoing.stream) outgoing.stream.close(NGHTTP2_INTERNAL_ERROR);
  else outgoing.destroy();
}

// Ends a stream whose answer is whole and whose request is not: what comes now is not wanted.
export const hangUp = (outgoing) => outgoing.stream?.close(NGHTTP2_NO_ERROR);

// The bytes of a head as RFC 9113 section 10.5.1 counts them, less the 32 a field.
export const isTooLarge = (incoming, bounds) => isTwo(incoming) && incoming.rawHeaders.reduce((sum, text) => sum + text.length, 0) > bounds.headBytes;

// ---- the server ----

// Returns {server, goAway(), end()}. server gets connections by 'connection' and gives requests by 'request' and 'checkContinue', as a server of HTTP/1.1.
export function createHttp2({ bounds, now, log }) {
  const server = http2.createServer({
    maxSessionInvalidFrames: bounds.invalidFrames,
    settings: { maxConcurrentStreams: bounds.streams, initialWindowSize: bounds.streamWindow, maxHeaderListSize: bounds.headBytesRead, enablePush: false },
  });
  const sessions = new Map(); // session -> {streams, idleSince, resets, resetAt, bytes, heardAt, askedAt}
  let leaving = false;

  function onReset(session, state) {
    const at = now();
    state.resets = Math.max(0, state.resets - ((at - state.resetAt) / 1000) * bounds.resetsPerSecond) + 1;
    state.resetAt = at;
    if (state.resets <= bounds.resets || session.destroyed) return;
    log.warn('a connection whose peer resets one stream after the other is ended', { client: session.socket?.remoteAddress });
    session.destroy(NGHTTP2_ENHANCE_YOUR_CALM);
  }

  server.on('session', (session) => {
    const state = { streams: new Map(), idleSince: now(), resets: 0, resetAt: now(), bytes: 0, heardAt: now(), askedAt: null };
    sessions.set(session, state);
    session.on('close', () => sessions.delete(session));
    session.setLocalWindowSize(bounds.connectionWindow);
    session.on('stream', (stream) => {
      const reader = { taken: 0, mark: '', since: now() };
      state.streams.set(stream, reader);
      stream.on('drain', () => reader.taken++);
      stream.on('close', () => {
        state.streams.delete(stream);
        if (state.streams.size === 0) state.idleSince = now();
        if (!reader.cut && !session.destroyed && (stream.aborted || stream.rstCode !== NGHTTP2_NO_ERROR)) onReset(session, state);
      });
    });
    if (leaving) session.close();
  });
  server.on('sessionError', () => {}); // of one connection, which is over

  function lookAtReader(stream, reader, at) {
    const mark = `${reader.taken} ${stream.writableLength}`;
    if (mark !== reader.mark || stream.writableLength === 0) return void Object.assign(reader, { mark, since: at });
    if (at - reader.since <= bounds.readerMs) return;
    reader.cut = true;
    if (!stream.closed) stream.close(NGHTTP2_ENHANCE_YOUR_CALM);
  }

  // A peer that lives answers PING. One that is gone may not be noticed otherwise: after an error of the protocol Node.js reads a connection no more, and waits for
  // its streams, which may wait for the peer.
  function lookForLife(session, state, at) {
    const { bytesRead } = session.socket;
    if (bytesRead !== state.bytes) return void Object.assign(state, { bytes: bytesRead, heardAt: at, askedAt: null });
    if (state.askedAt !== null) return void (at - state.askedAt > bounds.graceMs && session.destroy());
    if (!leaving && at - state.heardAt <= bounds.quietMs) return;
    state.askedAt = at;
    session.ping(() => {});
  }

  function lookAt(session, state, at) {
    if (session.destroyed) return;
    for (const [stream, reader] of state.streams) lookAtReader(stream, reader, at);
    if (state.streams.size > 0) return lookForLife(session, state, at);
    const idleMs = at - state.idleSince;
    if (idleMs > bounds.idleMs && !session.closed) session.close();
    if (idleMs > bounds.idleMs + bounds.graceMs) session.destroy();
  }

  const looking = setInterval(() => {
    for (const [session, state] of sessions) lookAt(session, state, now());
  }, bounds.lookMs).unref();

  // No request is taken any more, and who is connected hears it; those that run may end.
  function goAway() {
    leaving = true;
    for (const session of sessions.keys()) session.close();
  }

  function end() {
    clearInterval(looking);
    for (const session of sessions.keys()) session.destroy();
  }

  return { server, goAway, end };
}
