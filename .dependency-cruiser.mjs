// What may import what in the sources of the packages: `npm run lint` holds it. Imports of types count.

/**
 * Folders of the core from the bottom up: each imports of the core only what stands before it. All are below front ends,
 * pool and command line, and know no language and none of those.
 */
const CORE_FOLDERS = [
  'files',
  'ffi',
  'observe',
  'jitlink',
  'ir',
  'executor-client',
  'core',
  'runner',
  'indirection',
  'calls',
  'llvm',
  'cache',
  'codegen',
  'optimize',
  'layers',
  'platform',
  'session',
];
/** What stands on the core, from the bottom up: the neutral `JIT` adds modules itself. */
const FOLDERS = [...CORE_FOLDERS, 'frontends/llvm', 'jit', 'pool', 'frontends/kaleidoscope', 'cli'];
const CORE = CORE_FOLDERS.join('|');

const protocol = '^(@farjit/protocol(/|$)|packages/protocol/)';
const executor = '^(@farjit/executor(/|$)|packages/executor/)';
const compiler = '^(@farjit/compiler(/|$)|packages/compiler/)';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circle-of-files',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'core-knows-no-front-end',
      severity: 'error',
      from: { path: `^packages/compiler/src/(${CORE})/` },
      to: { path: `^packages/compiler/src/(?!(${CORE})/)` },
    },
    ...FOLDERS.slice(0, -1).map((folder, index) => ({
      name: `${folder}-imports-no-folder-above`,
      severity: 'error',
      from: { path: `^packages/compiler/src/${folder}/` },
      to: { path: `^packages/compiler/src/(${FOLDERS.slice(index + 1).join('|')})/` },
    })),
    {
      name: 'jit-and-pool-know-no-language',
      comment:
        'Front ends supply languages, whichever there are. Modules of LLVM are what the JIT itself takes.',
      severity: 'error',
      from: { path: '^packages/compiler/src/(jit|pool)/' },
      to: { path: '^packages/compiler/src/frontends/(?!llvm/)' },
    },
    {
      name: 'jitlink-links-and-nothing-else',
      comment: 'It needs nothing but types of the protocol and what Node has.',
      severity: 'error',
      from: { path: '^packages/compiler/src/jitlink/' },
      to: { pathNot: `^packages/compiler/src/jitlink/|${protocol}`, dependencyTypesNot: ['core'] },
    },
    {
      name: 'command-line-on-top',
      severity: 'error',
      from: { pathNot: '^packages/compiler/src/cli/' },
      to: { path: '^packages/compiler/src/cli/' },
    },
    {
      name: 'compiler-and-executor-meet-in-the-protocol',
      severity: 'error',
      from: { path: '^packages/compiler/' },
      to: { path: executor },
    },
    {
      name: 'executor-and-compiler-meet-in-the-protocol',
      severity: 'error',
      from: { path: '^packages/executor/' },
      to: { path: compiler },
    },
    {
      name: 'protocol-below-both',
      severity: 'error',
      from: { path: '^packages/protocol/' },
      to: { path: `${executor}|${compiler}` },
    },
    {
      name: 'nothing-unresolved',
      comment: 'A rule cannot see where an import leads that is not found.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^@farjit/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    // What is built need not be there, and is not looked into when it is.
    doNotFollow: { path: '(^|/)(node_modules|dist)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
