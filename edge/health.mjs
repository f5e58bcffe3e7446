// health.mjs - which places to leave alone for a while: a circuit breaker per name (a region's domain, a replica's region).
//
// closed: used; `failures` in a row open it. open: not used for openMs. Then one request may try (half-open): its success closes the circuit, its
// failure, or no word of it, leaves it open for another openMs. What is learnt is this instance's own; instances are many and short-lived.
export class Breakers {
  #circuits = new Map(); // name -> {failures, openUntil}
  #options;

  constructor({ failures = 3, openMs = 10_000, now, onChange = () => {} }) {
    this.#options = { failures, openMs, now, onChange };
  }

  // Whether a request may go there now. True for a half-open circuit takes the one try.
  allows(name) {
    const circuit = this.#circuits.get(name);
    if (!circuit?.openUntil) return true;
    const now = this.#options.now();
    if (now < circuit.openUntil) return false;
    circuit.openUntil = now + this.#options.openMs;
    return true;
  }

  // Milliseconds until the next try; 0: now.
  waitMs(name) {
    const until = this.#circuits.get(name)?.openUntil;
    return until ? Math.max(0, until - this.#options.now()) : 0;
  }

  succeeded(name) {
    if (!this.#circuits.delete(name)) return;
    this.#options.onChange(name, 'closed');
  }

  failed(name) {
    const { failures, openMs, now, onChange } = this.#options;
    const circuit = this.#circuits.get(name) ?? { failures: 0, openUntil: 0 };
    this.#circuits.set(name, circuit);
    circuit.failures++;
    if (circuit.failures < failures) return;
    if (!circuit.openUntil) onChange(name, 'open');
    circuit.openUntil = now() + openMs;
  }
}

// Asks a region for its health, beside requests and never instead of an answer, while requests go there and nothing is heard of them. CloudFront tells
// the router nothing of a connection that it could not make, so without this a region that is gone would look like one that is quiet.
export class Watch {
  #heard = new Map(); // domain -> when the last word of it came
  #options;

  // ask(domain): promise of whether it is healthy; breakers: told of the answer.
  constructor({ ask, breakers, everyMs = 10_000, patienceMs = 2_000, now }) {
    this.#options = { ask, breakers, everyMs, patienceMs, now };
  }

  heard(domain) {
    this.#heard.set(domain, this.#options.now());
  }

  // A request goes to domain. Returns the promise of the question that was started, or undefined.
  sent(domain) {
    const { ask, breakers, everyMs, patienceMs, now } = this.#options;
    const heard = this.#heard.get(domain);
    const at = now();
    if (heard === undefined) this.#heard.set(domain, at); // the first request of all: wait for its own answer
    if (heard === undefined || at - heard < everyMs) return undefined;
    this.#heard.set(domain, at);
    return ask(domain).then(
      (healthy) => {
        // Lambda stops the clock of a process between two requests. An answer that was away for long says nothing of today.
        if (now() - at > patienceMs) return;
        if (healthy) breakers.succeeded(domain);
        else this.#missed(domain);
      },
      () => {
        if (now() - at <= patienceMs) this.#missed(domain);
      },
    );
  }

  // Ask again with the next request: it takes several failures in a row.
  #missed(domain) {
    this.#options.breakers.failed(domain);
    this.#heard.set(domain, Number.NEGATIVE_INFINITY);
  }
}

export async function askHealth(domain, timeoutMs = 1_500) {
  const answer = await fetch(`https://${domain}/v1/health`, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
  await answer.body?.cancel();
  return answer.ok;
}
