/* src/asl/jsonata.js - what stands around the official module in its engine. Compiled to bytecode at build time (tools/jsbake.c).
 *
 * Called before the module is run, with the functions of jsonata_host.c; returns what is called after it. That promises
 * the function that compiles an expression.
 *
 * Invariants: no evaluation can change what another one sees, and no value of a document leads to JavaScript's own objects.
 *   - Whatever outlives an evaluation is frozen: the engine's objects, the module's functions, compiled expressions.
 *     Freezing is needed: JSONata's transform operator copies with $clone, which an expression may put its own in place of.
 *   - Object.prototype has no `constructor` and no `__proto__`, so these are names as any other. */
(function (host) {
    'use strict';

    /* The step's time, not the machine's. JavaScript takes a time without a zone as the machine's; here it is UTC. */
    const SystemDate = Date;
    globalThis.Date = class Date extends SystemDate {
        constructor(...given) {
            if (given.length > 0) super(...given);
            else super(host.now());
        }
        static now() {
            return host.now();
        }
        static parse(text) {
            return SystemDate.parse(/T[^Zz+-]*$/.test(text) ? text + 'Z' : text);
        }
    };
    Math.random = () => host.random();

    /* The module asks Node.js for Base64. As Node.js, this takes the low byte of each character and decodes both alphabets,
     * passing over what is in neither. */
    function Buffer(text, encoding) {
        if (encoding === 'base64') {
            const given = String(text).replace(/=[^]*$/, '').replace(/-/g, '+').replace(/_/g, '/').replace(/[^A-Za-z0-9+/]/g, '');
            const whole = given.length % 4 === 1 ? given.slice(0, -1) : given;
            this.bytes = atob(whole);
        } else {
            this.bytes = text.replace(/[^\x00-\xff]/g, (c) => String.fromCharCode(c.charCodeAt(0) & 0xff));
        }
    }
    Buffer.prototype.toString = function (encoding) {
        return encoding === 'base64' ? btoa(this.bytes) : this.bytes;
    };
    globalThis.global = { Buffer: { from: Buffer } };

    /* The module reads the names of a function's parameters from its text, to apply it partially. Bytecode has no text, and any
     * names will do. */
    Function.prototype.toString = function () {
        return 'function (' + Array.from({ length: this.length }, (_, i) => 'a' + i) + ')';
    };

    /* ---- what Step Functions adds; source: developer guide, "Transforming data with JSONata" ---- */

    const whole = Math.floor; /* "will automatically round down any non-integer numbers" */

    function partition(given, per) {
        if (given === undefined || per === undefined) return undefined;
        const size = whole(per), array = Array.isArray(given) ? given : [given]; /* partially applied, nothing has seen to that */
        if (!(size >= 1)) throw { message: '$partition: the chunk size must be at least 1, but was ' + size };
        const chunks = [];
        for (let i = 0; i < array.length; i += size) chunks.push(array.slice(i, i + size));
        return chunks;
    }

    const range_max = 1e7; /* as the module's own [m..n] */

    /* A sequence, so that one value alone stands for itself; none at all stay an array. */
    function range(first, last, step) {
        if (first === undefined || last === undefined || step === undefined) return undefined;
        const from = whole(first), by = whole(step), values = [];
        if (by === 0) throw { message: '$range: the step must not be 0' };
        const count = Math.max(0, whole((whole(last) - from) / by) + 1);
        if (!(count <= range_max)) throw { code: 'D2014', value: count };
        for (let i = 0; i < count; i++) values.push(from + i * by);
        if (count > 0) Object.defineProperty(values, 'sequence', { value: true });
        return values;
    }

    function hash(text, algorithm) {
        if (text === undefined || algorithm === undefined) return undefined;
        const digest = host.hash(text, algorithm);
        if (digest !== undefined) return digest;
        throw { message: '$hash: the algorithm must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512, but was ' + algorithm };
    }

    function parse(text) {
        if (text === undefined) return undefined;
        try {
            return JSON.parse(text);
        } catch (error) {
            throw { message: '$parse: the argument is not JSON: ' + error.message };
        }
    }

    const added = {
        partition: [partition, '<an:a>'],
        range: [range, '<nnn:a>'],
        hash: [hash, '<ss:s>'],
        random: [(seed) => host.random(seed), '<n?:n>'],
        uuid: [() => host.uuid(), '<:s>'],
        parse: [parse, '<s:x>'],
    };

    /* The module's own, as its documentation lists them, but for $eval. */
    const built_in =
        'sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim pad match ' +
        'contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round abs sqrt power ' +
        'boolean not map zip filter single reduce sift keys lookup append exists spread merge reverse each error assert ' +
        'type sort shuffle distinct base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl ' +
        'toMillis fromMillis clone';

    /* ---- after the module ---- */

    /* host.freeze(): everything that can be reached: members, accessors, prototypes. */

    /* What the module needs of Object.prototype becomes accessors, since a frozen value would keep objects from having
     * members of that name. */
    function harden() {
        for (const key of Reflect.ownKeys(Object.prototype)) {
            const value = Object.prototype[key];
            delete Object.prototype[key];
            if (!['hasOwnProperty', 'isPrototypeOf', 'toString', 'valueOf'].includes(key)) continue;
            Object.defineProperty(Object.prototype, key, {
                get: host.keep(value),
                set(other) {
                    Object.defineProperty(this, key, { value: other, writable: true, enumerable: true, configurable: true });
                },
            });
        }
        host.freeze(globalThis);
        host.freeze(Object.getPrototypeOf(async function () {}));
        host.freeze(Object.getPrototypeOf([][Symbol.iterator]()));
        host.freeze(Object.getPrototypeOf(''[Symbol.iterator]()));
        host.freeze(Object.getPrototypeOf(''.matchAll(/a/g)));
    }

    /* Freeze a syntax tree, and note the names of its variables. */
    function settle(node, names) {
        if (typeof node === 'function') host.freeze(node);
        if (typeof node !== 'object' || node === null || Object.isFrozen(node)) return;
        Object.freeze(node);
        if (node.type === 'variable') names.add(node.value);
        for (const key of Object.keys(node)) settle(node[key], names);
    }

    /* All functions by name: objects of the module's with `implementation` and `signature`. */
    async function functions_of(jsonata) {
        const names = built_in.split(' ');
        const made = await jsonata('[' + names.map((name) => '$' + name) + ']').evaluate();
        const functions = Object.fromEntries(names.map((name, i) => [name, made[i]]));
        const format = functions.fromMillis.implementation;
        added.now = [(picture, timezone) => format(host.now(), picture, timezone), '<s?s?:s>'];
        added.millis = [() => host.now(), '<:n>'];
        for (const name in added) {
            const maker = jsonata('$' + name);
            maker.registerFunction(name, ...added[name]);
            functions[name] = await maker.evaluate();
        }
        return functions;
    }

    return async function () {
        const jsonata = globalThis.global.jsonata;
        delete globalThis.global; /* it writes to itself, so it must not be frozen */
        const functions = await functions_of(jsonata);
        const chained = await jsonata('$lowercase ~> $uppercase').evaluate(); /* its tree is one for all */
        harden();
        host.freeze(functions);
        host.freeze(chained.body);
        host.freeze(chained.arguments);

        /* For debuggers, looked up at each step in all frames; found here, the search is shorter. */
        const hooks = ['evaluate_entry', 'evaluate_exit', 'createFrame_push'].map((name) => Symbol.for('jsonata.__' + name));

        /* -> [evaluate(bindings), the names of its variables, a line each]
         * The module notes in a function's object where it was called last, so each evaluation gets objects of its own. */
        return function (text) {
            const expression = jsonata(text);
            const names = new Set();
            settle(expression.ast(), names);
            expression.assign('eval', undefined);
            for (const name in added) expression.assign(name, functions[name]);
            for (const hook of hooks) expression.assign(hook, undefined);
            const used = Array.from(names).filter((name) => Object.hasOwn(functions, name));
            function evaluate(bindings, input) {
                for (const name of used) {
                    if (name in bindings) continue;
                    const { implementation, signature } = functions[name];
                    bindings[name] = { _jsonata_function: true, implementation, signature };
                }
                return expression.evaluate(input, bindings);
            }
            return [evaluate, Array.from(names, (name) => name + '\n').join('')];
        };
    };
})
