import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { removeAnswers } from './answers.mjs';
import { ROOT } from './paths.mjs';
import { ScriptError } from './report.mjs';

/** A command whose modules are bundled into one script, which starts several times faster than they do. */
export const COMMANDS = [
  {
    name: 'farjit',
    folder: 'packages/compiler',
    main: 'start',
    more: ['endProcess'],
    from: 'src/cli/start.ts',
  },
  { name: 'farjit-executor', folder: 'packages/executor', main: 'main', more: [], from: 'src/main.ts' },
];
/** What `farjit doctor` starts for what may crash. */
export const DOCTOR_PROBE = {
  folder: 'packages/compiler',
  from: 'src/cli/doctor-probe.ts',
  to: 'dist/bundle/doctor-probe.cjs',
};

/** Compiled as the body of a function that takes what Node gives to a CommonJS module. */
const PARAMETERS = 'exports, require, module, __filename, __dirname';
/** What modules ask `import.meta` for, in one script. */
const MODULE_URLS = `
const moduleUrl = (path) => require('node:url').pathToFileURL(require('node:path').join(__dirname, '..', path)).href;
const late = { load: require, use(load) { late.load = load; } };
const moduleResolve = (name) => require('node:url').pathToFileURL(require.resolve(name)).href;
`;
const ERROR_CLASS = /\bclass (\w+) extends \w*Error \{/g;
const TSCONFIG = readFileSync(join(ROOT, 'tsconfig.base.json'), 'utf8');
const LOADER = readFileSync(new URL('./bundle-loader.cjs', import.meta.url), 'utf8');

/**
 * Bundles the commands into `dist/bundle/` of their packages; writes what changed. It takes the TypeScript as it is, which
 * `tsc` checks: a command is there before anything else of TypeScript has been compiled.
 * @throws {ScriptError} when esbuild is not installed.
 */
export async function bundleCommands() {
  const esbuild = await import('esbuild').catch((cause) => {
    throw new ScriptError(`cannot load esbuild (${cause.message})`, ['Run `npm run setup` first.']);
  });
  await Promise.all(COMMANDS.map((command) => bundle(esbuild, command)));
  await bundleProgram(esbuild, DOCTOR_PROBE);
}

/** Where a command's bundle is. */
export function bundlePaths({ name, folder }) {
  const prefix = join(ROOT, folder, 'dist/bundle', name);
  return { loader: `${prefix}.cjs`, script: `${prefix}.bundle.js`, codeCache: `${prefix}.code-cache` };
}

async function bundle(esbuild, command) {
  const { loader, script, codeCache } = bundlePaths(command);
  const { outputFiles } = await esbuild.build({
    ...settingsFor(command.folder),
    stdin: {
      contents: `export { ${[command.main, ...command.more].join(', ')} } from './${command.from}';`,
      resolveDir: join(ROOT, command.folder),
      sourcefile: `${command.name}.js`,
    },
    outfile: script,
    sourcemap: 'linked',
    sourcesContent: false,
    banner: { js: `(function (${PARAMETERS}) {${MODULE_URLS}` },
    footer: { js: 'module.exports.late = late; })' },
  });
  mkdirSync(dirname(script), { recursive: true });
  // Comments inside of classes stay as they are: what else there was is escaped.
  const written = outputFiles.map(({ path, text }) => writeChanged(path, text.replace(/[^\0-\x7f]/g, '?')));
  // What V8 made of the script before is worth nothing now.
  if (written.includes(true)) {
    rmSync(codeCache, { force: true });
    if (command.name === 'farjit') removeAnswers();
  }
  const code = outputFiles.find(({ path }) => path === script).text;
  const hash = createHash('sha256').update(code).digest('hex').slice(0, 16);
  writeChanged(loader, LOADER.replace("BUNDLE_HASH = ''", `BUNDLE_HASH = '${hash}'`));
}

/** Bundles a program that a command starts, which is a script of its own. */
async function bundleProgram(esbuild, { folder, from, to }) {
  const { outputFiles } = await esbuild.build({
    ...settingsFor(folder),
    entryPoints: [join(ROOT, folder, from)],
    outfile: join(ROOT, folder, to),
    banner: { js: MODULE_URLS },
  });
  for (const { path, text } of outputFiles) writeChanged(path, text);
}

function settingsFor(folder) {
  return {
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // For all files alike: esbuild looks for none of those that a plugin has found.
    tsconfigRaw: TSCONFIG,
    // What is imported late of Node itself is required late: a script of node:vm has no import of its own.
    supported: { 'dynamic-import': false },
    // One byte a character, which V8 takes as it is, and keeps in its heap, like each name.
    charset: 'ascii',
    minify: true,
    legalComments: 'none',
    define: {
      IS_BUNDLED: 'true',
      'import.meta.url': 'undefined',
      'import.meta.resolve': 'moduleResolve',
      // Addons of ws that nobody has installed; to look for them takes time.
      'process.env.WS_NO_BUFFER_UTIL': '"1"',
      'process.env.WS_NO_UTF_8_VALIDATE': '"1"',
    },
    plugins: [ownSources, ownNames(join(ROOT, folder)), nativeParts],
    logLevel: 'silent',
  };
}

/** What a package of ours exports is taken from its sources. */
const ownSources = {
  name: 'own-sources',
  setup(build) {
    build.onResolve({ filter: /^@farjit\/protocol(\/|$)/ }, ({ path }) => {
      const [, name, entry] = /^@farjit\/(\w+)(?:\/(.+))?$/.exec(path);
      const folder = join(ROOT, 'packages', name);
      const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const { default: compiled } = exports[entry === undefined ? '.' : `./${entry}`];
      return { path: join(folder, compiled.replace('/dist/', '/').replace(/\.js$/, '.ts')) };
    });
  },
};

/**
 * A module's `import.meta.url` is that of what `tsc` makes of it, so that it finds the files beside it. The name of an error's
 * class, which is said where it is not caught, stays what it was.
 */
function ownNames(folder) {
  return {
    name: 'own-names',
    setup(build) {
      build.onLoad({ filter: /[\\/]packages[\\/]\w+[\\/]src[\\/].*\.ts$/ }, ({ path }) => {
        const url = `moduleUrl(${JSON.stringify(relative(folder, path).replace(/\.ts$/, '.js'))})`;
        const contents = readFileSync(path, 'utf8').replace(ERROR_CLASS, "$& static name = '$1';");
        const isOfCommand = path.startsWith(join(folder, 'src/'));
        return {
          contents: isOfCommand ? contents.replaceAll('import.meta.url', url) : contents,
          loader: 'ts',
        };
      });
    },
  };
}

/** Native addons stay outside, and what loads them is made cheap. llvm-bindings is never imported but loaded. */
const nativeParts = {
  name: 'native-parts',
  setup(build) {
    // What one command alone needs, where it is installed.
    build.onResolve({ filter: /^(csv-parse|cli-progress)$/ }, ({ path }) => ({ path, external: true }));
    build.onResolve({ filter: /^@yuuang\/ffi-rs-|\.node$/ }, ({ path }) => ({ path, external: true }));
    // It asks for a diagnostic report, which takes 5 ms, to learn whether the C library is musl. FarJIT needs glibc.
    build.onLoad({ filter: /[\\/]ffi-rs[\\/]index\.js$/ }, ({ path }) => {
      const isMusl = /function isMusl\(\) \{[\s\S]*?\n\}\n/;
      const contents = borrowed(path, isMusl, 'a function isMusl, which is made cheap');
      return { contents: contents.replace(isMusl, 'function isMusl() { return false; }\n') };
    });
    // Newer Nodes have a faster mask in http, which is not worth loading all of http for.
    build.onResolve({ filter: /^http$/ }, ({ path, importer }) => {
      if (!/[\\/]ws[\\/]lib[\\/]buffer-util\.js$/.test(importer)) return undefined;
      const masks = /^const \{ websocketMask, websocketUnmask \} = require\('http'\);$/m;
      borrowed(importer, masks, 'of http two functions alone, without which it has its own');
      return { path, namespace: 'empty' };
    });
    build.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'module.exports = {};' }));
    // What ws needs for handshakes, wss: URLs and compression: an executor of one's own takes none of them.
    build.onResolve({ filter: /^(https?|tls|zlib)$/ }, ({ path, importer }) => {
      if (!/[\\/]ws[\\/]lib[\\/]/.test(importer)) return undefined;
      const whole = new RegExp(`^const ${path} = require\\('${path}'\\);$`, 'm');
      borrowed(importer, whole, `all of ${path}, of which it takes parts when it needs them`);
      return { path, namespace: 'late' };
    });
    build.onLoad({ filter: /[\\/]ws[\\/]lib[\\/](sender|websocket(-server)?)\.js$/ }, ({ path }) => {
      const taken = /^const \{ ([\w, ]+) \} = require\('crypto'\);$/m;
      const contents = borrowed(path, taken, 'of crypto some functions, which a socket pair needs none of');
      return { contents: contents.replace(taken, lateFunctions) };
    });
    // What many a run has no use for.
    build.onResolve(
      { filter: /^(node:)?(child_process|crypto|module|(fs|stream|timers)\/promises|stream\/web)$/ },
      ({ path, namespace }) =>
        namespace === 'late'
          ? { path, external: true }
          : { path: path.replace(/^node:/, ''), namespace: 'late' },
    );
    build.onLoad({ filter: /.*/, namespace: 'late' }, async ({ path }) => {
      const names = Object.keys(await import(`node:${path}`)).filter((name) => name !== 'default');
      const getters = names.map((name) => `get ${name}() { return load().${name}; }`);
      return {
        contents: `module.exports = { ${getters.join(', ')} };
          let loaded;
          function load() { return (loaded ??= late.load('node:${path}')); }`,
      };
    });
    // An accelerator for long strings, of which there are none on this wire.
    build.onResolve({ filter: /^msgpackr-extract$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    build.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = undefined;' }));
  },
};

/**
 * What a dependency's file holds, which has in it what is counted on and no documentation promises. The dependency's version is
 * exact for that (docs/architecture.md, "What is borrowed").
 * @throws {Error} when that is gone.
 */
function borrowed(path, pattern, words) {
  const contents = readFileSync(path, 'utf8');
  if (!pattern.test(contents))
    throw new Error(`${path} no longer has ${words}: look at scripts/lib/bundle.mjs`);
  return contents;
}

/** Functions of `crypto` that are looked up when they are called. */
function lateFunctions(_line, names) {
  const functions = names
    .split(', ')
    .map((name) => `const ${name} = (...given) => crypto.${name}(...given);`);
  return ["const crypto = require('crypto');", ...functions].join('\n');
}

function writeChanged(path, text) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return false;
  writeFileSync(path, text);
  return true;
}
