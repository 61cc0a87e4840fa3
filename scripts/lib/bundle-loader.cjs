'use strict';
// Loads the bundle beside this file, with what V8 has compiled of it before if that was the same V8.
const { readFileSync } = require('node:fs');
const { Script } = require('node:vm');

const prefix = __filename.slice(0, -'.cjs'.length);
const filename = `${prefix}.bundle.js`;

function readCodeCache() {
  try {
    return readFileSync(`${prefix}.code-cache`);
  } catch {
    return undefined; // It is only faster with it.
  }
}

// The bundle is ASCII. V8 checks the code cache and compiles when it is not for this script, V8 or its flags.
const script = new Script(readFileSync(filename, 'latin1'), { filename, cachedData: readCodeCache() });
script.runInThisContext()(exports, require, module, filename, __dirname);
