import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyId, keyIdOfHeader } from '../key.mjs';
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
