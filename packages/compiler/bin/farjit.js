#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');

// `npm run build` makes both; the bundle starts several times faster than its modules.
const bundle = `${__dirname}/../dist/bundle/farjit.cjs`;
const modules = `${__dirname}/../dist/src/cli/start.js`;

async function load() {
  if (existsSync(bundle)) return require(bundle);
  if (existsSync(modules)) return import(modules);
  process.stderr.write('farjit: it is not built yet; run `npm run build` first\n');
  process.exit(1);
}

load().then(async ({ start, endProcess }) => endProcess(await start(process.argv.slice(2))));
