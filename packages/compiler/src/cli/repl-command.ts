import type { PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import { Lexer } from '../frontends/kaleidoscope/lexer.js';
import { OperatorTable } from '../frontends/kaleidoscope/operators.js';
import { type ParseResult, parseSource } from '../frontends/kaleidoscope/parser.js';
import { printable } from '../frontends/kaleidoscope/printable.js';
import { SourceText } from '../frontends/kaleidoscope/source-text.js';
import { CommandStreams, type PrintForm } from './command-streams.js';
import { diagnosticReport, errorReport } from './describe-error.js';
import { evaluateItems } from './evaluate-items.js';
import { History, historyPath } from './history.js';
import { InputText } from './input-text.js';
import { LineReader } from './line-reader.js';
import { type JITOptions, openJIT } from './open-jit.js';
import { readSource } from './read-source.js';
import { isUnfinishedC, ReplC } from './repl-c.js';
import { findReplCommand, LAST_VALUE, type ReplContext, runReplCommand } from './repl-commands.js';
import { completeInRepl } from './repl-completion.js';
import { ReplEntries } from './repl-entries.js';
import { type EndingSignal, onEndingSignal, StopRequest } from './stop-request.js';

/** `farjit repl`'s options. */
export interface ReplOptions extends JITOptions {
  readonly json?: boolean | undefined;
  readonly print?: PrintForm | undefined;
}

const PROMPT = 'ready> ';
const CONTINUATION_PROMPT = '...> ';

/**
 * Unfinished input of more characters is not parsed again at every line, which would take time with the square of its
 * length, but where no further line has arrived yet, or where a line looks like an end and a quarter has been added.
 */
const MAX_EAGERLY_PARSED_LENGTH = 16 * 1024;

/** Reads, evaluates and prints until the input ends. @returns the exit code. */
export async function replCommand(options: ReplOptions): Promise<number> {
  let repl: Repl | undefined;
  let jit: KaleidoscopeJIT | undefined;
  const early = new AbortController();
  const stop = (request: StopRequest) => (repl ? repl.stop(request) : early.abort(request));
  const streams = new CommandStreams(stop, { json: options.json, values: options.print ?? 'shortest' });
  const ignoreSignals = onEndingSignal((signal) => {
    if (repl) return repl.onSignal(signal);
    stop(StopRequest.ofSignal(signal));
    return false;
  });
  try {
    jit = await openJIT(options, streams, { signal: early.signal });
    if (early.signal.aborted) return (early.signal.reason as StopRequest).exitCode;
    repl = new Repl(jit, streams);
    return await repl.run();
  } catch (error) {
    if (early.signal.aborted) return (early.signal.reason as StopRequest).exitCode;
    await streams.report(errorReport(error));
    return 1;
  } finally {
    await jit?.close();
    ignoreSignals();
  }
}

class Repl {
  readonly #jit: KaleidoscopeJIT;
  readonly #streams: CommandStreams;
  /** Whether there is somebody to talk to. */
  readonly #isTerminal: boolean;
  readonly #history = new History(historyPath());
  readonly #lines: LineReader;
  readonly #context: ReplContext;
  /** Aborts what is being evaluated; undefined at the prompt. */
  #running: AbortController | undefined;
  #stopped: StopRequest | undefined;
  /** A command that goes on in the next line. */
  #unfinished: string | undefined;
  /** Lines of an input that is not complete yet. */
  #pending: string[] = [];
  #pendingLength = 0;
  /** Length at which `#pending` was last found to be incomplete. */
  #parsedLength = 0;
  #lineCount = 0;
  readonly #operators = new OperatorTable();
  readonly #entries: ReplEntries;
  readonly #c: ReplC;
  /** What expressions can name: the last value. */
  readonly #constants = new Map<string, number>();
  /** Whether Ctrl-C was the last that came at a prompt: the next one ends. */
  #wantsEnd = false;
  #hasFailed = false;

  constructor(jit: KaleidoscopeJIT, streams: CommandStreams) {
    this.#jit = jit;
    this.#streams = streams;
    this.#isTerminal = Boolean(process.stdin.isTTY && process.stdout.isTTY) && !streams.json;
    this.#entries = new ReplEntries(jit, this.#operators);
    this.#c = new ReplC(jit, (words) => void streams.err.write(words));
    const complete = (line: string) =>
      completeInRepl(line, [...jit.definedNames(), ...this.#entries.names, ...this.#constants.keys()]);
    const terminal = { history: this.#history, colors: streams.outColors, complete };
    this.#lines = new LineReader(this.#isTerminal ? { terminal } : {});
    this.#context = {
      jit,
      show: async (text, data) => streams.out.write(`${streams.json ? JSON.stringify(data) : text}\n`),
      complain: async (words) => {
        this.#hasFailed = true;
        await streams.remark('error', words);
      },
      entries: this.#entries,
      c: this.#c,
      forget: () => this.#forget(),
      signal: () => this.#running?.signal,
      evaluate: (text) => this.#evaluateText(new SourceText('<repl>', text)),
      load: async (path) => this.#evaluateText(await readSource(path)),
      quit: () => this.#end(),
    };
    void jit.closed.then((reason) => {
      this.stop(new StopRequest(1, `the executor is gone: ${reason.message}`));
    });
  }

  async run(): Promise<number> {
    if (this.#isTerminal) await this.#print('Kaleidoscope, compiled lazily. :help lists the commands.');
    if (this.#history.problem !== undefined)
      await this.#streams.remark('warning', `no history is kept: ${this.#history.problem}`);
    try {
      while (!this.#stopped) await this.#step();
      await this.#streams.stopped(this.#stopped);
      return this.#stopped.exitCode;
    } finally {
      this.#lines.close();
    }
  }

  /** Ends the REPL, and what it evaluates. The first request counts. */
  stop(request: StopRequest): void {
    this.#stopped ??= request;
    if (request.exitCode !== 0) this.#streams.stopWaiting();
    this.#running?.abort(request);
    this.#lines.close();
  }

  /**
   * Ctrl-C interrupts what is running and only that; what does not end with it, the next one ends with the REPL.
   * @returns whether to listen to the next signal too.
   */
  onSignal(signal: EndingSignal): boolean {
    if (signal === 'SIGINT' && (this.#running ? !this.#running.signal.aborted : this.#isTerminal)) {
      this.#running?.abort(StopRequest.ofSignal(signal));
      return true;
    }
    this.stop(StopRequest.ofSignal(signal));
    return false;
  }

  async #step(): Promise<void> {
    const isWhole = this.#pending.length === 0 && this.#unfinished === undefined;
    const event = await this.#lines.next(isWhole ? PROMPT : CONTINUATION_PROMPT);
    if (this.#stopped) return;
    switch (event.kind) {
      case 'interrupt':
        if (this.#wantsEnd) return this.stop(StopRequest.ofSignal('SIGINT'));
        if (isWhole && event.wasEmpty) await this.#print('(Ctrl-C again ends, as do Ctrl-D and :quit)');
        this.#wantsEnd = true;
        return this.#dropPending();
      case 'end':
        if (this.#unfinished !== undefined) await this.#runCommand(this.#unfinished);
        else if (this.#pending.length > 0) await this.#evaluatePending('end');
        else if (this.#isTerminal) await this.#print('');
        return this.#end();
      case 'line':
        this.#wantsEnd = false;
        // As in a file, a byte order mark is none of the text.
        return this.#takeLine(this.#lineCount === 0 ? event.text.replace(/^\ufeff/, '') : event.text);
    }
  }

  /** @param line of the input, or an entry of several that was recalled. */
  async #takeLine(line: string): Promise<void> {
    const lines = line.split('\n');
    this.#lineCount += lines.length;
    if (this.#unfinished !== undefined) return this.#takeCommand(`${this.#unfinished}\n${line}`, line);
    if (this.#pending.length === 0 && line.trim() === '') return;
    if (this.#isCommand(line.trim())) return this.#takeCommand(line, line);
    // A piped program may have empty lines inside a definition; nobody is there to ask for a way out.
    if (this.#isTerminal && line.trim() === '') return this.#giveUp(this.#pending.join('\n'));
    this.#pending.push(...lines);
    this.#pendingLength += line.length + 1;
    if (this.#isWorthParsing(lines.at(-1) ?? '')) await this.#evaluatePending('line');
  }

  /** @param last its last line. */
  async #takeCommand(command: string, last: string): Promise<void> {
    this.#unfinished = undefined;
    const [, name = '', argument = ''] = /^\s*(\S+)(.*)$/s.exec(command) ?? [];
    if (name !== ':c' || !isUnfinishedC(argument)) return this.#runCommand(command);
    if (this.#isTerminal && last.trim() === '') return this.#giveUp(command);
    this.#unfinished = command;
  }

  #runCommand(command: string): Promise<void> {
    this.#lines.remember(command);
    return this.#interruptible(() => runReplCommand(command, this.#context));
  }

  /** An empty line: it is not to be, but perhaps to be changed. */
  #giveUp(entry: string): Promise<void> {
    this.#lines.remember(entry);
    this.#dropPending();
    return this.#print(this.#streams.outColors.dim('(input dropped)'));
  }

  /** Where an entry goes on, `:` may be an operator: only a command's whole name is one there. */
  #isCommand(line: string): boolean {
    if (!line.startsWith(':')) return false;
    return this.#pending.length === 0 || findReplCommand(line.split(/\s/, 1)[0] ?? '') !== undefined;
  }

  /** Nothing more is read. Whoever cannot see what went wrong learns it from the exit code. */
  #end(): void {
    this.stop(new StopRequest(this.#hasFailed && !this.#isTerminal ? 1 : 0));
  }

  #isWorthParsing(line: string): boolean {
    if (this.#pendingLength <= MAX_EAGERLY_PARSED_LENGTH || !this.#lines.hasLine) return true;
    return this.#pendingLength >= this.#parsedLength * 1.25 && canEndInput(line);
  }

  #dropPending(): void {
    this.#unfinished = undefined;
    this.#pending = [];
    this.#pendingLength = 0;
    this.#parsedLength = 0;
  }

  /** Evaluates the pending lines when they are complete, or when no more will come. */
  async #evaluatePending(after: 'line' | 'end'): Promise<void> {
    const name = this.#isTerminal ? '<repl>' : '<stdin>';
    const source = new InputText(name, this.#pending.join('\n'), this.#lineCount - this.#pending.length);
    const operators = this.#operators.copy();
    const parsed = parseSource(source, this.#operators, this.#constants);
    const [first] = parsed.diagnostics;
    if (after === 'line' && first?.atEnd && parsed.diagnostics.length === 1) {
      this.#parsedLength = this.#pendingLength;
      return;
    }
    this.#lines.remember(this.#pending.join('\n'));
    this.#dropPending();
    await this.#interruptible(() => this.#evaluate(parsed, operators));
  }

  async #evaluateText(source: SourceText): Promise<void> {
    const operators = this.#operators.copy();
    await this.#evaluate(parseSource(source, this.#operators, this.#constants), operators);
  }

  /** @param operators those that were known before it was parsed. */
  async #evaluate({ items, diagnostics }: ParseResult, operators: OperatorTable): Promise<void> {
    for (const diagnostic of diagnostics) await this.#streams.report(diagnosticReport(diagnostic));
    if (diagnostics.length > 0) this.#hasFailed = true;
    if (items.length === 0 || diagnostics.length > 0) return;
    await this.#c.initialize();
    this.#entries.begin(operators);
    const outcome = await evaluateItems(this.#jit, items, this.#streams, {
      signal: this.#running?.signal,
      onDefined: (fn, tracker) => {
        this.#entries.noteDefined(fn, tracker);
        this.#acknowledge('defined', fn.prototype);
      },
      onDeclared: (prototype) => {
        this.#entries.noteDeclared(prototype);
        this.#acknowledge('declared', prototype);
      },
      onValue: (value) => this.#constants.set(LAST_VALUE, value),
    });
    if (outcome !== 'completed') this.#hasFailed = true;
    // It has been reported where it was noticed.
    if (outcome === 'executor-gone') this.#stopped = new StopRequest(1);
  }

  #forget(): void {
    this.#constants.clear();
    this.#operators.assign(new OperatorTable());
  }

  /** Nothing that goes wrong in `work` ends the REPL. */
  async #interruptible(work: () => Promise<void>): Promise<void> {
    this.#running = new AbortController();
    try {
      await work();
    } catch (error) {
      this.#hasFailed = true;
      await this.#streams.report(errorReport(error));
    } finally {
      this.#running = undefined;
    }
  }

  #acknowledge(verb: 'defined' | 'declared', { name, parameters }: PrototypeAST): void {
    if (!this.#isTerminal) return;
    const shown = printable(`${verb} ${name}(${parameters.join(' ')})`);
    void this.#print(this.#streams.outColors.dim(shown));
  }

  /** Writes words for people. */
  async #print(words: string): Promise<void> {
    await this.#streams.out.write(`${words}\n`);
  }
}

/** Whether the last token of a line may be the last of an item. */
function canEndInput(line: string): boolean {
  const lexer = new Lexer(new SourceText('', line));
  let last = lexer.next();
  for (let token = last; token.kind !== 'end'; token = lexer.next()) last = token;
  if (last.kind === 'character') return last.text === ')' || last.text === ';';
  return last.kind === 'identifier' || last.kind === 'number' || last.kind === 'invalid';
}
