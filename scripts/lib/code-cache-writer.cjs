// node code-cache-writer.cjs SCRIPT CODE_CACHE MAIN ARGS...: runs a bundled command's function as bundle-loader.cjs does, and writes what
// V8 has compiled of it when it has ended.
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { dirname } = require('node:path');
const { Script } = require('node:vm');

const [filename, codeCache, main, ...args] = process.argv.slice(2);
const script = new Script(readFileSync(filename, 'latin1'), { filename });
const bundle = { exports: {} };
script.runInThisContext()(bundle.exports, createRequire(filename), bundle, filename, dirname(filename));
bundle.exports[main](args).finally(() => {
  writeFileSync(`${codeCache}.new`, script.createCachedData());
  renameSync(`${codeCache}.new`, codeCache);
  process.exit();
});
