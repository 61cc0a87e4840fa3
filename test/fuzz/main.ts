// node test/dist/fuzz/main.js: fuzzes targets for as long as asked; `npm run fuzz` builds and calls it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeFigures } from './figures-document.js';
import { type Finding, type FuzzReport, fuzz, shareAccepted } from './fuzzer.js';
import { describeReport } from './report.js';
import type { TargetFactory } from './target.js';
import { TARGETS } from './targets/index.js';
import { Watchdog } from './watchdog.js';

const USAGE = `npm run fuzz [-- OPTIONS]

Gives random inputs to what reads hostile ones: ${TARGETS.map(({ name }) => name).join(', ')}.

  --target NAME,...   only these (default: all)
  --inputs N          inputs for each target (default: each target's own number for a long run)
  --minutes N         stop a target after so long, whatever is left
  --seed N            makes the same inputs again (default 1)
  --first N           begin with this input; alone with --inputs 1
  --findings FOLDER   where an input that fails is written (default fuzz-findings)
  --write-docs        writes the figures into docs/fuzzing.md
  --help              says this

Exit code 1 when something was found, or less than 30% of the inputs got past a target's first validator.
`;

const PROGRESS_MS = 10_000;
/** A fuzzer whose inputs are nearly all refused at the door tests the door. */
const LEAST_SHARE = 0.3;
/** Below so many inputs the share says nothing. */
const LEAST_INPUTS = 1000;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      target: { type: 'string' },
      inputs: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string', default: '1' },
      first: { type: 'string', default: '0' },
      findings: { type: 'string', default: 'fuzz-findings' },
      'write-docs': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const numbers = {
    seed: number('seed', values.seed),
    first: number('first', values.first),
    inputs: values.inputs === undefined ? undefined : number('inputs', values.inputs),
    minutes: values.minutes === undefined ? undefined : number('minutes', values.minutes),
  };
  let isWell = true;
  const reports: FuzzReport[] = [];
  for (const factory of chosen(values.target)) {
    const report = await run(factory, numbers, values.findings);
    reports.push(report);
    isWell = isWell && isGood(report);
  }
  const document = values['write-docs'];
  if (document !== undefined)
    writeFigures(
      document,
      reports,
      TARGETS.map(({ name }) => name),
    );
  return isWell ? 0 : 1;
}

async function run(
  factory: TargetFactory,
  options: { seed: number; first: number; inputs: number | undefined; minutes: number | undefined },
  findings: string,
): Promise<FuzzReport> {
  const { seed, first, inputs = factory.longInputs, minutes } = options;
  const command = `npm run fuzz -- --target ${factory.name} --seed ${seed} --inputs 1`;
  const watchdog = new Watchdog(command);
  const target = await factory.create();
  let nextMs = performance.now() + PROGRESS_MS;
  const onInput = (index: number) => {
    watchdog.note(index);
    if (performance.now() < nextMs) return;
    nextMs += PROGRESS_MS;
    process.stderr.write(
      `${factory.name}: ${(index - first).toLocaleString('en')} of ${inputs.toLocaleString('en')}\n`,
    );
  };
  try {
    const endMs = minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + minutes * 60_000;
    const report = await fuzz(target, { seed, inputs, first, endMs, onInput });
    process.stdout.write(`${describeReport(report)}\n`);
    if (report.finding) {
      const file = save(findings, factory.name, seed, report.finding);
      process.stdout.write(
        `${describe(report.finding)}\n  input: ${file}\n  again: ${command} --first ${report.finding.index}\n`,
      );
    }
    if (!hasEnoughInside(report))
      process.stdout.write(`${factory.name}: too many inputs are refused by the first validator\n`);
    return report;
  } finally {
    await target.close?.();
    await watchdog.stop();
  }
}

function isGood(report: FuzzReport): boolean {
  return !report.finding && hasEnoughInside(report);
}

function hasEnoughInside(report: FuzzReport): boolean {
  return report.inputs < LEAST_INPUTS || shareAccepted(report) >= LEAST_SHARE;
}

function describe({ error }: Finding): string {
  return (error.stack ?? `${error.name}: ${error.message}`)
    .split('\n')
    .slice(0, 8)
    .map((line) => `  ${line}`)
    .join('\n');
}

function save(folder: string, target: string, seed: number, { index, input }: Finding): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${target}-${seed}-${index}`);
  writeFileSync(file, input);
  return file;
}

function chosen(names: string | undefined): readonly TargetFactory[] {
  if (names === undefined) return TARGETS;
  return names.split(',').map((name) => {
    const found = TARGETS.find((target) => target.name === name);
    if (!found)
      throw new Error(`there is no target ${name}: ${TARGETS.map((target) => target.name).join(', ')}`);
    return found;
  });
}

function number(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${option} is no number: ${text}`);
  return value;
}
