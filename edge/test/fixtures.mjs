// What the tests share: keys, events as CloudFront sends them, a registry in memory with replicas that can lag and fail.
import { createHash } from 'node:crypto';
import { makeLog } from '../log.mjs';
import { createRouter } from '../router.mjs';

export function makeKey(seed) {
  const secret = createHash('sha256').update(`secret ${seed}`).digest('hex').slice(0, 48);
  const id = createHash('sha256').update(secret, 'hex').digest('hex').slice(0, 16);
  return { id, text: `prism_${id}_${secret}` };
}

export const header = (key, value) => ({ [key.toLowerCase()]: [{ key, value }] });

export const CONFIG = {
  version: '1',
  domain: 'dev.prism.example',
  home: 'us-east-1',
  regions: 'ap-south-1/aps1/active/-,eu-west-1/euw1/active/us-east-1,us-east-1/use1/active/-,us-west-2/usw2/out/-',
  tables: 'keys=prism-dev-keys,tenants=prism-dev-tenants',
  stores: 'ap-south-1,eu-west-1,us-east-1',
  attempt: '1',
};

export function customHeaders(changes = {}) {
  const all = { ...CONFIG, ...changes };
  return Object.assign({}, ...Object.entries(all).map(([name, value]) => header(`X-Prism-Edge-${name}`, value)));
}

export function requestEvent({ method = 'POST', uri = '/v1/logs', key, headers = {}, config = {} } = {}) {
  return {
    Records: [{ cf: {
      config: { distributionDomainName: 'd1.cloudfront.net', distributionId: 'E1', eventType: 'origin-request', requestId: 'req-1' },
      request: {
        clientIp: '203.0.113.7',
        method,
        uri,
        querystring: '',
        headers: { ...header('Host', 'origin.dev.prism.example'), ...(key ? header('Authorization', `Bearer ${key}`) : {}), ...headers },
        origin: { custom: { customHeaders: customHeaders(config), domainName: 'origin.dev.prism.example', path: '', port: 443, protocol: 'https', keepaliveTimeout: 60, readTimeout: 60, sslProtocols: ['TLSv1.2'] } },
      },
    } }],
  };
}

export function responseEvent(request, status, headers = {}) {
  return {
    Records: [{ cf: {
      config: { distributionDomainName: 'd1.cloudfront.net', distributionId: 'E1', eventType: 'origin-response', requestId: 'req-1' },
      request,
      response: { status: String(status), statusDescription: '', headers },
    } }],
  };
}

// Replicas: region -> Map of "table/partition" to a document's text. put() writes all of them, or those that are named.
export class Replicas {
  constructor(regions = ['ap-south-1', 'eu-west-1', 'us-east-1']) {
    this.stores = new Map(regions.map((region) => [region, new Map()]));
    this.failing = new Set();
    this.reads = [];
    this.read = async (region, table, partition) => {
      this.reads.push(`${region} ${table} ${partition}`);
      if (this.failing.has(region)) throw new Error(`${region} fails`);
      return this.stores.get(region).get(`${table}/${partition}`);
    };
  }

  put(table, partition, document, regions = this.stores.keys()) {
    const text = typeof document === 'string' ? document : JSON.stringify(document);
    for (const region of regions) this.stores.get(region).set(`prism-dev-${table}/${partition}`, text);
  }

  tenant(name, fields = {}, regions) {
    this.put('tenants', name, { name, home_region: 'eu-west-1', shard: 'shard-0', tier: 'pooled', status: 'active', epoch: 1, quotas: {}, created: '2026-11-01T00:00:00.000Z', ...fields }, regions);
  }

  key(key, fields = {}, regions) {
    this.put('keys', key.id, { tenant: 'acme', hash: '0'.repeat(64), scopes: 'ingest', status: 'active', label: '', created: '2026-11-01T00:00:00.000Z', ...fields }, regions);
  }
}

export function makeWorld({ here = 'eu-central-1', ask = null, ...more } = {}) {
  const world = { nowMs: Date.parse('2026-11-26T12:00:00Z'), replicas: new Replicas(), lines: [] };
  world.now = () => world.nowMs;
  world.route = createRouter({ here, read: (...args) => world.replicas.read(...args), ask, now: world.now, log: makeLog((line) => world.lines.push(JSON.parse(line)), world.now), ...more });
  world.send = (options) => world.route(requestEvent(options));
  return world;
}

// "https://euw1.api.dev.prism.example/shard-0/v1/logs", or "401".
export function where(answer) {
  if (answer.status) return answer.status;
  const { domainName, path } = answer.origin.custom;
  return `https://${domainName}${path}${answer.uri}`;
}
