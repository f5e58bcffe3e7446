// key.mjs - from the Authorization header to a key's id.
//
// A key is prism_<id>_<secret>, both in lower-case hex; the id is the first 8 bytes of the secret's SHA-256 (docs/design/security.md). So a
// key that was cut, mistyped or guessed without its rule ends here, before the registry is asked. Whether the secret is the right one only
// the region can tell: the pepper of the stored hashes is not at the edge.
//
// A token names the key that issued it, in its claims, and goes where that key goes. It is read without its signature: that decides about
// nothing but the way, and the region at its end looks at it.
import { createHash } from 'node:crypto';

const BEARER = /^bearer +(\S+)$/i; // RFC 9110 section 11.1: the scheme's case does not matter
const KEY = /^prism_([0-9a-f]{16})_([0-9a-f]{48})$/;

// Text of a key to its id, or null.
export function keyId(text) {
  const match = KEY.exec(text);
  if (!match) return null;
  const [, id, secret] = match;
  const digest = createHash('sha256').update(secret, 'hex').digest('hex');
  return digest.startsWith(id) ? id : null;
}

const TOKEN_BYTES_MAX = 4000;
const TOKEN = /^[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+$/;
const ID = /^[0-9a-f]{16}$/;

// Text of a token to the id of its key, or null.
export function keyIdOfToken(text) {
  const match = text.length <= TOKEN_BYTES_MAX && TOKEN.exec(text);
  if (!match) return null;
  try {
    const id = JSON.parse(Buffer.from(match[1], 'base64url').toString('utf8'))?.key;
    return typeof id === 'string' && ID.test(id) ? id : null;
  } catch {
    return null;
  }
}

// Values of the header as CloudFront gives them, [{key, value}], to the id, or null. Two keys are none: which one counts?
export function keyIdOfHeader(values) {
  if (values?.length !== 1) return null;
  const match = BEARER.exec(values[0].value.trim());
  return match ? (keyId(match[1]) ?? keyIdOfToken(match[1])) : null;
}
