import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { attemptOf, configReader, isOwnHeader } from '../config.mjs';
import { knownRegions, nearestFirst } from '../geography.mjs';
import { customHeaders } from './fixtures.mjs';

test('regions, tables and stores are read, nearest first', () => {
  const config = configReader('eu-central-1')(customHeaders());
  assert.deepEqual(config.near.map((region) => region.code), ['euw1', 'use1', 'aps1']);
  assert.deepEqual(config.stores, ['eu-west-1', 'us-east-1', 'ap-south-1']);
  assert.deepEqual(config.tables, { keys: 'prism-dev-keys', tenants: 'prism-dev-tenants' });
  assert.deepEqual(config.regions.get('us-west-2'), { name: 'us-west-2', code: 'usw2', active: false, standby: null, origin: 'usw2.api.dev.prism.example' });
  assert.equal(config.regions.get('eu-west-1').standby, 'us-east-1');
});

test('without a place of its own the router counts from the primary region', () => {
  assert.equal(configReader(undefined)(customHeaders()).near[0].name, 'us-east-1');
});

test('the same headers are read once, others anew', () => {
  const read = configReader('eu-west-1');
  const first = read(customHeaders());
  assert.equal(read(customHeaders()), first);
  assert.equal(read(customHeaders({ attempt: '2' })), first);
  assert.notEqual(read(customHeaders({ domain: 'other.example' })), first);
});

const broken = [
  ['nothing at all', undefined, /version ""/],
  ['another version', { version: '2' }, /version "2"/],
  ['no domain', { domain: '' }, /not whole/],
  ['no regions', { regions: '' }, /not whole/],
  ['half a region', { regions: 'eu-west-1' }, /region\/code\/state/],
  ['a home that is no region', { home: 'sa-east-1' }, /not whole/],
  ['a table too few', { tables: 'keys=a' }, /not whole/],
  ['no stores', { stores: '' }, /not whole/],
];
for (const [name, changes, message] of broken) {
  test(`refused: ${name}`, () => assert.throws(() => configReader('eu-west-1')(changes && customHeaders(changes)), message));
}

test('the second origin of a group says so', () => {
  assert.equal(attemptOf(customHeaders({ attempt: '2' })), 2);
  assert.equal(attemptOf(undefined), 1);
  assert.equal(isOwnHeader('x-prism-edge-home'), true);
  assert.equal(isOwnHeader('x-prism-trace'), false);
});

test('every region that Prism may run in has a place', () => {
  const text = readFileSync(new URL('../../infra/modules/naming/regions.tf', import.meta.url), 'utf8');
  const commercial = text.slice(text.indexOf('aws = {'), text.indexOf('aws-us-gov = {'));
  const named = [...commercial.matchAll(/^ +([a-z]+-[a-z]+-\d) /gm)].map((match) => match[1]);
  assert.ok(named.length > 30);
  assert.deepEqual([...knownRegions].sort(), named.sort());
});

const distances = [
  ['eu-west-2', ['us-east-1', 'eu-west-1', 'ap-south-1'], 'eu-west-1'],
  ['ap-southeast-1', ['us-west-2', 'eu-west-1', 'ap-south-1'], 'ap-south-1'],
  ['us-west-1', ['us-east-1', 'us-west-2', 'ap-northeast-1'], 'us-west-2'],
  ['ap-southeast-6', ['us-west-2', 'ap-southeast-2', 'sa-east-1'], 'ap-southeast-2'],
  ['eu-west-1', ['eu-west-2', 'eu-west-1'], 'eu-west-1'],
  ['xx-new-1', ['us-east-1', 'eu-west-1'], 'us-east-1'],
];
for (const [here, regions, want] of distances) test(`nearest to ${here} of ${regions}`, () => assert.equal(nearestFirst(here, regions)[0], want));
