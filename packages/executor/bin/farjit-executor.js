#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');

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

load().then(async ({ main, keepCodeCache }) => {
  // A server starts seldom, and has not done then what it does for programs.
  if (keepCodeCache && process.argv.includes('--inherit-fd'))
    setTimeout(keepCodeCache, KEEPING_DELAY_MS).unref();
  process.exit(await main(process.argv.slice(2)));
});
