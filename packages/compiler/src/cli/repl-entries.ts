import type { FunctionAST, PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import type { OperatorTable } from '../frontends/kaleidoscope/operators.js';
import type { ResourceTracker } from '../jit/jit-types.js';
import type { AddedC } from './repl-c.js';

/** What a name means. */
interface Meaning {
  readonly prototype: PrototypeAST;
  /** Gives the name this meaning, again or for the first time. Who asks has seen to it that no other language has it. */
  readonly define: () => ResourceTracker;
  /** Whether a definition of Kaleidoscope takes its place by itself, and it the place of one. */
  readonly isKaleidoscope: boolean;
}

/** A name that an entry has given a meaning. */
interface Defined {
  readonly name: string;
  /** What it meant before. */
  readonly former: Meaning | undefined;
}

interface Entry {
  /** Its definitions and declarations, as they were typed. */
  readonly texts: string[];
  readonly defined: Defined[];
  /** Those that were known before it. */
  readonly operators: OperatorTable;
  /** Removes what else it has added. */
  readonly removals: (() => Promise<void>)[];
}

/** What has been entered in a REPL, in order. */
export class ReplEntries {
  readonly #jit: KaleidoscopeJIT;
  readonly #operators: OperatorTable;
  readonly #meanings = new Map<string, Meaning & { readonly tracker: ResourceTracker }>();
  readonly #declared = new Map<string, PrototypeAST>();
  #entries: Entry[] = [];

  /** @param operators those of the REPL, which `undo` sets back. */
  constructor(jit: KaleidoscopeJIT, operators: OperatorTable) {
    this.#jit = jit;
    this.#operators = operators;
  }

  /** An entry is about to be evaluated. @param operators those that were known before it was parsed. */
  begin(operators = this.#operators.copy()): void {
    this.#entries.push({ texts: [], defined: [], operators, removals: [] });
  }

  /** The entry that is evaluated has defined a function. */
  noteDefined(fn: FunctionAST, tracker: ResourceTracker): void {
    this.#entries.at(-1)?.texts.push(fn.source.text.slice(fn.range.start, fn.range.end));
    const define = () => this.#jit.addFunctionAST(fn);
    this.#note({ prototype: fn.prototype, define, isKaleidoscope: true }, tracker);
  }

  /** It has declared one. */
  noteDeclared(prototype: PrototypeAST): void {
    this.#entries.at(-1)?.texts.push(`extern ${prototypeText(prototype)}`);
    this.#declared.set(prototype.name, prototype);
  }

  /** It has added a source in C: gives its functions their names. */
  defineC({ functions, remove }: AddedC): void {
    this.#entries.at(-1)?.removals.push(remove);
    for (const { prototype, target } of functions) {
      const define = () => {
        const tracker = this.#jit.mainDylib.reexport({ [prototype.name]: target });
        this.#jit.addExtern(prototype);
        return tracker;
      };
      const former = this.#meanings.get(prototype.name);
      former?.tracker.remove();
      this.#note({ prototype, define, isKaleidoscope: false }, define());
    }
  }

  /** What a name was defined or declared as. */
  prototypeOf(name: string): PrototypeAST | undefined {
    return this.#meanings.get(name)?.prototype ?? this.#declared.get(name);
  }

  /** Names that can be called. */
  get names(): readonly string[] {
    return [...new Set([...this.#meanings.keys(), ...this.#declared.keys()])];
  }

  /** Takes back what the last entry with definitions has defined. @returns their names; none where there is no such entry. */
  async undo(): Promise<readonly string[]> {
    const at = this.#entries.findLastIndex(({ defined }) => defined.length > 0);
    const [entry] = at < 0 ? [] : this.#entries.splice(at, 1);
    if (!entry) return [];
    for (const { name, former } of entry.defined.reverse()) this.#giveBack(name, former);
    for (const remove of entry.removals) await remove();
    this.#operators.assign(entry.operators);
    return [...new Set(entry.defined.map(({ name }) => name))];
  }

  /** Takes back all of them, and forgets what was declared. @returns the names that were defined. */
  async reset(): Promise<readonly string[]> {
    const names: string[] = [];
    for (let undone = await this.undo(); undone.length > 0; undone = await this.undo()) names.push(...undone);
    this.#entries = [];
    this.#declared.clear();
    return [...new Set(names)];
  }

  /** Whether there are functions in C. */
  get hasC(): boolean {
    return this.#entries.some(({ removals }) => removals.length > 0);
  }

  /** What was defined and declared in Kaleidoscope and is not undone, as a program. */
  get text(): string {
    return this.#entries.flatMap(({ texts }) => texts.map((text) => `${text};\n`)).join('');
  }

  #note(meaning: Meaning, tracker: ResourceTracker): void {
    const { name } = meaning.prototype;
    this.#entries.at(-1)?.defined.push({ name, former: this.#meanings.get(name) });
    this.#meanings.set(name, { ...meaning, tracker });
  }

  #giveBack(name: string, former: Meaning | undefined): void {
    const now = this.#meanings.get(name);
    // One of Kaleidoscope takes the place of another in its callers, which never see the name without a meaning.
    if (!former?.isKaleidoscope || !now?.isKaleidoscope) now?.tracker.remove();
    if (former) this.#meanings.set(name, { ...former, tracker: former.define() });
    else this.#meanings.delete(name);
  }
}

/** As it is written in a program: a precedence stands behind a binary operator. */
function prototypeText({ name, parameters, isOperator, precedence }: PrototypeAST): string {
  const isBinary = isOperator && name.startsWith('binary');
  return `${name}${isBinary ? ` ${precedence} ` : ''}(${parameters.join(' ')})`;
}
