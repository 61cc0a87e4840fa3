// node test/dist/conformance/main.js: runs suites; `npm run test:conformance` builds, fetches their sources and calls it.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { findClang } from '#compiler/src/frontends/llvm/find-clang.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { Builder, type BuiltProgram } from './build.js';
import type { CheckContext } from './check.js';
import { CommandSample } from './command.js';
import { writeDocument } from './document.js';
import { FarJIT } from './farjit.js';
import { runPeers } from './peers.js';
import { describeMode, MODES, type Mode } from './program.js';
import { failuresOf, runSuite, type Suite, type SuiteResult } from './run-suite.js';
import { isRight, keepReport, keptReport, reportOf } from './suite-report.js';
import { SUITES } from './suites/index.js';
import { summaryOf } from './summary.js';

const USAGE = `npm run test:conformance [-- OPTIONS]

Runs programs natively and by FarJIT, lazily and eagerly, at -O0 and by default, and compares what they print on standard
output and error, and their exit codes. Installs and fetches what the suites need, into a cache of the user's.

  --suite NAME,...    only these: ${SUITES.map(({ name }) => name).join(', ')} (default: all)
  --mode NAME,...     only these: ${MODES.map(describeMode).join(', ')} (default: all)
  --only TEXT         only programs with this in their names
  --programs N        the first N programs of each suite
  --short             a handful of programs of the suites that are not the project's own
  --seed N            first seed of csmith (default 1)
  --jobs N            programs at a time (default: one for each core)
  --no-peers          runs nothing with lli of LLVM 22
  --write-docs        writes docs/conformance.md, with what suites that are not run now have shown before
  --help              says this

Exit code 1 when a program ends otherwise than natively, and is not listed as one that does.
`;

const PROGRESS_MS = 10_000;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      suite: { type: 'string' },
      only: { type: 'string' },
      short: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      mode: { type: 'string' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      sources: { type: 'string', default: '' },
      'write-docs': { type: 'string' },
      programs: { type: 'string' },
      'no-peers': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const { only } = values;
  const most = values.programs === undefined ? undefined : wholeNumber('programs', values.programs);
  const jobs = wholeNumber('jobs', values.jobs);
  const modes = named('mode', values.mode, MODES, describeMode);
  const options = {
    sources: values.sources,
    isShort: values.short,
    firstSeed: wholeNumber('seed', values.seed),
  };
  const directory = mkdtempSync(join(tmpdir(), 'farjit-conformance-'));
  const farjit = await FarJIT.start(jobs);
  try {
    const libLLVM = findLibLLVM();
    const clang = findClang(libLLVM.path);
    const tools = `${basename(clang)}, libLLVM ${libLLVM.version}`;
    const builder = new Builder(clang, directory);
    const sample = new CommandSample();
    let isAllRight = true;
    for (const { make } of named('suite', values.suite, SUITES, ({ name }) => name)) {
      const suite = await make({ ...options, directory });
      if (typeof suite === 'string') {
        say(suite);
        continue;
      }
      const chosen = suite.programs.filter(({ name }) => only === undefined || name.includes(only));
      const programs = chosen.slice(0, most);
      const leftOut = { ...suite.leftOut, 'not run this time': chosen.length - programs.length };
      const result = await run(
        { ...suite, programs, leftOut },
        {
          builder,
          farjit,
          runCommand: (built: BuiltProgram) => sample.check(built),
          runPeers: values['no-peers'] ? async () => [] : runPeers,
        },
        { jobs, modes },
      );
      const report = reportOf(result, tools);
      process.stdout.write(summaryOf(result, report));
      isAllRight &&= isRight(result);
      // What is not the whole suite is no suite's report.
      if (only === undefined && options.sources !== '') keepReport(options.sources, report);
    }
    const document = values['write-docs'];
    if (document !== undefined) {
      const reports = SUITES.flatMap(({ name }) => keptReport(options.sources, name) ?? []);
      writeDocument(document, reports);
    }
    return isAllRight ? 0 : 1;
  } finally {
    await farjit.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function run(
  suite: Suite,
  context: CheckContext,
  { jobs, modes }: { readonly jobs: number; readonly modes: readonly Mode[] },
): Promise<SuiteResult> {
  let doneCount = 0;
  let nextMs = performance.now() + PROGRESS_MS;
  say(`${suite.name}: ${suite.programs.length} programs …`);
  return runSuite(suite, modes, context, {
    jobs,
    onChecked: (checked) => {
      doneCount++;
      for (const words of failuresOf(suite, checked)) say(`  ${suite.name}: ${words}`);
      if (performance.now() < nextMs) return;
      nextMs = performance.now() + PROGRESS_MS;
      say(`  ${suite.name}: ${doneCount} of ${suite.programs.length}`);
    },
  });
}

/** Those that an option names; all without it. */
function named<T>(
  option: string,
  names: string | undefined,
  all: readonly T[],
  nameOf: (one: T) => string,
): readonly T[] {
  if (names === undefined) return all;
  return names.split(',').map((name) => {
    const found = all.find((candidate) => nameOf(candidate) === name);
    if (!found) throw new Error(`--${option}: there is no ${name}; there are ${all.map(nameOf).join(', ')}`);
    return found;
  });
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${option} is ${text}: give a whole number from 1 on`);
  return Number(text);
}

function say(words: string): void {
  process.stderr.write(`${words}\n`);
}
