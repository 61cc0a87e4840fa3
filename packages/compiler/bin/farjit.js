#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { setFlagsFromString } = require('node:v8');

// `npm run build` makes both; the bundle starts several times faster than its modules.
const bundle = `${__dirname}/../dist/bundle/farjit.cjs`;
const modules = `${__dirname}/../dist/src/cli/start.js`;

async function load() {
  if (existsSync(bundle)) return require(bundle);
  if (existsSync(modules)) return import(modules);
  process.stderr.write('farjit: it is not built yet; run `npm run build` first\n');
  process.exit(1);
}

// Bytes of bytecode that a function runs before V8 optimises it; by default 132 KiB. A command mostly ends before
// optimised code pays, and V8 makes it on the core that code generation needs: with a chain of 1000 functions that was
// 40% of the CPU time of all processes, with one of 200 15%. What a long session runs again and again is optimised still.
const INTERRUPT_BUDGET_BYTES = 1_000_000;

// Node 20's V8. Later ones count calls in place of bytes, and print an error for a flag that they do not know.
const V8_HAS_INTERRUPT_BUDGET = process.versions.v8.startsWith('11.3.');

// By which V8 enlarges the room for young objects, from 1 MiB: a command fills it while it starts.
const SEMI_SPACE_GROWTH_FACTOR = 8;

// Milliseconds in which V8 does not look for old objects that nobody needs, of which there are hardly any so early: with a chain
// of 200 functions that was 7% of the instructions of the compiler's process.
const MARKING_DELAY_MS = 2000;

function setFlags() {
  if (V8_HAS_INTERRUPT_BUDGET) setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET_BYTES}`);
  setFlagsFromString(`--semi-space-growth-factor=${SEMI_SPACE_GROWTH_FACTOR}`);
  setFlagsFromString('--no-incremental-marking');
  setTimeout(() => setFlagsFromString('--incremental-marking'), MARKING_DELAY_MS).unref();
}

load().then(async ({ start, endProcess, keepCodeCache }) => {
  // Only now, and not where a code cache is to be made: V8 refuses those that were made with other flags.
  if (!keepCodeCache) setFlags();
  const ended = await start(process.argv.slice(2));
  // Whoever has run a program has compiled what the next one needs.
  if (ended.isLoaded) keepCodeCache?.();
  endProcess(ended);
});
