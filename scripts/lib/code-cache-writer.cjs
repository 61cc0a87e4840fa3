// node code-cache-writer.cjs SCRIPT CODE_CACHE MAIN RUN...: calls a bundled command's function with the arguments of each
// RUN, a JSON array, loaded as bundle-loader.cjs does, and writes what V8 has compiled of it then.
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname } = require('node:path');
const { Script } = require('node:vm');

const [filename, codeCache, main, ...runs] = process.argv.slice(2);
const script = new Script(readFileSync(filename, 'latin1'), { filename });
const bundle = { exports: {} };
script.runInThisContext()(bundle.exports, createRequire(filename), bundle, filename, dirname(filename));

async function run() {
  for (const args of runs) await bundle.exports[main](JSON.parse(args));
}

run().finally(() => {
  writeFileSync(`${codeCache}.new`, script.createCachedData());
  renameSync(`${codeCache}.new`, codeCache);
  process.exit();
});
