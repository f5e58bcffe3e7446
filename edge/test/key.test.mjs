import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyId, keyIdOfHeader, keyIdOfToken } from '../key.mjs';
import { makeKey } from './fixtures.mjs';

const { id, text } = makeKey('one');
const other = makeKey('two');
const values = (...texts) => texts.map((value) => ({ key: 'Authorization', value }));

const headers = [
  ['a key', values(`Bearer ${text}`), id],
  ['the scheme in another case', values(`bEARER ${text}`), id],
  ['blanks around', values(`  Bearer   ${text} `), id],
  ['no header', undefined, null],
  ['an empty list', [], null],
  ['two keys', values(`Bearer ${text}`, `Bearer ${other.text}`), null],
  ['the same key twice', values(`Bearer ${text}`, `Bearer ${text}`), null],
  ['two keys in one value', values(`Bearer ${text}, Bearer ${text}`), null],
  ['no scheme', values(text), null],
  ['another scheme', values(`Basic ${text}`), null],
  ['the scheme alone', values('Bearer '), null],
];
for (const [name, list, want] of headers) test(`header: ${name}`, () => assert.equal(keyIdOfHeader(list), want));

const texts = [
  ['a whole key', text, id],
  ['cut', text.slice(0, -1), null],
  ['longer', text + '0', null],
  ['upper case', text.toUpperCase(), null],
  ['an id of another secret', `prism_${other.id}_${text.split('_')[2]}`, null],
  ['a mistyped digit', text.slice(0, -1) + (text.endsWith('0') ? '1' : '0'), null],
  ['another prefix', text.replace('prism', 'prisn'), null],
  ['a line more', text + '\n', null],
  ['nothing', '', null],
];
for (const [name, key, want] of texts) test(`key: ${name}`, () => assert.equal(keyId(key), want));

test('the rule of ids is the one of key_text.c', () => {
  // sha256 of 24 zero bytes begins so
  assert.equal(keyId(`prism_9d908ecfb6b256de_${'0'.repeat(48)}`), '9d908ecfb6b256de');
});

const part = (what) => Buffer.from(typeof what === 'string' ? what : JSON.stringify(what)).toString('base64url');
const token = (claims, signature = 'c2ln') => `${part({ alg: 'EdDSA', kid: 'k' })}.${part(claims)}.${signature}`;
const tokens = [
  ['a token', token({ sub: 'acme', key: id }), id],
  ['no key', token({ sub: 'acme' }), null],
  ['a key that is no id', token({ key: 'x' }), null],
  ['a number', token({ key: 1234567890123456 }), null],
  ['a list', token([id]), null],
  ['null', token('null'), null],
  ['no JSON', token('{"key":'), null],
  ['a key of a prototype', token('{"__proto__":{"key":"' + id + '"}}'), null],
  ['two parts', token({ key: id }).split('.').slice(0, 2).join('.'), null],
  ['four parts', token({ key: id }) + '.c2ln', null],
  ['no signature', token({ key: id }, ''), null],
  ['longer than tokens are', token({ key: id, more: 'x'.repeat(4000) }), null],
  ['a key', text, null],
];
for (const [name, text_, want] of tokens) test(`token: ${name}`, () => assert.equal(keyIdOfToken(text_), want));
test('a token in the header', () => assert.equal(keyIdOfHeader(values(`Bearer ${token({ key: id })}`)), id));
