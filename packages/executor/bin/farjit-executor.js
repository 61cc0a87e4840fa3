#!/usr/bin/env node
import('../dist/src/main.js').then(async ({ main }) => process.exit(await main(process.argv.slice(2))));
