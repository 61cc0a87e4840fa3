import type { LibLLVM } from '../../src/llvm/libllvm.js';

/** Where a function leaves what its caller then owns: its result, or an `out` parameter by its index. */
interface HandedOver {
  readonly at: 'result' | number;
  readonly disposer: string;
}

const message = (at: HandedOver['at']): HandedOver => ({ at, disposer: 'LLVMDisposeMessage' });

/** All functions of the API that hand something over; 0 is nothing. From the headers in `llvm-c`. */
const HANDING_OVER: Readonly<Record<string, readonly HandedOver[]>> = {
  LLVMContextCreate: [{ at: 'result', disposer: 'LLVMContextDispose' }],
  LLVMCreateMemoryBufferWithMemoryRange: [{ at: 'result', disposer: 'LLVMDisposeMemoryBuffer' }],
  LLVMParseBitcodeInContext: [{ at: 2, disposer: 'LLVMDisposeModule' }, message(3)],
  LLVMWriteBitcodeToMemoryBuffer: [{ at: 'result', disposer: 'LLVMDisposeMemoryBuffer' }],
  LLVMPrintModuleToString: [message('result')],
  LLVMVerifyModule: [message(2)],
  LLVMGetTargetFromTriple: [message(2)],
  LLVMCreateTargetMachine: [{ at: 'result', disposer: 'LLVMDisposeTargetMachine' }],
  LLVMCreateTargetDataLayout: [{ at: 'result', disposer: 'LLVMDisposeTargetData' }],
  LLVMCopyStringRepOfTargetData: [message('result')],
};

const DISPOSERS = new Set(Object.values(HANDING_OVER).flatMap((all) => all.map(({ disposer }) => disposer)));

type ApiFunction = (...args: unknown[]) => unknown;

/** A libLLVM whose callers are watched: what it hands over has to be disposed of, once. */
export interface WatchedLLVM {
  readonly llvm: LibLLVM;
  /** How much is held now, by the function that disposes of it. */
  held(): Record<string, number>;
}

/**
 * Counts what a libLLVM's callers own. Unlike the size of the heap, the count is exact.
 * @throws {Error} for a function that disposes of something and is not in the table. The watched functions throw when
 * they are to dispose of what is not held.
 */
export function watchOwnership(llvm: LibLLVM): WatchedLLVM {
  for (const name of Object.keys(llvm))
    if (/Dispose/.test(name) && !DISPOSERS.has(name)) throw new Error(`Nothing is said to need ${name}.`);
  const held = new Map([...DISPOSERS].map((disposer) => [disposer, new Set<unknown>()]));
  const watched = Object.entries(llvm).map(([name, member]) => [
    name,
    typeof member === 'function' ? watchFunction(name, member as ApiFunction, held) : member,
  ]);
  return {
    llvm: Object.fromEntries(watched) as LibLLVM,
    held: () =>
      Object.fromEntries(
        [...held].filter(([, refs]) => refs.size > 0).map(([key, refs]) => [key, refs.size]),
      ),
  };
}

function watchFunction(
  name: string,
  call: ApiFunction,
  held: ReadonlyMap<string, Set<unknown>>,
): ApiFunction {
  const note = (args: readonly unknown[], result: unknown): unknown => {
    for (const { at, disposer } of HANDING_OVER[name] ?? []) {
      const ref = at === 'result' ? result : (args[at] as Buffer).readBigUInt64LE();
      if (ref !== 0n) held.get(disposer)?.add(ref);
    }
    return result;
  };
  return (...args) => {
    if (held.get(name)?.delete(args[0]) === false) throw new Error(`${name} of what is not held`);
    const result = call(...args);
    return result instanceof Promise ? result.then((settled) => note(args, settled)) : note(args, result);
  };
}
