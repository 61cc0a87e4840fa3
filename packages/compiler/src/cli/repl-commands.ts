import { writeFile } from 'node:fs/promises';
import { monotonicMs } from '@farjit/protocol/clock';
import { printable, printableLines, quoted } from '@farjit/protocol/printable';
import { systemErrorWords } from '../files/system-error.js';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import type { FunctionTier } from '../jit/jit-types.js';
import { isNoSource, type ReplC, SOURCE_SUFFIXES } from './repl-c.js';
import type { ReplEntries } from './repl-entries.js';
import { collectStatistics, summarize } from './stats-summary.js';

/** What a command of the REPL works with. */
export interface ReplContext {
  readonly jit: KaleidoscopeJIT;
  /** Writes what a command has found to standard output: for people, or for programs an object with the command's name. */
  show(text: string, data: object): Promise<void>;
  /** Writes a message to standard error. */
  complain(words: string): Promise<void>;
  readonly entries: ReplEntries;
  readonly c: ReplC;
  /** Forgets values, and lets operators be what they were at the start. */
  forget(): void;
  /** Aborted by Ctrl-C. */
  readonly signal: () => AbortSignal | undefined;
  /** Evaluates a text as if it had been typed. */
  evaluate(text: string): Promise<void>;
  /** Evaluates a file as if it had been typed. */
  load(path: string): Promise<void>;
  quit(): void;
}

export interface ReplCommand {
  readonly name: string;
  /** What `:help` calls the argument; a command without it takes none. */
  readonly argument?: string;
  readonly summary: string;
  readonly run: (argument: string, context: ReplContext) => Promise<void>;
}

/** What expressions call the value of the one before. */
export const LAST_VALUE = 'ans';

/** The REPL's own commands, in the order `:help` shows them. */
export const REPL_COMMANDS: readonly ReplCommand[] = [
  { name: ':help', summary: 'this list', run: (_, context) => showHelp(context) },
  {
    name: ':ast',
    argument: 'f',
    summary: 'the syntax tree of a function; an operator is called unary! or binary|',
    run: (name, context) => showFunction(name, 'ast', context),
  },
  {
    name: ':ir',
    argument: 'f',
    summary: "a function's LLVM IR after the passes",
    run: (name, context) => showFunction(name, 'ir', context),
  },
  {
    name: ':asm',
    argument: 'f',
    summary: "a function's assembly",
    run: (name, context) => showFunction(name, 'asm', context),
  },
  {
    name: ':tier',
    argument: 'f',
    summary: 'how a function is compiled: fast at its first call, and again with inlining when it is hot',
    run: (name, context) => showTier(name, context),
  },
  {
    name: ':stubs',
    summary: 'names, their stubs, and where these lead: to the trampoline until the first call',
    run: (_, context) => showStubs(context),
  },
  {
    name: ':stats',
    summary: 'counts and times of this session',
    run: (_, context) => showStatistics(context),
  },
  {
    name: ':time',
    argument: 'EXPR',
    summary: 'evaluate, and say what that took',
    run: (text, context) => showTime(text, context),
  },
  {
    name: ':type',
    argument: 'f',
    summary: 'what a function takes and gives',
    run: (name, context) => showType(name, context),
  },
  {
    name: ':c',
    argument: 'TEXT|FILE',
    summary: 'define functions in C, to be called from here; a text goes on until it has an end',
    run: (text, context) => addC(text, context),
  },
  {
    name: ':undo',
    summary: 'take back what was defined last',
    run: (_, context) => undo(context),
  },
  {
    name: ':reset',
    summary: 'take back all that was defined and declared',
    run: (_, context) => reset(context),
  },
  {
    name: ':save',
    argument: 'FILE',
    summary: 'write what was defined and declared here to a new file',
    run: (path, context) => save(path, context),
  },
  {
    name: ':load',
    argument: 'FILE',
    summary: 'run a file here',
    run: (path, context) => context.load(path),
  },
  { name: ':quit', summary: 'end (so does Ctrl-D)', run: async (_, context) => context.quit() },
];

/** The command with that name. */
export function findReplCommand(name: string): ReplCommand | undefined {
  return REPL_COMMANDS.find((known) => known.name === name);
}

/** That with the name, or those whose names begin so. */
function commandsCalled(name: string): readonly ReplCommand[] {
  const named = findReplCommand(name);
  if (named || name === ':') return named ? [named] : [];
  return REPL_COMMANDS.filter((known) => known.name.startsWith(name));
}

/** Runs a line that starts with a colon. A wrong one gets a complaint. */
export async function runReplCommand(line: string, context: ReplContext): Promise<void> {
  const [, name = '', argument = ''] = /^(\S+)\s*(.*?)\s*$/s.exec(line.trim()) ?? [];
  const [command, ...others] = commandsCalled(name);
  if (!command) return context.complain(`unknown command ${quoted(name)}; :help lists the commands`);
  if (others.length > 0) {
    const names = [command, ...others].map((known) => known.name).join(', ');
    return context.complain(`${quoted(name)} can be each of ${names}`);
  }
  if (command.argument === undefined && argument !== '')
    return context.complain(`${command.name} takes no argument, got ${quoted(argument)}`);
  if (command.argument !== undefined && argument === '')
    return context.complain(`${command.name} needs an argument: ${usage(command)}`);
  return command.run(argument, context);
}

function usage({ name, argument }: ReplCommand): string {
  return argument === undefined ? name : `${name} ${argument}`;
}

function showHelp({ show }: ReplContext): Promise<void> {
  const width = Math.max(...REPL_COMMANDS.map((command) => usage(command).length));
  const lines = REPL_COMMANDS.map((command) => `${usage(command).padEnd(width)}  ${command.summary}`);
  const commands = REPL_COMMANDS.map(({ name, argument, summary }) => ({ name, argument, summary }));
  return show(lines.join('\n'), { help: commands });
}

async function showStatistics({ jit, show }: ReplContext): Promise<void> {
  const statistics = await collectStatistics(jit);
  return show(summarize(statistics), { stats: statistics });
}

async function showTime(text: string, { jit, evaluate, show }: ReplContext): Promise<void> {
  const before = jit.statistics();
  const startMs = monotonicMs();
  await evaluate(text);
  const wallMs = monotonicMs() - startMs;
  const after = jit.statistics();
  const callbacks = after.compileCallbacks - before.compileCallbacks;
  const functionsCompiled = after.functionsCompiled - before.functionsCompiled;
  const words = `${wallMs.toFixed(1)} ms, ${counted(callbacks, 'callback')}, ${counted(functionsCompiled, 'function')} compiled`;
  return show(words, { time: { wallMs, callbacks, functionsCompiled } });
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function showType(name: string, { entries, complain, show }: ReplContext): Promise<void> {
  const prototype = entries.prototypeOf(name);
  if (!prototype) return complain(`no function ${quoted(name)} is defined or declared here`);
  const { parameters } = prototype;
  const type = `double(${parameters.map(() => 'double').join(', ')})`;
  return show(printable(`${name}(${parameters.join(' ')}): ${type}`), { type: { name, parameters, type } });
}

async function addC(text: string, { c, entries, complain, show, signal }: ReplContext): Promise<void> {
  if (isNoSource(text))
    return complain(
      `${quoted(text)} does not end as the name of a source does: ${SOURCE_SUFFIXES.join(', ')}`,
    );
  const added = await c.add(text, signal());
  entries.begin();
  entries.defineC(added);
  const { functions, others } = added;
  if (functions.length === 0 && others.length === 0) return complain('no function is defined there');
  const callable = functions.map(({ prototype: { name, parameters }, type }) => ({ name, parameters, type }));
  const lines = callable.map(
    ({ name, parameters, type }) => `defined ${name}(${parameters.join(' ')}): ${type}`,
  );
  lines.push(...others.map((words) => `not to be called from here: ${printable(words)}`));
  return show(lines.join('\n'), { c: { functions: callable, others } });
}

async function undo({ entries, complain, show }: ReplContext): Promise<void> {
  const names = await entries.undo();
  if (names.length === 0) return complain('nothing is defined here that could be taken back');
  return show(`took back ${names.map(printable).join(', ')}`, { undo: names });
}

async function reset({ entries, forget, show }: ReplContext): Promise<void> {
  const names = await entries.reset();
  forget();
  return show(names.length === 0 ? 'nothing was defined' : `took back ${names.map(printable).join(', ')}`, {
    reset: names,
  });
}

async function save(path: string, { entries, complain, show }: ReplContext): Promise<void> {
  try {
    await writeFile(path, entries.text, { flag: 'wx' });
  } catch (error) {
    return complain(`cannot write ${printable(path)}: ${systemErrorWords(error)}`);
  }
  const without = entries.hasC ? ', without what :c has defined' : '';
  return show(`wrote ${printable(path)}${without}`, { save: path });
}

async function showFunction(name: string, what: 'ast' | 'ir' | 'asm', context: ReplContext): Promise<void> {
  const text = await context.jit.print(name, what);
  if (text === undefined) return context.complain(`no function ${quoted(name)} is defined here`);
  return context.show(printableLines(text.trimEnd()), { [what]: text });
}

/** Each tier in words, for `:tier`. */
const TIER_IN_WORDS: Readonly<Record<FunctionTier['tier'], string>> = {
  pinned: 'pinned to the level of -O',
  lazy: 'not compiled: nothing has called it',
  baseline: 'baseline',
  waiting: 'baseline, waiting to be optimised',
  compiling: 'baseline, being optimised',
  optimized: 'optimised',
  failed: 'baseline: it could not be optimised',
};

async function showTier(name: string, context: ReplContext): Promise<void> {
  const found = await context.jit.tierOf(name);
  if (!found) return context.complain(`no function ${quoted(name)} is defined here`);
  const { tier, count, hotThreshold, available, dependencies } = found;
  const list = (names: readonly string[]) => names.map(printable).join(', ') || 'nothing';
  const lines = [`${printable(name)}: ${TIER_IN_WORDS[tier]}`];
  if (count !== undefined) lines.push(`counted ${count}, hot at ${hotThreshold}`);
  if (tier === 'optimized')
    lines.push(`could inline: ${list(available)}`, `depends on: ${list(dependencies)}`);
  return context.show(lines.join('\n'), { tier: { name, ...found } });
}

async function showStubs({ jit, show }: ReplContext): Promise<void> {
  const stubs = (await jit.stubs()).map(({ name, stub, target, lazy }) => ({
    name,
    stub: `0x${stub.toString(16)}`,
    target: `0x${target.toString(16)}`,
    lazy,
  }));
  const rows = stubs.map(({ name, stub, target, lazy }) => [
    printable(name),
    stub,
    lazy ? 'trampoline' : target,
  ]);
  const text =
    rows.length === 0
      ? 'no stubs yet: a name gets one when code that mentions it is linked'
      : table(['name', 'stub', 'leads to'], rows);
  return show(text, { stubs });
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
