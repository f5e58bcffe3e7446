// bench/expressions.mjs - the official module's expressions a second under Node.js; what bench/expressions.c does.
//   node expressions.mjs JSONATA.js CASES.json MS
// From JSON text to JSON text, compiled once: as a workflow would call it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [module, cases, ms] = process.argv.slice(2);
const jsonata = createRequire(import.meta.url)(module);
const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; };
for (const { name, expression, input } of JSON.parse(readFileSync(cases, 'utf8'))) {
    const compiled = jsonata(expression);
    const text = JSON.stringify(input);
    const once = async () => JSON.stringify(await compiled.evaluate(undefined, { states: { input: JSON.parse(text), context: {} } }));
    for (let i = 0; i < 2000; i++) await once(); // until it is compiled to machine code
    let count = 0, begin = cpu(), end = begin;
    for (; end < begin + ms / 1000; end = cpu()) for (let i = 0; i < 20; i++, count++) await once();
    console.log(`${name}\t${Math.round(count / (end - begin))}`);
}
