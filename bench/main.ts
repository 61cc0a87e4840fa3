// What `npm run bench` runs when everything is built: measures, prints tables on standard output, says on standard
// error what it is doing.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KaleidoscopeJIT } from '@farjit/compiler';
import type { Benchmark, BenchmarkResult } from './benchmark.js';
import { callbackBreakdown } from './callback-breakdown.js';
import { chainProcesses } from './chain-processes.js';
import { describeMachine, loadInWords, machineInWords } from './machine.js';
import { type Options, parseOptions } from './options.js';
import { performanceDocument } from './performance-document.js';
import { steadyState } from './steady-state.js';
import { toText } from './table.js';

const BENCHMARKS: readonly Benchmark[] = [chainProcesses, callbackBreakdown, steadyState];

const options = readOptions();
if (options === undefined) process.exitCode = 1;
else {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-bench-'));
  try {
    await measureAll(options, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readOptions(): Options | undefined {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

async function measureAll(options: Options, folder: string): Promise<void> {
  const machine = describeMachine(await libLLVMVersion());
  const peers = Object.fromEntries([...options.peers].map(([name, path]) => [name, versionOf(name, path)]));
  const facts = [...machineInWords(machine), peersInWords(peers)];
  print(facts.join('\n'));
  const results = new Map<Benchmark, BenchmarkResult>();
  for (const benchmark of BENCHMARKS) {
    const progress = (words: string): void => {
      process.stderr.write(`bench: ${words}\n`);
    };
    const result = await benchmark.run({ options, folder, progress });
    results.set(benchmark, result);
    for (const table of result.tables) print(`\n${toText(table)}`);
  }
  const load = loadInWords();
  print(load);
  if (options.jsonPath !== undefined) {
    const data = Object.fromEntries([...results].map(([{ id }, result]) => [id, result.data]));
    const { runs, sizes } = options;
    const json = { machine, peers, runs, sizes, ...data };
    writeFileSync(options.jsonPath, `${JSON.stringify(json, undefined, 2)}\n`);
  }
  if (options.docsPath !== undefined) {
    const tables = [...results.values()].flatMap((result) => result.tables);
    writeFileSync(options.docsPath, performanceDocument([...facts, load], tables));
  }
}

function print(words: string): void {
  process.stdout.write(`${words}\n`);
}

async function libLLVMVersion(): Promise<string> {
  const jit = await KaleidoscopeJIT.create();
  try {
    return jit.libLLVM.version;
  } finally {
    await jit.close();
  }
}

function peersInWords(versions: Readonly<Record<string, string>>): string {
  const words = Object.entries(versions).map(([name, version]) => `${name} (LLVM ${version})`);
  return words.length > 0 ? `Peers: ${words.join(', ')}` : 'Peers: none, FarJIT was measured alone';
}

/** LLVM's tools say their version; the toys are built with LLVM 14 and say nothing. */
function versionOf(name: string, path: string): string {
  if (name.startsWith('toy-')) return '14';
  const words = execFileSync(path, ['--version'], { encoding: 'utf8' });
  return /LLVM version (\S+)/.exec(words)?.[1] ?? 'unknown';
}
