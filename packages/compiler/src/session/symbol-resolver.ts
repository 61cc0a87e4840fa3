import type { ExecutorAddr } from '@farjit/protocol/executor-addr';
import { AbsoluteSymbols } from '../core/absolute-symbols.js';
import { generate } from '../core/definition-generator.js';
import { ThreadLocalSymbolError } from '../core/errors.js';
import type { JITDylib, SymbolRef } from '../core/jit-dylib.js';
import type { IndirectStubsManager } from '../indirection/indirect-stubs-manager.js';
import type { RunnerContext } from '../runner/runner-context.js';
import type { CompileAction } from './compile-action.js';
import type { Guesses } from './guesses.js';

/** Where a name leads, and what is there. */
export interface FoundSymbol {
  readonly address: ExecutorAddr;
  readonly kind: 'function' | 'data' | 'absolute' | 'process';
}

/** Finds where names lead in a runner. */
export class SymbolResolver {
  readonly #mainDylib: JITDylib;
  readonly #stubs: IndirectStubsManager;
  readonly #compileAction: CompileAction;
  readonly #guesses: Guesses;

  constructor(
    mainDylib: JITDylib,
    stubs: IndirectStubsManager,
    compileAction: CompileAction,
    guesses: Guesses,
  ) {
    this.#guesses = guesses;
    this.#mainDylib = mainDylib;
    this.#stubs = stubs;
    this.#compileAction = compileAction;
  }

  /**
   * The stub of a function, the place of data, which is linked if it is not, or the address of what is somewhere else.
   * Undefined when nobody defines the name, or the runner is lost.
   * @param from inside of the dylib hidden names are found too: a program begins with what its own linker would find.
   * @throws {ThreadLocalSymbolError} for a thread-local variable.
   * @throws as `CompileAction.linkPart`, and what the executor answers when it is asked.
   */
  async resolve(
    { dylib, name: asked }: SymbolRef,
    runner: RunnerContext,
    from: 'inside' | 'outside' = 'outside',
  ): Promise<FoundSymbol | undefined> {
    const lookup = () => (from === 'inside' ? dylib.lookup(asked) : dylib.lookupExported(asked));
    while (!runner.lost) {
      const found = lookup();
      const { name, unit } = found;
      if (!unit) {
        const address = (await generate([name], found.dylib, runner)).get(name);
        if (address === undefined && lookup().unit) continue;
        return address === undefined ? undefined : { address, kind: 'process' };
      }
      if (unit instanceof AbsoluteSymbols) {
        const address = unit.addressOf(name);
        return address === undefined ? undefined : { address, kind: 'absolute' };
      }
      if (unit.interface.functions.has(name)) {
        if (found.dylib === this.#mainDylib) this.#guesses.noteReachable([name]);
        const stub = this.#stubs.createStub(found);
        if (this.#stubs.isEmitted(stub)) return { address: this.#stubs.stubAddress(stub), kind: 'function' };
        await this.#stubs.ensureEmitted([stub]);
        continue;
      }
      if (unit.symbols.get(name)?.threadLocal) throw new ThreadLocalSymbolError(name);
      if (!runner.knowsShared(unit)) await runner.lookupShared(unit);
      const shared = runner.sharedAddress(unit, name);
      if (shared !== undefined) return { address: shared, kind: 'process' };
      const part = await this.#compileAction.linkPart(unit, name, runner);
      const address = part && this.#compileAction.addressIn(part, name, runner);
      if (address !== undefined) return { address, kind: 'data' };
    }
    return undefined;
  }
}
