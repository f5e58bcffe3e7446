import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Breakers, Watch } from '../health.mjs';

function make() {
  const clock = { ms: 1_000 };
  const changes = [];
  const now = () => clock.ms;
  return { clock, now, changes, breakers: new Breakers({ failures: 3, openMs: 100, now, onChange: (...change) => changes.push(change.join(' ')) }) };
}
const fail = (breakers, times) => { for (let i = 0; i < times; i++) breakers.failed('a'); };

test('it takes failures in a row', () => {
  const { breakers, changes } = make();
  fail(breakers, 2);
  breakers.succeeded('a');
  fail(breakers, 2);
  assert.equal(breakers.allows('a'), true);
  breakers.failed('a');
  assert.equal(breakers.allows('a'), false);
  assert.equal(breakers.allows('b'), true);
  assert.deepEqual(changes.slice(-1), ['a open']);
});

test('one request tries after a while; no word of it leaves the circuit open', () => {
  const { breakers, clock } = make();
  fail(breakers, 3);
  assert.equal(breakers.waitMs('a'), 100);
  clock.ms += 100;
  assert.equal(breakers.allows('a'), true);
  assert.equal(breakers.allows('a'), false);
  clock.ms += 99;
  assert.equal(breakers.allows('a'), false);
  clock.ms += 1;
  assert.equal(breakers.allows('a'), true);
});

test('its success closes the circuit, its failure keeps it open', () => {
  const { breakers, clock, changes } = make();
  fail(breakers, 3);
  clock.ms += 100;
  breakers.allows('a');
  breakers.failed('a');
  clock.ms += 99;
  assert.equal(breakers.allows('a'), false);
  clock.ms += 1;
  assert.equal(breakers.allows('a'), true);
  breakers.succeeded('a');
  assert.equal(breakers.allows('a') && breakers.allows('a'), true);
  assert.deepEqual(changes, ['a open', 'a closed']);
});

function watching(answers) {
  const made = make();
  const asked = [];
  const ask = async (domain) => {
    asked.push(domain);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return typeof answer === 'function' ? answer(made.clock) : answer;
  };
  return { ...made, asked, watch: new Watch({ ask, breakers: made.breakers, everyMs: 10_000, patienceMs: 2_000, now: made.now }) };
}

test('a region that is heard of is not asked', () => {
  const { watch, clock, asked } = watching([]);
  for (let i = 0; i < 20; i++) {
    watch.sent('a');
    clock.ms += 9_000;
    watch.heard('a');
  }
  assert.deepEqual(asked, []);
});

test('a silent region is asked, and again at once while it fails, until its circuit opens', async () => {
  const { watch, clock, asked, breakers } = watching([new Error('refused'), false, new Error('refused'), true]);
  assert.equal(watch.sent('a'), undefined);
  clock.ms += 10_000;
  for (let i = 0; i < 3; i++) await watch.sent('a');
  assert.equal(asked.length, 3);
  assert.equal(breakers.allows('a'), false);
  await watch.sent('a');
  assert.equal(breakers.allows('a'), true);
  assert.equal(watch.sent('a'), undefined);
});

test('an answer that slept with the process counts for nothing', async () => {
  const late = (clock) => { clock.ms += 60_000; throw new Error('reset'); };
  const { watch, clock, breakers } = watching([late, late, late]);
  watch.sent('a');
  for (let i = 0; i < 3; i++) {
    clock.ms += 10_000;
    await watch.sent('a');
  }
  assert.equal(breakers.allows('a'), true);
});
