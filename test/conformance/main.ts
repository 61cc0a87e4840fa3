// node test/dist/conformance/main.js: runs suites; `npm run test:conformance` builds, fetches their sources and calls it.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findClang } from '#compiler/src/frontends/llvm/find-clang.js';
import { findLibLLVM } from '#compiler/src/llvm/find-libllvm.js';
import { Builder } from './build.js';
import type { CheckContext, CheckedProgram } from './check.js';
import { runSampled } from './command.js';
import { FarJIT } from './farjit.js';
import { KeptRecords } from './kept-records.js';
import { isPeer, LLI, PEER_MODES, runPeers } from './peers.js';
import { describeMode, MODES, type Mode } from './program.js';
import { type ProgramRecord, type RunInfo, recordOf } from './record.js';
import { failuresOf, runSuite, type Suite, type SuiteResult } from './run-suite.js';
import { reportOf } from './suite-report.js';
import { mergeResults } from './suite-results.js';
import { SUITES } from './suites/index.js';
import { summaryOf } from './summary.js';
import { writeDocs } from './write-docs.js';

/** A run by the command line is a sample of all of FarJIT's. */
const ALL_MODES = [...MODES.map(describeMode), ...PEER_MODES];

const USAGE = `npm run test:conformance [-- OPTIONS]

Runs programs natively and by FarJIT, lazily and eagerly, at -O0 and by default, and compares what they print on standard
output and error, and their exit codes. Installs and fetches what the suites need, into a cache of the user's.

  --suite NAME,...    only these: ${SUITES.map(({ name }) => name).join(', ')} (default: all)
  --mode NAME,...     only these: ${ALL_MODES.join(', ')} (default: all)
  --only TEXT         only programs with this in their names
  --programs N        the first N programs of each suite
  --short             a handful of programs of the suites that are not the project's own
  --seed N            first seed of csmith (default 1)
  --jobs N            programs at a time (default: one for each core)
  --extraction MODE   which modules are compiled piece by piece: on for all that can be, auto, off (default: off)
  --no-peers          runs nothing with lli of LLVM 22
  --continue          leaves out programs that have been run in these modes before, right or wrong
  --write-docs        adds what runs on this machine have shown to what is recorded, and writes docs/conformance.md of it all;
                      says what is counted
  --results FOLDER    of what is recorded (default: test/conformance/results)
  --help              says this

What each program shows is kept on this machine, beside what was fetched as soon as it is known, so that a long run can be ended at any time.

Exit code 1 when a program ends otherwise than natively, and is not listed as one that does.
`;

/** What is known of all suites, in the repository. */
const RESULTS = fileURLToPath(new URL('../../conformance/results', import.meta.url));

const EXTRACTION_MODES = ['auto', 'on', 'off'] as const;

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
      results: { type: 'string', default: RESULTS },
      programs: { type: 'string' },
      extraction: { type: 'string', default: 'off' },
      'no-peers': { type: 'boolean', default: false },
      continue: { type: 'boolean', default: false },
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
  const names = named('mode', values.mode, ALL_MODES, (name) => name).filter(
    (name) => !isPeer(name) || (!values['no-peers'] && existsSync(LLI)),
  );
  const modes = MODES.filter((mode) => names.includes(describeMode(mode)));
  const options = {
    sources: values.sources,
    isShort: values.short,
    firstSeed: wholeNumber('seed', values.seed),
  };
  const directory = mkdtempSync(join(tmpdir(), 'farjit-conformance-'));
  const [extraction = 'off'] = named('extraction', values.extraction, EXTRACTION_MODES, (name) => name);
  const farjit = await FarJIT.start(jobs, { extraction });
  try {
    const libLLVM = findLibLLVM();
    const clang = findClang(libLLVM.path);
    const tools = `${basename(clang)}, libLLVM ${libLLVM.version}`;
    const runInfo: RunInfo = { tools, day: new Date().toISOString().slice(0, 10) };
    const builder = new Builder(clang, directory);
    const context: CheckContext = {
      builder,
      farjit,
      runOthers: async (built, native) => [
        ...(modes.length > 0 ? await runSampled(built) : []),
        ...(await runPeers(built, native, names)),
      ],
    };
    let isAllRight = true;
    for (const { make } of named('suite', values.suite, SUITES, ({ name }) => name)) {
      const suite = await make({ ...options, directory });
      if (typeof suite === 'string') {
        say(suite);
        continue;
      }
      if (options.sources === '') throw new Error('--sources: say which folder has what was fetched');
      const kept = new KeptRecords(options.sources, suite.name);
      const isKnown = (program: string) => isKeptIn(names, kept.get(program), tools);
      const programs = suite.programs
        .filter(({ name }) => only === undefined || name.includes(only))
        .slice(0, most)
        .filter(({ name }) => !values.continue || !isKnown(name));
      const records = new Map<string, ProgramRecord>();
      const result = await run({ ...suite, programs }, context, {
        jobs,
        modes,
        onRecord: (checked) => {
          const record = recordOf(checked, runInfo);
          records.set(record.program, record);
          kept.add(record);
        },
      });
      const { results } = mergeResults(undefined, { ...suite, programs }, (program) => records.get(program));
      process.stdout.write(summaryOf(result, reportOf(results)));
      isAllRight &&= result.checked.every((one) => failuresOf(suite, one).length === 0);
    }
    const document = values['write-docs'];
    if (document !== undefined) {
      const whole = { ...options, isShort: false, firstSeed: 1, directory };
      for (const words of await writeDocs(document, values.results, whole)) say(words);
    }
    return isAllRight ? 0 : 1;
  } finally {
    await farjit.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Whether a program has nothing new to show in some modes. */
function isKeptIn(modes: readonly string[], record: ProgramRecord | undefined, tools: string): boolean {
  if (record?.leftOut) return record.leftOut.tools === tools;
  const isKept = (mode: string) => record?.modes.some((one) => one.mode === mode && one.tools === tools);
  return modes.every(isKept);
}

async function run(
  suite: Suite,
  context: CheckContext,
  {
    jobs,
    modes,
    onRecord,
  }: {
    readonly jobs: number;
    readonly modes: readonly Mode[];
    readonly onRecord: (checked: CheckedProgram) => void;
  },
): Promise<SuiteResult> {
  let doneCount = 0;
  let nextMs = performance.now() + PROGRESS_MS;
  say(`${suite.name}: ${suite.programs.length} programs …`);
  return runSuite(suite, modes, context, {
    jobs,
    onChecked: (checked) => {
      doneCount++;
      onRecord(checked);
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
