import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { refusePath } from '../decision.mjs';
import { header, makeKey, makeWorld, responseEvent, where } from './fixtures.mjs';

const contract = JSON.parse(readFileSync(new URL('../../platform/api.openapi.json', import.meta.url)));
const acme = makeKey('acme');
const HOME = 'https://euw1.api.dev.prism.example/shard-0';

function world(options) {
  const made = makeWorld(options);
  made.replicas.tenant('acme');
  made.replicas.key(acme);
  return made;
}

// ---- where requests go ----

const routes = [
  ['a tenant goes to its home region and shard', {}, {}, {}, `${HOME}/v1/logs`],
  ['another shard', { shard: 'shard-3' }, {}, {}, 'https://euw1.api.dev.prism.example/shard-3/v1/logs'],
  ['another region, however far', { home_region: 'ap-south-1' }, {}, {}, 'https://aps1.api.dev.prism.example/shard-0/v1/logs'],
  ['reading goes the same way', {}, {}, { method: 'GET', uri: '/v1/datasets' }, `${HOME}/v1/datasets`],
  ['administration as well', {}, {}, { uri: '/v1/admin/tenants' }, `${HOME}/v1/admin/tenants`],
  ['a suspended tenant is refused by its region, not here', { status: 'suspended' }, {}, {}, `${HOME}/v1/logs`],
  ['a key that ends later', {}, { expires: '2026-11-26T12:00:00.001Z' }, {}, `${HOME}/v1/logs`],
  ['a key that has ended', {}, { expires: '2026-11-26T12:00:00.000Z' }, {}, '401'],
  ['a revoked key', {}, { status: 'revoked' }, {}, '401'],
  ['a deleted tenant', { status: 'deleted' }, {}, {}, '401'],
  ['a key of no tenant', {}, { tenant: 'nobody' }, {}, '401'],
  ['no key', {}, {}, { key: undefined }, '401'],
  ['an unknown key', {}, {}, { key: makeKey('unknown').text }, '401'],
  ['a key that breaks the rule', {}, {}, { key: acme.text.slice(0, -1) }, '401'],
  ['a region that is not served', { home_region: 'sa-east-1' }, {}, {}, '503'],
  ['a region that is taken out', { home_region: 'us-west-2' }, {}, {}, '503'],
  ['health needs no key and stays near', {}, {}, { method: 'GET', uri: '/v1/health', key: undefined }, 'https://euw1.api.dev.prism.example/v1/health'],
  ['health, second origin', {}, {}, { method: 'GET', uri: '/v1/health', key: undefined, config: { attempt: '2' } }, 'https://use1.api.dev.prism.example/v1/health'],
  ['a preflight needs no key', {}, {}, { method: 'OPTIONS', key: undefined }, 'https://euw1.api.dev.prism.example/v1/logs'],
  ['no API', {}, {}, { uri: '/favicon.ico' }, '404'],
  ['the root', {}, {}, { uri: '/' }, '404'],
  ['another version', {}, {}, { uri: '/v2/logs' }, '404'],
  ['climbing out of the shard', {}, {}, { uri: '/v1/../../shard-1/v1/logs' }, '400'],
  ['climbing, escaped', {}, {}, { uri: '/v1/%2E%2e/shard-1' }, '400'],
  ['an empty segment', {}, {}, { uri: '//evil.example/v1/logs' }, '400'],
  ['a backslash', {}, {}, { uri: '/v1/..\\x' }, '400'],
  ['a shard that is no word', { shard: '../x' }, {}, {}, '503'],
  ['an epoch that is none', { epoch: 0 }, {}, {}, '503'],
];
for (const [name, tenant, key, request, want] of routes) {
  test(`route: ${name}`, async () => {
    const { replicas, send } = makeWorld();
    replicas.tenant('acme', tenant);
    replicas.key(acme, key);
    assert.equal(where(await send({ key: acme.text, ...request })), want);
  });
}

test('every path of the contract passes', () => {
  for (const path of Object.keys(contract.paths)) assert.equal(refusePath(path.replace(/[{}]/g, '')), null, path);
});

test('items that are no JSON are a fault of the registry, and told without the key', async () => {
  const { replicas, send, lines } = world();
  replicas.put('keys', acme.id, '{"tenant":');
  assert.equal((await send({ key: acme.text })).status, '503');
  assert.equal(lines.length, 1);
  assert.equal(lines[0].level, 'ERROR');
  assert.equal(lines[0].requestId, 'req-1');
  assert.ok(!JSON.stringify(lines).includes(acme.text));
});

test('a broken configuration is no fault of the client and opens nothing', async () => {
  const { send, lines } = world();
  assert.equal((await send({ key: acme.text, config: { version: '9' } })).status, '500');
  assert.match(lines[0].message, /apply infra\/global/);
});

// ---- what the region gets ----

test('the region gets the request, its own name as host, and nothing of the configuration', async () => {
  const { send } = world();
  const sent = await send({ key: acme.text, headers: { ...header('X-Prism-Edge-Home', 'ap-south-1'), ...header('Traceparent', '00-1') } });
  assert.deepEqual(sent.headers.host, [{ key: 'Host', value: 'euw1.api.dev.prism.example' }]);
  assert.deepEqual(Object.keys(sent.headers).sort(), ['authorization', 'host', 'traceparent']);
  assert.deepEqual(sent.origin.custom.customHeaders, {});
  assert.equal(sent.origin.custom.port, 443);
});

test('local regions answer elsewhere', async () => {
  const { send } = world({ originOf: (region) => ({ domainName: '127.0.0.1', port: region.code === 'euw1' ? 7001 : 7000, protocol: 'http' }) });
  const { custom } = (await send({ key: acme.text })).origin;
  assert.deepEqual([custom.domainName, custom.port, custom.protocol, custom.path], ['127.0.0.1', 7001, 'http', '/shard-0']);
});

// ---- what clients get ----

function wording(answer) {
  const { headers, body, status } = answer;
  return { status, type: headers['content-type'][0].value, problem: JSON.parse(body) };
}

for (const [name, request, response] of [
  ['UNAUTHORIZED', {}, '401'],
  ['MISSING_AUTHENTICATION_TOKEN', { uri: '/nothing' }, '404'],
]) {
  test(`the edge words ${name} like the contract`, async () => {
    const got = wording(await makeWorld().send(request));
    const wanted = contract['x-amazon-apigateway-gateway-responses'][name];
    const [[type, template]] = Object.entries(wanted.responseTemplates);
    assert.deepEqual(got, { status: response, type, problem: JSON.parse(template.replace('$context.requestId', 'req-1')) });
    assert.equal(wanted.statusCode, response);
  });
}

test('all refusals of a key look alike', async () => {
  const { replicas, send } = world();
  const revoked = makeKey('revoked');
  replicas.key(revoked, { status: 'revoked' });
  const bodies = [];
  for (const key of [undefined, 'prism_x', makeKey('unknown').text, revoked.text]) bodies.push(JSON.stringify(await send({ key })));
  assert.equal(new Set(bodies).size, 1);
});

// ---- what is asked of the registry ----

test('a key costs two reads, from the nearest replica, then none', async () => {
  const { replicas, send } = world();
  for (let i = 0; i < 10; i++) await send({ key: acme.text });
  assert.deepEqual(replicas.reads, [`eu-west-1 prism-dev-keys ${acme.id}`, 'eu-west-1 prism-dev-tenants acme']);
});

test('a hundred requests at once cost two reads', async () => {
  const { replicas, send } = world();
  await Promise.all(Array.from({ length: 100 }, () => send({ key: acme.text })));
  assert.equal(replicas.reads.length, 2);
});

test('an unknown key is asked for once in five seconds; then it may exist', async () => {
  const world = makeWorld();
  world.replicas.tenant('acme');
  for (let i = 0; i < 10; i++) assert.equal((await world.send({ key: acme.text })).status, '401');
  assert.equal(world.replicas.reads.length, 1);
  world.replicas.key(acme);
  world.nowMs += 5_000;
  assert.equal(where(await world.send({ key: acme.text })), `${HOME}/v1/logs`);
});

test('a key that breaks the rule costs no read', async () => {
  const { replicas, send } = world();
  await send({ key: acme.text.slice(0, -1) });
  assert.deepEqual(replicas.reads, []);
});

test('guesses crowd no tenant out', async () => {
  const { replicas, send } = world();
  await send({ key: acme.text });
  for (let i = 0; i < 10_100; i++) await send({ key: makeKey(i).text });
  replicas.reads.length = 0;
  assert.equal(where(await send({ key: acme.text })), `${HOME}/v1/logs`);
  assert.deepEqual(replicas.reads, []);
});

test('the next replica answers where the nearest fails, and is asked first from then on', async () => {
  const world_ = world();
  const { replicas, send, lines } = world_;
  replicas.failing.add('eu-west-1');
  for (let i = 0; i < 4; i++) {
    assert.equal(where(await send({ key: acme.text })), `${HOME}/v1/logs`);
    world_.nowMs += 301_000;
  }
  assert.ok(lines.some((line) => /replica in eu-west-1 is open/.test(line.message)));
});

test('no replica: what is known is used up to an hour, the unknown is told to come back', async () => {
  const made = world();
  await made.send({ key: acme.text });
  for (const region of made.replicas.stores.keys()) made.replicas.failing.add(region);
  made.nowMs += 59 * 60_000;
  assert.equal(where(await made.send({ key: acme.text })), `${HOME}/v1/logs`);
  const unknown = await made.send({ key: makeKey('other').text });
  assert.deepEqual([unknown.status, unknown.headers['retry-after'][0].value], ['503', '1']);
  made.nowMs += 2 * 60_000;
  assert.equal((await made.send({ key: acme.text })).status, '503');
});

// ---- a tenant moves ----

test('a moved tenant is followed within ten seconds', async () => {
  const made = world();
  await made.send({ key: acme.text });
  made.replicas.tenant('acme', { home_region: 'us-east-1', epoch: 2 });
  made.nowMs += 10_000;
  assert.equal(where(await made.send({ key: acme.text })), 'https://use1.api.dev.prism.example/shard-0/v1/logs');
});

test('"not here" makes the router ask that region, and the client repeat', async () => {
  const made = world({ here: 'us-east-1' });
  const sent = await made.send({ key: acme.text });
  assert.equal(where(sent), `${HOME}/v1/logs`);
  made.replicas.tenant('acme', { home_region: 'ap-south-1', epoch: 2 }, ['eu-west-1']); // us-east-1 lags
  const answer = await made.route(responseEvent(sent, 421, { ...header('Content-Encoding', 'gzip'), ...header('Content-Type', 'application/problem+json') }));
  assert.equal(answer.status, '503');
  assert.equal(answer.headers['retry-after'][0].value, '1');
  assert.equal(answer.headers['content-encoding'], undefined);
  assert.match(answer.body, /moved/);
  assert.equal(where(await made.send({ key: acme.text })), 'https://aps1.api.dev.prism.example/shard-0/v1/logs');
});

test('the operator\'s key goes to the home of the tenant that it is about, and follows it', async () => {
  const made = world({ here: 'us-east-1' });
  const operator = makeKey('operator');
  made.replicas.key(operator, { tenant: '_system', scopes: 'admin' });
  made.replicas.tenant('_system', { home_region: 'us-east-1' });
  const ask = (uri, key = operator) => made.send({ method: 'PATCH', uri, key: key.text });
  const there = '/v1/admin/tenants/acme';
  assert.equal(where(await ask(there)), `${HOME}${there}`);
  assert.equal(where(await ask(`${there}/keys/0123456789abcdef`)), `${HOME}${there}/keys/0123456789abcdef`);
  for (const uri of ['/v1/admin/tenants', '/v1/admin/tenants/nobody', '/v1/admin/tenants/_system', '/v1/query'])
    assert.equal(where(await ask(uri)), `https://use1.api.dev.prism.example/shard-0${uri}`);
  assert.equal(where(await ask('/v1/admin/tenants/_system', acme)), `${HOME}/v1/admin/tenants/_system`); // a tenant's own key goes home

  const sent = await ask(there);
  made.replicas.tenant('acme', { home_region: 'ap-south-1', epoch: 2 }, ['eu-west-1']); // us-east-1 lags
  assert.equal((await made.route(responseEvent(sent, 421))).status, '503');
  assert.equal(where(await ask(there)), `https://aps1.api.dev.prism.example/shard-0${there}`);
  assert.equal(where(await ask('/v1/query')), 'https://use1.api.dev.prism.example/shard-0/v1/query'); // its own home is not forgotten
});

test('a replica that lags does not send a tenant back', async () => {
  const made = world();
  made.replicas.tenant('acme', { home_region: 'us-east-1', epoch: 5 });
  await made.send({ key: acme.text });
  made.replicas.tenant('acme', { home_region: 'eu-west-1', epoch: 4 });
  made.nowMs += 10_000;
  assert.equal(where(await made.send({ key: acme.text })), 'https://use1.api.dev.prism.example/shard-0/v1/logs');
});

// ---- regions fail ----

const BAD = header('Content-Type', 'text/html');
const OWN = header('Content-Type', 'application/problem+json');

async function answers(made, status, headers, times) {
  for (let i = 0; i < times; i++) {
    const sent = await made.send({ key: acme.text });
    if (sent.status) return sent;
    await made.route(responseEvent(sent, status, headers));
  }
  return made.send({ key: acme.text });
}

const failures = [
  ['what is not Prism failing three times', 503, BAD, 3, 'use1'],
  ['twice', 503, BAD, 2, 'euw1'],
  ['a function that fails', 502, OWN, 9, 'euw1'],
  ['refusals', 429, BAD, 9, 'euw1'],
];
for (const [name, status, headers, times, code] of failures) {
  test(`home: ${name}`, async () => {
    assert.ok(where(await answers(world(), status, headers, times)).includes(`//${code}.`));
  });
}

test('without a standby the client is told when to come back, then one request tries', async () => {
  const made = world();
  made.replicas.tenant('acme', { home_region: 'ap-south-1' });
  const refused = await answers(made, 504, BAD, 3);
  assert.deepEqual([refused.status, refused.headers['retry-after'][0].value], ['503', '10']);
  made.nowMs += 10_000;
  const tried = await made.send({ key: acme.text });
  assert.match(where(tried), /aps1/);
  assert.equal((await made.send({ key: acme.text })).status, '503');
  await made.route(responseEvent(tried, 200));
  assert.match(where(await made.send({ key: acme.text })), /aps1/);
});

test('health goes round a region that fails', async () => {
  const made = world();
  await answers(made, 503, BAD, 3);
  assert.match(where(await made.send({ method: 'GET', uri: '/v1/health' })), /use1/);
});

test('a region that cannot be reached is found out by asking', async () => {
  const asked = [];
  const made = world({ ask: async (domain) => { asked.push(domain); throw new Error('connection refused'); } });
  for (let i = 0; i < 5; i++) {
    await made.send({ key: acme.text });
    await new Promise(setImmediate);
    made.nowMs += i === 0 ? 10_000 : 1;
  }
  assert.equal(asked.length, 3);
  assert.match(where(await made.send({ key: acme.text })), /use1/);
});

test('answers pass unchanged', async () => {
  const made = world();
  const sent = await made.send({ key: acme.text });
  const event = responseEvent(sent, 200, header('Content-Type', 'application/json'));
  assert.equal(await made.route(event), event.Records[0].cf.response);
});

test('an answer of a request that another instance routed is understood', async () => {
  const made = world();
  const { request } = responseEvent({ headers: header('Host', 'euw1.api.dev.prism.example') }, 200).Records[0].cf;
  assert.equal((await made.route(responseEvent(request, 421))).status, '503');
});
