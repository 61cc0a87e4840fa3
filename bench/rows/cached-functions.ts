import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark } from '../benchmark.js';
import { type Contender, type ProgramFiles, runContender, turn, writeProgram } from '../contender.js';
import { farjit } from '../contenders.js';
import type { Figure } from '../figure.js';
import { type Command, runMeasured } from '../measured-process.js';
import type { Peers } from '../options.js';
import { countdownChain } from '../programs.js';
import { interleave } from '../rounds.js';
import { growth, ratios, summarize } from '../samples.js';
import { spread, type Table } from '../table.js';

const SIZES = { full: { short: 50, long: 500 }, smoke: { short: 20, long: 120 } };

const TARGET = { limit: 0.45, stretch: 0.35, unit: '×', digits: 2 };
const WHAT = 'a lazy function, cached, no speculation';

/** What llvm-jitlink needs beside itself. */
const PEERS = ['llvm-jitlink-22', 'llvm-jitlink-executor-22', 'orc-rt-22', 'clang-22'] as const;

/** Linking alone: what one more lazy function costs whose object is there already, beside LLVM's own remote lazy linker. */
export const cachedFunctions: Benchmark = {
  id: 'cached',
  title: WHAT,
  budgetSeconds: { full: 50, smoke: 5 },
  async run({ options, peers, folder, progress, rounds }) {
    const size = SIZES[options.smoke ? 'smoke' : 'full'];
    const missing = PEERS.filter((name) => !peers.has(name));
    const ours = farjit('--speculate=off', `--cache-dir=${folder}/cached-functions`);
    const contenders: readonly Contender[] =
      missing.length > 0 ? [ours] : [ours, jitlink(peers, folder), jitlink(peers, folder, 'simple')];
    const programs = [size.short, size.long].map((count) =>
      writeProgram(countdownChain(count), folder, `countdown-${count}`),
    );
    if (missing.length === 0) {
      progress(`${size.long} objects for llvm-jitlink`);
      await compileObjects(peers, folder, size.long);
      await checkLaziness(peers, folder);
    }
    // So that their objects are kept.
    for (const files of programs) await runContender(ours, files, folder);
    progress(`chains of ${size.short} and ${size.long}: ${contenders.map(({ title }) => title).join(', ')}`);
    const takes = contenders.flatMap((contender) =>
      programs.map((files) => [key(contender, files), turn(contender, files, folder)] as const),
    );
    const wallMs = await interleave(rounds(), Object.fromEntries(takes));
    const costUs = (contender: Contender): number[] => {
      const [short = [], long = []] = programs.map((files) => wallMs[key(contender, files)] ?? []);
      return growth(short, long, size.long - size.short).map((ms) => 1000 * ms);
    };
    return {
      figures: [figure(costUs, ours, contenders[1], missing)],
      tables: [table(contenders, costUs, size)],
      plots: [],
      data: { size, wallMs },
    };
  },
};

function key({ title }: Contender, { program }: ProgramFiles): string {
  return `${title}, ${program.called.length}`;
}

/** LLVM's remote lazy linker, on objects of one function each that are made before. */
function jitlink(peers: Peers, folder: string, speculate?: 'simple'): Contender {
  const flags = speculate === undefined ? [] : [`--speculate=${speculate}`];
  return {
    title: ['llvm-jitlink-22', ...flags].join(' '),
    description:
      `\`llvm-jitlink-22 --oop-executor --orc-runtime=…${flags.map((flag) => ` ${flag}`).join('')} main.o --lazy f0.o --lazy f1.o …\`, ` +
      'objects made by `clang-22 -O2 -c`, one a function',
    command: ({ program }) =>
      linkCommand(peers, flags, [
        objectPath(folder, `main${program.called.length}`),
        ...program.called.flatMap((name) => ['--lazy', objectPath(folder, name)]),
      ]),
    isRight: ({ exitCode }) => exitCode === 0,
  };
}

function linkCommand(peers: Peers, flags: readonly string[], files: readonly string[]): Command {
  const [jitlinkPath = '', executorPath, runtimePath] = PEERS.map((name) => peers.get(name));
  return {
    program: jitlinkPath,
    args: [`--oop-executor=${executorPath}`, `--orc-runtime=${runtimePath}`, ...flags, ...files],
  };
}

function objectPath(folder: string, name: string): string {
  return join(folder, 'objects', `${name}.o`);
}

/**
 * An object a function, of `countdownChain`'s functions; `main<N>.o`, which calls the chain of N; and two that cannot
 * both be linked, for the check of laziness.
 */
async function compileObjects(peers: Peers, folder: string, functionCount: number): Promise<void> {
  const objects = join(folder, 'objects');
  mkdirSync(objects, { recursive: true });
  const sources = new Map<string, string>();
  for (let index = 0; index < functionCount; index++)
    sources.set(
      `f${index}`,
      index === 0
        ? 'double f0(double x) { return x + 1; }'
        : `double f${index - 1}(double); double f${index}(double x) { return f${index - 1}(x) + 1; }`,
    );
  for (const { short, long } of Object.values(SIZES))
    for (const count of [short, long])
      sources.set(
        `main${count}`,
        `double f${count - 1}(double); int main(void) { return f${count - 1}(0) == ${count} ? 0 : 1; }`,
      );
  sources.set('uncalled', 'int nowhere(void); int uncalled(void) { return nowhere(); }');
  sources.set('maybe', 'int uncalled(void); int main(int argc) { return argc > 9 ? uncalled() : 0; }');
  for (const [name, source] of sources) writeFileSync(join(objects, `${name}.c`), `${source}\n`);
  const names = [...sources.keys()].map((name) => `${name}.c`);
  const half = names.length >> 1;
  await Promise.all([names.slice(0, half), names.slice(half)].map((part) => compile(peers, objects, part)));
}

async function compile(peers: Peers, folder: string, names: readonly string[]): Promise<void> {
  const command = { program: peers.get('clang-22') ?? '', args: ['-O2', '-c', ...names], cwd: folder };
  const { exitCode, stderr } = await runMeasured(command, mkdtempSync(join(folder, 'log-')));
  if (exitCode !== 0) throw new Error(`clang-22 failed: ${stderr.slice(0, 2000)}`);
}

/** With an object that cannot be linked, a program runs as long as it does not call into it: else nothing was lazy. */
async function checkLaziness(peers: Peers, folder: string): Promise<void> {
  const [maybe, uncalled] = [objectPath(folder, 'maybe'), objectPath(folder, 'uncalled')];
  const eager = await runMeasured(linkCommand(peers, [], [maybe, uncalled]), folder);
  const lazy = await runMeasured(linkCommand(peers, [], [maybe, '--lazy', uncalled]), folder);
  if (eager.exitCode === 0 || lazy.exitCode !== 0)
    throw new Error(`llvm-jitlink --lazy does not link lazily here: ${lazy.stderr.slice(0, 2000)}`);
}

function figure(
  costUs: (contender: Contender) => number[],
  ours: Contender,
  peer: Contender | undefined,
  missing: readonly string[],
): Figure {
  const ourUs = costUs(ours);
  const farjit = inUs(ourUs);
  const what = `${WHAT}, beside llvm-jitlink`;
  const how = `what one more function adds to the whole process, ${ours.description} run before, beside ${peer?.title}, as described below`;
  if (!peer)
    return { what, target: TARGET, measured: { missing: `${missing.join(', ')} not found` }, farjit, how };
  const peerUs = costUs(peer);
  // Differences of times on a busy machine: a ratio of one that is no cost at all says nothing.
  const isMeasured = summarize(ourUs).median > 0 && summarize(peerUs).median > 0;
  return {
    what,
    target: TARGET,
    measured: isMeasured
      ? ratios(ourUs, peerUs)
      : { missing: 'the machine was so busy that a longer chain took less time than a short one' },
    farjit,
    peer: `${peer.title}: ${inUs(peerUs)}`,
    how,
  };
}

function inUs(samples: readonly number[]): string {
  return `${summarize(samples).median.toFixed(0)} µs`;
}

function table(
  contenders: readonly Contender[],
  costUs: (contender: Contender) => number[],
  { short, long }: { readonly short: number; readonly long: number },
): Table {
  return {
    title: 'What one more lazy function costs whose object is there already, µs',
    columns: ['', 'µs a function'],
    rows: contenders.map((contender) => [contender.title, spread(summarize(costUs(contender)), 0)]),
    notes: [
      `The growth of the whole process’s wall time from a chain of ${short} to one of ${long}, divided by the functions ` +
        'added. It contains what defining a function costs: parsing it, or reading its object’s symbols.',
      ...contenders.map(({ title, description }) => `${title}: ${description}.`),
    ],
  };
}
