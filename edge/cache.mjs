// cache.mjs - a bounded cache with single flight: however many requests want a value at once, it is loaded once.
//
// An entry is fresh for a while; past that it is loaded again, and kept meanwhile: where loading fails, an entry that is not too old is better
// than no answer. The least recently used entry makes room.
export class Cache {
  #entries = new Map(); // key -> {value, freshUntil, staleUntil}, the least recently used first
  #flights = new Map(); // key -> {value: promise}
  #options;

  // max: entries; freshMs, staleMs: ages up to which an entry is used, and used where loading fails; now: milliseconds.
  constructor({ max, freshMs, staleMs = freshMs, now }) {
    this.#options = { max, freshMs, staleMs, now };
  }

  get size() {
    return this.#entries.size;
  }

  // A fresh value, or undefined.
  peek(key) {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#options.now() >= entry.freshUntil) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  // The newest value known, fresh or not, or undefined.
  last(key) {
    return this.#entries.get(key)?.value;
  }

  put(key, value) {
    const { max, freshMs, staleMs, now } = this.#options;
    this.#entries.delete(key);
    while (this.#entries.size >= max) this.#entries.delete(this.#entries.keys().next().value);
    const at = now();
    this.#entries.set(key, { value, freshUntil: at + freshMs, staleUntil: at + staleMs });
  }

  drop(key) {
    this.#entries.delete(key);
    this.#flights.delete(key); // who waits for it still gets it; who comes next loads anew
  }

  // A fresh value, or what load() gives. load() may answer undefined: then nothing is kept. Throws what load() throws unless there is a value that is
  // not too old; onStale is told of it.
  async get(key, load, onStale = () => {}) {
    const value = this.peek(key);
    if (value !== undefined) return value;
    let flight = this.#flights.get(key);
    if (!flight) {
      flight = {};
      this.#flights.set(key, flight);
      flight.value = this.#load(key, load, onStale, flight);
    }
    return flight.value;
  }

  async #load(key, load, onStale, flight) {
    // A flight that was dropped on its way brings its value to those who wait for it and leaves nothing behind.
    const current = () => this.#flights.get(key) === flight;
    try {
      const value = await load();
      if (current() && value === undefined) this.#entries.delete(key);
      else if (current()) this.put(key, value);
      return value;
    } catch (error) {
      const entry = this.#entries.get(key);
      if (entry === undefined || this.#options.now() >= entry.staleUntil) throw error;
      onStale(error);
      return entry.value;
    } finally {
      if (current()) this.#flights.delete(key);
    }
  }
}
