'use strict';
// Loads the bundle beside this file, with what V8 has compiled of it before if that was the same V8: a build leaves that beside
// it, and where it was installed each user has his own, from the first run on.
const fs = require('node:fs');
const { basename, isAbsolute, join } = require('node:path');
const { Script } = require('node:vm');

/** Of the bundle, which the script that makes it fills in: V8 itself looks at the length of a script alone. */
const BUNDLE_HASH = '';
/** Of a mode: the group or others may write. */
const WRITABLE_BY_OTHERS = 0o022;

const prefix = __filename.slice(0, -'.cjs'.length);
const filename = `${prefix}.bundle.js`;
const version = `${basename(prefix)}-${process.version}-`;
const folders = cacheFolders();
const kept = folders.length > 0 && join(folders.at(-1), `${version}${BUNDLE_HASH}.code-cache`);

/** Where a user's are, after the folders that it is in; none where it is not known who the user is. */
function cacheFolders() {
  const { XDG_CACHE_HOME: xdg, HOME: home } = process.env;
  if (!process.getuid) return [];
  if (xdg && isAbsolute(xdg)) return [xdg, join(xdg, 'farjit'), join(xdg, 'farjit/code')];
  if (!home || !isAbsolute(home)) return [];
  const cache = join(home, '.cache');
  return [cache, join(cache, 'farjit'), join(cache, 'farjit/code')];
}

/** V8 runs what a code cache says, so nobody else can have written it. */
function isOwn({ uid, mode }) {
  return uid === process.getuid() && (mode & WRITABLE_BY_OTHERS) === 0;
}

function readBuilt() {
  try {
    return fs.readFileSync(`${prefix}.code-cache`);
  } catch {
    return undefined; // It is only faster with it.
  }
}

function readKept() {
  if (!kept) return undefined;
  try {
    const fd = fs.openSync(kept, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      return isOwn(fs.fstatSync(fd)) && isOwn(fs.lstatSync(folders.at(-1))) ? fs.readFileSync(fd) : undefined;
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    return undefined; // As above.
  }
}

/** Keeps what V8 has compiled up to now. */
function keepCodeCache() {
  const unfinished = `${kept}.${process.pid}`;
  try {
    for (const folder of folders) makeFolder(folder);
    const folder = folders.at(-1);
    if (!isOwn(fs.lstatSync(folder))) return;
    // What this Node had of other bundles, and what somebody was ended over.
    for (const name of fs.readdirSync(folder)) if (name.startsWith(version)) fs.rmSync(join(folder, name));
    fs.writeFileSync(unfinished, script.createCachedData(), { mode: 0o600, flag: 'wx' });
    fs.renameSync(unfinished, kept);
  } catch {
    // As above. The next run tries again.
  }
}

function makeFolder(path) {
  try {
    fs.mkdirSync(path, 0o700);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
}

// The bundle is ASCII. V8 checks the code cache and compiles when it is not for this script, V8 or its flags.
const source = fs.readFileSync(filename, 'latin1');
const compile = (cachedData) => new Script(source, { filename, cachedData });
let cachedData = readBuilt();
let script = cachedData && compile(cachedData);
if (!script || script.cachedDataRejected) {
  cachedData = readKept();
  if (cachedData || !script) script = compile(cachedData);
}
const isCached = cachedData !== undefined && !script.cachedDataRejected;
script.runInThisContext()(exports, require, module, filename, __dirname);
// Options of Node's can be flags of V8's, and code of one set of flags is no use with another.
const isPlain = process.execArgv.length === 0 && !process.env.NODE_OPTIONS;
module.exports.keepCodeCache = kept && isPlain && !isCached ? keepCodeCache : undefined;
