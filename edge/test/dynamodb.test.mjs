import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dynamoReader } from '../dynamodb.mjs';

// Stands for the SDK's client module and remembers what it was asked.
function makeSdk(answer) {
  const made = [], sent = [];
  const sdk = {
    DynamoDBClient: class {
      constructor(options) { this.options = options; made.push(options); }
      async send(command) { sent.push([this.options.region, command.input]); return answer; }
    },
    GetItemCommand: class { constructor(input) { this.input = input; } },
  };
  return { sdk: () => sdk, made, sent };
}

test('one item by its whole key, from the replica that was named', async () => {
  const { sdk, made, sent } = makeSdk({ Item: { document: { S: '{"a":1}' } } });
  const read = dynamoReader({ sdk });
  assert.equal(await read('eu-west-1', 'prism-dev-keys', 'k1'), '{"a":1}');
  await read('eu-west-1', 'prism-dev-keys', 'k2');
  await read('us-east-1', 'prism-dev-keys', 'k2');
  assert.deepEqual(made.map((options) => [options.region, options.maxAttempts]), [['eu-west-1', 1], ['us-east-1', 1]]);
  assert.deepEqual(sent[0][1].Key, { pk: { S: 'k1' }, sk: { S: '#' } });
});

const items = [
  ['absent', undefined, undefined],
  ['without expiry', { document: { S: 'x' } }, 'x'],
  ['not yet expired', { document: { S: 'x' }, expires_at: { N: '1001' } }, 'x'],
  ['expired and not removed yet', { document: { S: 'x' }, expires_at: { N: '1000' } }, undefined],
  ['without a document', {}, ''],
];
for (const [name, item, want] of items) {
  test(`item: ${name}`, async () => {
    const read = dynamoReader({ sdk: makeSdk({ Item: item }).sdk, now: () => 1_000_000 });
    assert.equal(await read('eu-west-1', 't', 'p'), want);
  });
}

test('the SDK is not loaded before it is needed', () => {
  dynamoReader({ sdk: () => assert.fail('loaded') });
});
