// bench/decision.mjs - how long a routing decision takes with a warm registry, for 1,000 tenants in turn. Prints, and judges nothing.
import { makeKey, makeWorld, requestEvent } from '../test/fixtures.mjs';

const TENANTS = 1_000;
const ROUNDS = 200;

const { route, replicas } = makeWorld();
const keys = Array.from({ length: TENANTS }, (_, i) => makeKey(i));
keys.forEach((key, i) => {
  replicas.tenant(`tenant-${i}`, { home_region: ['eu-west-1', 'us-east-1', 'ap-south-1'][i % 3], shard: `shard-${i % 8}` });
  replicas.key(key, { tenant: `tenant-${i}` });
});
for (const key of keys) await route(requestEvent({ key: key.text }));

const took = new Float64Array(TENANTS * ROUNDS);
let n = 0;
for (let round = 0; round < ROUNDS; round++) {
  const events = keys.map((key) => requestEvent({ key: key.text }));
  for (const event of events) {
    const start = process.hrtime.bigint();
    await route(event);
    took[n++] = Number(process.hrtime.bigint() - start) / 1_000;
  }
}
took.sort();
const at = (share) => took[Math.floor(share * (n - 1))].toFixed(1);
console.log(`routing decision, microseconds: p50 ${at(0.5)}, p99 ${at(0.99)}, p99.9 ${at(0.999)} (${n} decisions, Node ${process.version})`);
