// decision.mjs - where a request goes. Pure: what is known goes in, the decision comes out.
//
// A decision is {region, shard} or {refuse, retryAfterS}: the name of an answer of response.mjs.

const ROOT = '/v1/';
// Empty and dot segments, escaped dots and slashes, backslashes: what one server resolves and another does not. A shard is a path prefix, so nothing may
// climb out of it.
const CROOKED = /\/\/|\/\.{1,2}(\/|$)|%2e|%2f|%5c|\\/i;

// Answers by path alone, or null where the path is one of the API's.
export function refusePath(path) {
  if (CROOKED.test(path)) return { refuse: 'badPath' };
  if (!path.startsWith(ROOT)) return { refuse: 'noRoute' };
  return null;
}

// The tenant that an administrative request is about, or null.
const ABOUT = /^\/v1\/admin\/tenants\/([a-z][a-z0-9_-]{0,62})(\/|$)/;
export const tenantOfPath = (path) => ABOUT.exec(path)?.[1] ?? null;

// What needs no key: the health of whatever region is near, and a browser's question before a request.
export const isOpen = (method, path) => path === '/v1/health' || method === 'OPTIONS';

// The nearest region that is well; on a repetition not the one that was tried first. When all are thought ill the nearest is asked even so:
// the thought is this instance's own, and the answer is harmless.
export function decideOpen(config, breakers, attempt) {
  const [first, ...others] = config.near;
  const candidates = attempt > 1 && others.length > 0 ? others : config.near;
  const region = candidates.find((candidate) => breakers.allows(candidate.origin)) ?? candidates[0] ?? first ?? config.regions.get(config.home);
  return { region, shard: null };
}

// The tenant's home region and no other: only there its recent data is. While it is out or ill, its standby if the operator named one; otherwise the
// client is told to come back.
export function decideHome(config, breakers, home) {
  const region = config.regions.get(home.region);
  if (region?.active && breakers.allows(region.origin)) return { region, shard: home.shard };
  const standby = region && config.regions.get(region.standby);
  if (standby?.active && breakers.allows(standby.origin)) return { region: standby, shard: home.shard };
  const waitMs = region?.active ? breakers.waitMs(region.origin) : 30_000;
  return { refuse: 'regionDown', retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) };
}
