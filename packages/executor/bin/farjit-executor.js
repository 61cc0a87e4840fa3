#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');

// `npm run build` makes both; the bundle starts several times faster than its modules.
const bundle = `${__dirname}/../dist/bundle/farjit-executor.cjs`;
const modules = `${__dirname}/../dist/src/main.js`;

async function load() {
  if (existsSync(bundle)) return require(bundle);
  if (existsSync(modules)) return import(modules);
  process.stderr.write('farjit-executor: error: it is not built yet; run `npm run build` first\n');
  process.exit(1);
}

// Milliseconds after which an executor of one program has done most of what it does, and is likely to be there still: it is
// ended with the program.
const KEEPING_DELAY_MS = 150;

// Bytes of bytecode that a function runs before V8 optimises it, which it does on a core that the program and its compiler could have:
// with a chain of 1000 functions that was 12% of the CPU time of all processes. An executor of one program mostly ends before optimised
// code pays; what a long session runs again and again is optimised still. Later V8s than Node 20's do not know the flag.
const INTERRUPT_BUDGET = '--interrupt-budget=1000000';

/** After all is loaded: V8 refuses what was compiled with other flags, as Node's own modules are. */
function setFlags() {
  if (process.versions.v8.startsWith('11.3.')) setFlagsFromString(INTERRUPT_BUDGET);
}

load().then(async ({ main, keepCodeCache }) => {
  // A server starts seldom, and has not done then what it does for programs.
  if (keepCodeCache && process.argv.includes('--inherit-fd'))
    setTimeout(keepCodeCache, KEEPING_DELAY_MS).unref();
  // Nor would V8 take a code cache that is made with other flags.
  process.exit(await main(process.argv.slice(2), { onServingOne: keepCodeCache ? undefined : setFlags }));
});
