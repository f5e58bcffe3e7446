// config.mjs - the router's configuration. Lambda@Edge has no environment, so CloudFront adds it to the origin request as custom headers
// (infra/global/edge.tf); the router takes them off again before the request goes on.
//
//   x-prism-edge-version  1
//   x-prism-edge-domain   the public domain; a region answers at <code>.api.<domain>
//   x-prism-edge-home     the primary region: the last resort where no region is near
//   x-prism-edge-regions  region/code/state/standby,...   state: active or out; standby: a region or -
//   x-prism-edge-tables   name=table,...                  keys and tenants
//   x-prism-edge-stores   region,...                      where there are replicas of the registry
//   x-prism-edge-attempt  1; 2 where CloudFront repeats the request at the second origin of a group
import { nearestFirst } from './geography.mjs';

const PREFIX = 'x-prism-edge-';
const VERSION = '1';

export const isOwnHeader = (name) => name.startsWith(PREFIX);

const read = (headers, name) => headers?.[PREFIX + name]?.[0]?.value ?? '';
const list = (text) => text.split(',').filter(Boolean);

function parse(headers, here) {
  const version = read(headers, 'version');
  if (version !== VERSION) throw new Error(`configuration has version "${version}", this router reads ${VERSION}: apply infra/global of the same release`);
  const domain = read(headers, 'domain');
  const regions = new Map();
  for (const entry of list(read(headers, 'regions'))) {
    const [name, code, state, standby] = entry.split('/');
    if (!name || !code || !state) throw new Error(`configuration of a region is not region/code/state/standby: ${entry}`);
    const region = { name, code, active: state === 'active', standby: standby && standby !== '-' ? standby : null, origin: `${code}.api.${domain}` };
    regions.set(name, Object.freeze(region));
  }
  const tables = Object.fromEntries(list(read(headers, 'tables')).map((entry) => entry.split('=')));
  const stores = list(read(headers, 'stores'));
  const home = read(headers, 'home');
  const whole = domain && regions.size > 0 && regions.has(home) && tables.keys && tables.tenants && stores.length > 0;
  if (!whole) throw new Error('configuration is not whole: domain, home, regions, tables and stores are needed');

  const from = here || home;
  const near = nearestFirst(from, regions.keys()).map((name) => regions.get(name));
  return Object.freeze({ domain, home, regions, tables, near: near.filter((region) => region.active), stores: nearestFirst(from, stores) });
}

// Returns a function from custom headers to the configuration. There is one per deployed distribution, so the last one is kept.
export function configReader(here) {
  let text, config;
  return (headers) => {
    const names = ['version', 'domain', 'home', 'regions', 'tables', 'stores'];
    const now = names.map((name) => read(headers, name)).join('\n');
    if (now !== text) {
      config = parse(headers, here);
      text = now;
    }
    return config;
  };
}

export const attemptOf = (headers) => Number(read(headers, 'attempt') || 1);
