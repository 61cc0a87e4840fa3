import type { FunctionAST, PrototypeAST } from '../frontends/kaleidoscope/ast.js';
import type { KaleidoscopeJIT } from '../frontends/kaleidoscope/kaleidoscope-jit.js';
import type { OperatorTable } from '../frontends/kaleidoscope/operators.js';
import type { ResourceTracker } from '../jit/jit-types.js';

/** What a name means, and how that is taken back. */
interface Definition {
  readonly fn: FunctionAST;
  readonly tracker: ResourceTracker;
}

/** A function that an entry has defined. */
interface Defined {
  readonly name: string;
  /** What the name meant before. */
  readonly former: FunctionAST | undefined;
}

interface Entry {
  /** Its definitions and declarations, as they were typed. */
  readonly texts: string[];
  readonly defined: Defined[];
  /** Those that were known before it. */
  readonly operators: OperatorTable;
}

/** What has been entered in a REPL, in order. */
export class ReplEntries {
  readonly #jit: KaleidoscopeJIT;
  readonly #operators: OperatorTable;
  readonly #functions = new Map<string, Definition>();
  readonly #declared = new Map<string, PrototypeAST>();
  #entries: Entry[] = [];

  /** @param operators those of the REPL, which `undo` sets back. */
  constructor(jit: KaleidoscopeJIT, operators: OperatorTable) {
    this.#jit = jit;
    this.#operators = operators;
  }

  /** An entry is about to be evaluated. @param operators those that were known before it was parsed. */
  begin(operators: OperatorTable): void {
    this.#entries.push({ texts: [], defined: [], operators });
  }

  /** The entry that is evaluated has defined a function. */
  noteDefined(fn: FunctionAST, tracker: ResourceTracker): void {
    const { name } = fn.prototype;
    const entry = this.#entries.at(-1);
    entry?.texts.push(fn.source.text.slice(fn.range.start, fn.range.end));
    entry?.defined.push({ name, former: this.#functions.get(name)?.fn });
    this.#functions.set(name, { fn, tracker });
  }

  /** It has declared one. */
  noteDeclared(prototype: PrototypeAST): void {
    this.#entries.at(-1)?.texts.push(`extern ${prototypeText(prototype)}`);
    this.#declared.set(prototype.name, prototype);
  }

  /** What a name was defined or declared as. */
  prototypeOf(name: string): PrototypeAST | undefined {
    return this.#functions.get(name)?.fn.prototype ?? this.#declared.get(name);
  }

  /** Takes back what the last entry with definitions has defined. @returns their names; none where there is no such entry. */
  undo(): readonly string[] {
    const at = this.#entries.findLastIndex(({ defined }) => defined.length > 0);
    const [entry] = at < 0 ? [] : this.#entries.splice(at, 1);
    if (!entry) return [];
    for (const { name, former } of entry.defined.reverse())
      if (former) this.#functions.set(name, { fn: former, tracker: this.#jit.addFunctionAST(former) });
      else {
        this.#functions.get(name)?.tracker.remove();
        this.#functions.delete(name);
      }
    this.#operators.assign(entry.operators);
    return [...new Set(entry.defined.map(({ name }) => name))];
  }

  /** What was defined and declared and is not undone, as a program. */
  get text(): string {
    return this.#entries.flatMap(({ texts }) => texts.map((text) => `${text};\n`)).join('');
  }
}

/** As it is written in a program: a precedence stands behind a binary operator. */
function prototypeText({ name, parameters, isOperator, precedence }: PrototypeAST): string {
  const isBinary = isOperator && name.startsWith('binary');
  return `${name}${isBinary ? ` ${precedence} ` : ''}(${parameters.join(' ')})`;
}
