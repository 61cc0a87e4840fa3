// What the tables of docs/laziness.md say, measured: each sample in a fresh process.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from '../paths.mjs';
import { median, medians, repeat } from './samples.mjs';

const run = promisify(execFile);

const VARIANTS = ['first-code', 'llvm', 'module', 'pieces'];
const LEVELS = ['-O1', '-O0'];
const CHAIN_LENGTH = 200;

/**
 * @param {number} sampleCount of each variant.
 * @param {(words: string) => void} [progress]
 */
export async function measure(sampleCount, progress = () => {}) {
  const thousand = {};
  for (const variant of VARIANTS) {
    progress(`a thousand functions: ${variant}`);
    const samples = await repeat(sampleCount, () => sampleThousand(variant, 'off'));
    const guessing = await repeat(sampleCount, () => sampleThousand(variant, 'auto'));
    const guessedCallbacks = guessing.map(({ callbackCount }) => callbackCount);
    thousand[variant] = { ...medians(samples), guessedCallbackCount: median(guessedCallbacks) };
  }
  const chain = {};
  const folder = mkdtempSync(join(tmpdir(), 'farjit-laziness-'));
  try {
    const path = join(folder, 'chain.ks');
    writeFileSync(path, chainOf(CHAIN_LENGTH));
    for (const level of LEVELS) {
      progress(`a chain of ${CHAIN_LENGTH} functions at ${level}`);
      chain[level] = medians(await repeat(sampleCount, () => sampleChain(path, level)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const { llvm } = thousand.module;
  for (const variant of Object.values(thousand)) delete variant.llvm;
  const machine = { cpu: cpus()[0]?.model.trim(), coreCount: cpus().length, kernel: `Linux ${release()}` };
  return { machine: { ...machine, node: process.version, llvm }, sampleCount, thousand, chain };
}

async function sampleThousand(variant, speculate) {
  return JSON.parse(await outputOf(['scripts/lib/laziness/thousand.mjs', variant, speculate]));
}

/** Per callback. */
async function sampleChain(path, level) {
  const args = [
    'packages/compiler/bin/farjit.js',
    'run',
    '--no-cache',
    '--speculate=off',
    level,
    '--stats=json',
  ];
  const { roundTrips, ...sums } = JSON.parse(await outputOf([...args, path], 'stderr'));
  const { compileCallbacks } = sums;
  const names = ['irgenMs', 'llvmMs', 'linkMs', 'callbackMs', 'wireMs', 'bytesSent', 'bytesReceived'];
  const each = names.map((name) => [name, sums[name] / compileCallbacks]);
  const roundTripCount = roundTrips.reenter / compileCallbacks;
  return { compileCallbacks, roundTripCount, ...Object.fromEntries(each) };
}

async function outputOf(args, stream = 'stdout') {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const output = await run(process.execPath, args, { cwd: ROOT, env });
  return output[stream];
}

/** Functions of which each calls the next, and a call of the first. */
export function chainOf(length) {
  const definition = (_, i) => `def f${i}(x) ${i < length - 1 ? `f${i + 1}(x)` : 'x'} + 1;`;
  return `${Array.from({ length }, definition).join('\n')}\nf0(0);\n`;
}
