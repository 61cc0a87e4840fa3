#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { setFlags, withOwnFlags } = require('./v8-flags.js');

// `npm run build` makes both; the bundle starts several times faster than its modules.
const bundle = `${__dirname}/../dist/bundle/farjit.cjs`;
const modules = `${__dirname}/../dist/src/cli/start.js`;

async function load() {
  if (existsSync(bundle)) return require(bundle);
  if (existsSync(modules)) return import(modules);
  process.stderr.write('farjit: error: it is not built yet; run `npm run build` first\n');
  process.exit(1);
}

load().then(async ({ start, endProcess, keepCodeCache, late }) => {
  // Only now, and not where a code cache is to be made: V8 refuses those that were made with other flags.
  if (!keepCodeCache) {
    setFlags();
    late?.use((name) => withOwnFlags(() => require(name)));
  }
  const ended = await start(process.argv.slice(2));
  // Whoever has run a program has compiled what the next one needs.
  if (ended.isLoaded) keepCodeCache?.();
  endProcess(ended);
});
