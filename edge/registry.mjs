// registry.mjs - whose key is this, and where is that tenant at home?
//
// Two items: of table keys (its id -> tenant) and of table tenants (name -> home region, shard, status, epoch), read from the nearest replica and kept.
// A key belongs to its tenant for ever, so that is kept for minutes; a tenant may move, so that is kept for seconds. What does not exist
// is kept for seconds as well, apart from the rest, so that guesses do not crowd out tenants.
//
// Replicas lag. Of two items of one tenant the one with the greater epoch is the newer, and an older one never replaces it. A region that answers "not
// here" (421) knows better than the replica that said so: it is asked next.
//
// The router refuses what nobody needs a secret to know: unknown, revoked and expired keys, tenants that are gone. It does not say yes:
// the region's authorizer does, with the pepper. The hash in a key's item is of no use without that, and is not kept.
import { Cache } from './cache.mjs';

const SHARD = /^[a-z0-9_-]{1,63}$/; // registry.c: word_ok; becomes part of a path
const MINUTE = 60_000;

export const OPERATOR = '_system'; // registry.h: TENANT_SYSTEM

export const LIMITS = {
  keys: { max: 20_000, freshMs: 5 * MINUTE, staleMs: 60 * MINUTE },
  tenants: { max: 10_000, freshMs: 10_000, staleMs: 60 * MINUTE },
  absent: { max: 10_000, freshMs: 5_000 },
  asked: { max: 1_000, freshMs: MINUTE },
  replicas: 3, // asked for one item at most
};

export class RegistryFault extends Error {}

function parse(label, text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new RegistryFault(`item of ${label} is not JSON`);
  }
}

function parseKey(id, text) {
  const { tenant, status, expires } = parse(`key ${id}`, text);
  const expiresMs = expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires);
  const whole = typeof tenant === 'string' && tenant && (status === 'active' || status === 'revoked') && !Number.isNaN(expiresMs);
  if (!whole) throw new RegistryFault(`item of key ${id} is not whole`);
  return { tenant, revoked: status === 'revoked', expiresMs };
}

function parseTenant(name, text) {
  const { home_region: region, shard, status, epoch } = parse(`tenant ${name}`, text);
  const whole = typeof region === 'string' && SHARD.test(shard) && ['active', 'suspended', 'deleted'].includes(status) && Number.isSafeInteger(epoch) && epoch > 0;
  if (!whole) throw new RegistryFault(`item of tenant ${name} is not whole`);
  return { tenant: name, region, shard, status, epoch };
}

export class Registry {
  #read;
  #breakers;
  #log;
  #now;
  #keys;
  #tenants;
  #absent;
  #asked; // tenant -> the region whose replica is asked next
  #replicas;

  // read(region, table, partition): promise of the document's text, or of undefined.
  constructor({ read, breakers, log, now, limits = LIMITS }) {
    this.#read = read;
    this.#breakers = breakers;
    this.#log = log;
    this.#now = now;
    this.#keys = new Cache({ ...limits.keys, now });
    this.#tenants = new Cache({ ...limits.tenants, now });
    this.#absent = new Cache({ ...limits.absent, now });
    this.#asked = new Cache({ ...limits.asked, now });
    this.#replicas = limits.replicas;
  }

  // Promise of {tenant, region, shard, status, epoch}, or of null: nobody's key. Throws where no replica can be read and nothing is known.
  // `named` is the tenant that an administrative request is about, or null: only its home region changes a tenant, so the operator's key goes there.
  async homeOf(keyId, config, named = null) {
    const key = this.#keys.peek(keyId) ?? (await this.#key(keyId, config));
    if (!key || key.revoked || this.#now() >= key.expiresMs) return null;
    const home = await this.#home(key.tenant, config);
    if (!home || home.status === 'deleted') return null;
    return (named && key.tenant === OPERATOR && (await this.#home(named, config))) || home;
  }

  // The region that this key was routed to says that the tenant is not there: forget, and ask that region's replica next.
  moved(keyId, region, named = null) {
    const own = this.#keys.last(keyId)?.tenant;
    const tenant = named && own === OPERATOR ? named : own;
    if (!tenant) return;
    this.#tenants.drop(tenant);
    if (region) this.#asked.put(tenant, region);
  }

  async #home(name, config) {
    return this.#tenants.peek(name) ?? (await this.#tenant(name, config));
  }

  #key(id, config) {
    if (this.#absent.peek(`key ${id}`)) return null;
    return this.#keys.get(id, () => this.#load('keys', `key ${id}`, id, config, parseKey), this.#stale(`key ${id}`));
  }

  #tenant(name, config) {
    if (this.#absent.peek(`tenant ${name}`)) return null;
    const known = this.#tenants.last(name);
    const load = async () => {
      const found = await this.#load('tenants', `tenant ${name}`, name, config, parseTenant, this.#asked.peek(name));
      return known && found && found.epoch < known.epoch ? known : found;
    };
    return this.#tenants.get(name, load, this.#stale(`tenant ${name}`));
  }

  async #load(table, label, partition, config, parseItem, first) {
    const text = await this.#readAny(config.tables[table], partition, config.stores, first);
    if (text === undefined) {
      this.#absent.put(label, true);
      return undefined;
    }
    return parseItem(partition, text);
  }

  // The nearest replica that answers; those that failed of late come after the others.
  async #readAny(table, partition, stores, first) {
    const order = first && stores.includes(first) ? [first, ...stores.filter((store) => store !== first)] : stores;
    const open = order.filter((store) => this.#breakers.allows(store));
    let fault;
    for (const store of [...open, ...order.filter((store) => !open.includes(store))].slice(0, this.#replicas)) {
      try {
        const text = await this.#read(store, table, partition);
        this.#breakers.succeeded(store);
        return text;
      } catch (error) {
        this.#breakers.failed(store);
        fault = error;
      }
    }
    throw new RegistryFault(`no replica of ${table} answers: ${fault.name}: ${fault.message}`);
  }

  #stale(label) {
    return (error) => this.#log.warn(`${label}: an older item is used: ${error.message}`);
  }
}
