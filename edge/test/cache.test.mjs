import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cache } from '../cache.mjs';

function make(options = {}) {
  const clock = { ms: 0 };
  return { clock, cache: new Cache({ max: 3, freshMs: 10, staleMs: 100, now: () => clock.ms, ...options }) };
}

test('a value is loaded once while it is fresh', async () => {
  const { clock, cache } = make();
  let loads = 0;
  const load = async () => ++loads;
  assert.equal(await cache.get('a', load), 1);
  clock.ms = 9;
  assert.equal(await cache.get('a', load), 1);
  clock.ms = 10;
  assert.equal(await cache.get('a', load), 2);
});

test('who asks at the same time waits for the same load', async () => {
  const { cache } = make();
  let loads = 0;
  const load = () => new Promise((resolve) => setImmediate(() => resolve(++loads)));
  assert.deepEqual(await Promise.all([cache.get('a', load), cache.get('a', load), cache.get('a', load)]), [1, 1, 1]);
});

test('a failed load is not kept', async () => {
  const { cache } = make();
  await assert.rejects(cache.get('a', async () => { throw new Error('no'); }), /no/);
  assert.equal(await cache.get('a', async () => 7), 7);
});

test('an older value stands in for a failed load, up to its age', async () => {
  const { clock, cache } = make();
  const fail = async () => { throw new Error('no'); };
  const told = [];
  cache.put('a', 1);
  clock.ms = 99;
  assert.equal(await cache.get('a', fail, (error) => told.push(error.message)), 1);
  assert.deepEqual(told, ['no']);
  clock.ms = 100;
  await assert.rejects(cache.get('a', fail), /no/);
});

test('undefined is an answer that is not kept, and removes what was', async () => {
  const { clock, cache } = make();
  cache.put('a', 1);
  clock.ms = 10;
  assert.equal(await cache.get('a', async () => undefined), undefined);
  assert.equal(cache.last('a'), undefined);
});

test('the least recently used entry makes room', () => {
  const { cache } = make();
  for (const key of ['a', 'b', 'c']) cache.put(key, key);
  cache.peek('a');
  cache.put('d', 'd');
  assert.equal(cache.size, 3);
  assert.deepEqual(['a', 'b', 'c', 'd'].map((key) => cache.peek(key)), ['a', undefined, 'c', 'd']);
});

test('a load that was under way when its key was dropped leaves nothing behind', async () => {
  const { cache } = make();
  let land;
  const flight = cache.get('a', () => new Promise((resolve) => { land = resolve; }));
  cache.drop('a');
  assert.equal(await cache.get('a', async () => 'new'), 'new');
  land('old');
  assert.equal(await flight, 'old');
  assert.equal(cache.peek('a'), 'new');
});
