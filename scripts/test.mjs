// npm test [-- <ava's arguments>]: set-up, build, then all tests; what depends on LLVM runs again with every other
// libLLVM the project promises to work with. The last line is `N passed, N failed`.
import { runAva } from './lib/ava.mjs';
import { failuresOf, summaryLine } from './lib/ava-output.mjs';
import { build } from './lib/build.mjs';
import { findLibLLVM } from './lib/libllvm.mjs';
import { runScript, say } from './lib/report.mjs';
import { runAsUser, USER_TESTS } from './lib/security-tests.mjs';
import { setUp } from './lib/set-up.mjs';

/** Tests must pass with the oldest and the newest libLLVM that is supported. */
const TESTED_MAJORS = [14, 22];
/** What may come out differently with another LLVM: what it reads, what it makes, and what is found in that. */
const LLVM_TESTS = [
  'packages/compiler/dist/test/{ir,layers,llvm}/**/*.test.js',
  // These ask each libLLVM that is installed, whichever is the default.
  '!packages/compiler/dist/test/llvm/{ir-module,pass-pipeline,target-machine}.test.js',
  'packages/compiler/dist/test/cache/{codegen-version,kept-objects,llvm-identity,object-cache,object-keys,session-cache}.test.js',
  'packages/compiler/dist/test/cli/{doctor,doctor-checks,repl,run,run-program}.test.js',
  'packages/compiler/dist/test/codegen/{codegen-requests,hostile-codegen,pieces}.test.js',
  'packages/compiler/dist/test/frontends/kaleidoscope/irgen.test.js',
  'packages/compiler/dist/test/frontends/llvm/{archive,confined-tool,find-clang}.test.js',
  'packages/compiler/dist/test/jitlink/{dwarf,elf}/**/*.test.js',
  'packages/compiler/dist/test/jitlink/{eh-frame,gnu-ld,link,piece-locals,split,split-locals}.test.js',
  'packages/compiler/dist/test/{optimize/tier-up,sanitized,session/execution-session,session/redefinition}.test.js',
  'test/dist/{add-c,add-ir,add-library,aliases,backtraces,builtins,callables,coroutines,eager,exceptions}.test.js',
  'test/dist/{extraction,failed-guesses,failures,ifuncs,initializer-programs,initializers,kaleidoscope-meets-c}.test.js',
  'test/dist/{kept-c,large-programs,local-functions,module-symbols,modules,near-calls,object-cache}.test.js',
  'test/dist/{own-library-functions,plugins,pool-targets,programs,readme-example,redefinition}.test.js',
  'test/dist/{relinked-data,replaced-functions,signatures,source-lines,speculation,thread-locals}.test.js',
  'test/dist/{threads,tiers,transforms,vague-data}.test.js',
  'test/dist/fuzz/{lli,programs,properties}.test.js',
  'test/dist/security/{bitcode,codegen-confinement,codegen-kills,forged-cache}.test.js',
];

await runScript(async () => {
  await setUp('tests');
  await build();
  const args = process.argv.slice(2);
  const counters = [];
  for (const { title, args: avaArgs, env } of planRuns(args)) {
    say(`\ntests: ${title}`);
    counters.push(await runAva(avaArgs, env));
  }
  if (args.length === 0) {
    const asUser = await runAsUser(process.env, USER_TESTS);
    if (asUser) counters.push(asUser);
  }
  const failures = failuresOf(counters);
  if (failures !== '') process.stdout.write(`\nfailed:\n${failures}\n`);
  process.stdout.write(`${summaryLine(counters)}\n`);
  return counters.every(({ failed }) => failed === 0) ? 0 : 1;
});

/** The runs of ava: all tests with the default libLLVM, then those that use LLVM with each other one. */
function planRuns(args) {
  const named = process.env.FARJIT_LIBLLVM;
  if (named) return [{ title: `all, with ${named} alone (FARJIT_LIBLLVM)`, args, env: process.env }];

  const found = findLibLLVM();
  const runs = [{ title: `all, with libLLVM ${found[0]?.major ?? 'not found'}`, args, env: process.env }];
  for (const major of TESTED_MAJORS) {
    if (major === found[0]?.major) continue;
    const library = found.find((candidate) => candidate.major === major);
    const again = llvmTests(args);
    if (!library) say(`tests: libLLVM ${major} is not found, so nothing is tested with it`);
    else if (again) {
      const env = { ...process.env, FARJIT_LIBLLVM: library.path };
      runs.push({ title: `what uses LLVM, with libLLVM ${major}`, args: again, env });
    }
  }
  return runs;
}

/**
 * Ava's arguments for a run of the tests that use LLVM: of the files the user named, those; undefined when there
 * are none among them, or when the user picks single tests by title, which may be anywhere.
 */
function llvmTests(args) {
  if (args.some((arg) => /^(-m|--match)/.test(arg))) return undefined;
  const isFile = (arg) => /\.test\.js(:|$)/.test(arg) || arg.includes('/');
  const files = args.filter(isFile);
  if (files.length === 0) return [...args, ...LLVM_TESTS];
  const chosen = files.filter((file) =>
    /(^|\/)(packages\/compiler|test\/dist)\//.test(file.replace(/^\.\//, '')),
  );
  return chosen.length > 0 ? [...args.filter((arg) => !isFile(arg)), ...chosen] : undefined;
}
