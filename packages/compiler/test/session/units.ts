import {
  counterName,
  type MaterializationResponsibility,
  MaterializationUnit,
  ObjectPart,
} from '../../src/core/materialization-unit.js';
import { Materializations } from '../../src/core/materializations.js';
import { strongSymbols } from '../../src/core/symbol-flags.js';
import { buildLinkGraph } from '../../src/jitlink/elf/elf.js';
import { assemble } from '../jitlink/toolchain.js';

export const NO_TIMINGS = { irgenMs: 0, parseMs: 0, passesMs: 0, emitMs: 0 };

/** What becomes of units that no session has. */
export function unheardMaterializations(): Materializations {
  return new Materializations({
    materializing: () => {},
    compiled: () => {},
    discarded: () => {},
    standInOf: () => undefined,
  });
}

interface UnitOptions {
  /** Names of functions that it calls. */
  readonly calls?: readonly string[];
  /** Names of data whose address it loads. */
  readonly loads?: readonly string[];
  /** It has a counter, whose address it loads. */
  readonly isCounted?: boolean;
  /** Waited for before there is an object. */
  readonly before?: () => Promise<void>;
}

/** A unit of one function in assembly, with unwind tables, as the AST layer makes them. */
export function functionUnit(
  name: string,
  { calls = [], loads = [], isCounted = false, before = async () => {} }: UnitOptions = {},
): MaterializationUnit {
  const counter = isCounted ? counterName(name) : undefined;
  const body = [
    ...calls.map((callee) => `call ${callee}@PLT`),
    ...[...loads, ...(counter === undefined ? [] : [`"${counter}"`])].map(
      (loaded) => `mov ${loaded}@GOTPCREL(%rip), %rax`,
    ),
  ];
  const lines = [
    `.globl ${name}`,
    `.type ${name},@function`,
    `${name}: .cfi_startproc`,
    ...body,
    'ret',
    '.cfi_endproc',
  ];
  return unitOf(name, lines.join('\n'), { functions: [name], calls, counter, before });
}

/** A unit of one eight-byte variable, which may hold an address. */
export function dataUnit(name: string, holds = '0'): MaterializationUnit {
  return unitOf(
    name,
    `.data\n.globl ${name}\n.type ${name},@object\n.size ${name},8\n${name}: .quad ${holds}`,
    {
      data: [name],
    },
  );
}

/** A unit that is linked whole. */
export function unitOf(
  name: string,
  assembly: string,
  rest: {
    functions?: readonly string[];
    data?: readonly string[];
    calls?: readonly string[];
    counter?: string | undefined;
    before?: () => Promise<void>;
  },
): MaterializationUnit {
  const { functions = [], data = [], calls = [], counter, before = async () => {} } = rest;
  const called = calls.map((callee) => ({ callee, isCertain: true }));
  const source = {
    kind: 'function' as const,
    materialize: async (responsibility: MaterializationResponsibility) => {
      responsibility.materializing();
      await before();
      const object = assemble(assembly);
      const part = new ObjectPart(responsibility.unit, () => buildLinkGraph(object, name), {
        counterName: counter,
      });
      const parts = new Map([...functions, ...data, name].map((defined) => [defined, part]));
      responsibility.emit(parts, { compiler: 'llvm', objectBytes: object.byteLength, timings: NO_TIMINGS });
    },
  };
  return new MaterializationUnit(name, source, strongSymbols(functions, data), called);
}
