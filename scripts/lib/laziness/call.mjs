// node scripts/lib/laziness/call.mjs FILE.ll auto|off: compiles a module in pieces at -O0, and prints how many milliseconds the first
// call of its f0 takes. The second word is the option `speculate`.
import { readFileSync } from 'node:fs';
import { JIT } from '@farjit/compiler';

const [path, speculate] = process.argv.slice(2);
const options = { optLevel: 0, extraction: 'on', ...(speculate === 'off' && { speculate }) };
const jit = await JIT.create(options);
await jit.addIR(readFileSync(path, 'utf8'));
const f0 = await jit.lookup('f0', 'double(double)');

// What a session's first call brings along is not what is asked.
await jit.addIR('define double @warm(double %x) {\n  ret double %x\n}\n');
await (await jit.lookup('warm', 'double(double)'))(1);

const started = performance.now();
await f0(0);
console.log(performance.now() - started);
await jit.close();
