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
const LLVM_TESTS = [
  'packages/compiler/dist/test/**/*.test.js',
  'test/dist/**/*.test.js',
  // What reads text, arguments and files, or speaks to executors, asks LLVM nothing.
  '!packages/compiler/dist/test/{calls,confine,executor-client,files,observe,pool}/**',
  '!packages/compiler/dist/test/cli/{answers,completion,help,history,json,launcher,lying-executor,map-input,processes}.test.js',
  '!packages/compiler/dist/test/cli/{read-source,refused-options,short-forms,stop-request,usage,waiting-pipes,written-files}.test.js',
  '!packages/compiler/dist/test/frontends/kaleidoscope/{call-graph,diagnostic,lexer,parser*,print-ast,source-text}.test.js',
  // They ask each libLLVM that is installed, whichever is the default.
  '!packages/compiler/dist/test/codegen/{codegen-objects,codegen-pool}.test.js',
  '!packages/compiler/dist/test/llvm/{ir-module,pass-pipeline,target-machine}.test.js',
  '!packages/compiler/dist/test/frontends/llvm/{module-layer,read-module}.test.js',
  // They read what LLVM made once, and do not ask it for more.
  '!test/dist/fuzz/targets.test.js',
  // Of deployments, networks and lost connections another LLVM says nothing new.
  '!test/dist/{deploy,faults,hosts}/**',
  '!test/dist/{authentication,drain,few-descriptors,map-network,metrics,orphans,quotas,remote-executor}.test.js',
  '!test/dist/{socket-paths,versions}.test.js',
  // Nor of how long what waits may wait, of texts, types and packages, and of what imports what.
  '!test/dist/{idle,iteration,map-command,map-stream,run-many,wrong-arguments}.test.js',
  '!test/dist/{api-reference,borrowed,conformance-*,demo,errors-doc,executor-doc,observability-doc}.test.js',
  '!test/dist/{public-types,releases,typed-callables,workflows}.test.js',
  // Nor of calls over many executors, of functions in JavaScript, of ends and limits.
  '!test/dist/{map,pool,neutral-pool,pool-initializers,closing,limits,runner-kills,large-commits}.test.js',
  '!test/dist/host-*.test.js',
  // Objects are what a clang has made.
  '!packages/compiler/dist/test/jitlink/x86_64/**',
  '!test/dist/{add-object,add-archive,object-features,linker-sets}.test.js',
  '!test/dist/packages/**',
  '!test/dist/dependency-rules.test.js',
  // Nor of what hosts and runners hold out against, whoever made the code.
  '!test/dist/fuzz/{fuzzer,runner}.test.js',
  '!test/dist/security/{docs,faults,fewer-rights,hostile-programs,kills,limits,memory,neighbours}.test.js',
  '!test/dist/security/{pressure,requests,scribble,sessions,strangers,system-calls}.test.js',
  // `npm run test:conformance` with FARJIT_LIBLLVM runs all programs with another one.
  '!test/dist/conformance.test.js',
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
      // Churn says nothing new of another LLVM: a short run shows that it works.
      const env = { ...process.env, FARJIT_LIBLLVM: library.path, FARJIT_CHURN_CALLBACKS: '7000' };
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
