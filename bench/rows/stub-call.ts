import assert from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KaleidoscopeJIT } from '@farjit/compiler';
import llvm from 'llvm-bindings';
import type { Benchmark } from '../benchmark.js';
import { interleave } from '../rounds.js';
import { pairwise, summarize } from '../samples.js';
import { spread, type Table } from '../table.js';

const WHAT = 'a call through a stub, more than a direct one';
const CALL_COUNT = { full: 100_000_000, smoke: 30_000_000 };

/**
 * Loops that do nothing but call. `exported` has a stub, `internal` is called directly, as an internal function of a
 * module is; both do the same and must not be inlined. `through` calls an address: of the stub, or of the code behind.
 */
const MODULE = `
define double @exported(double %x) noinline {
  %sum = fadd double %x, 1.0
  ret double %sum
}
define internal double @internal(double %x) noinline {
  %sum = fadd double %x, 1.0
  ret double %sum
}
${loop('stub', 'i64 %count', '@exported')}
${loop('direct', 'i64 %count', '@internal')}
${loop('through', 'i64 %count, double (double)* %callee', '%callee')}
`;

function loop(name: string, parameters: string, callee: string): string {
  return `
define double @${name}(${parameters}) {
entry:
  br label %again
again:
  %index = phi i64 [ 0, %entry ], [ %index.next, %again ]
  %value = phi double [ 0.0, %entry ], [ %value.next, %again ]
  %value.next = call double ${callee}(double %value)
  %index.next = add i64 %index, 1
  %more = icmp slt i64 %index.next, %count
  br i1 %more, label %again, label %done
done:
  ret double %value.next
}`;
}

/** What indirection costs when everything is compiled. */
export const stubCall: Benchmark = {
  id: 'stubcall',
  title: WHAT,
  budgetSeconds: { full: 10, smoke: 2 },
  async run({ options, folder, progress, rounds }) {
    const count = CALL_COUNT[options.smoke ? 'smoke' : 'full'];
    progress(`${count.toLocaleString('en')} calls in a loop, through a stub and directly`);
    const jit = await KaleidoscopeJIT.create();
    try {
      await jit.addModule(parseModule(folder));
      await call(jit, 'stub', 1);
      const exported = (await jit.stubs()).find(({ name }) => name === 'exported');
      assert(exported && !exported.lazy, 'the callee is compiled');
      const samples = await interleave(rounds(), {
        stub: () => call(jit, 'stub', count),
        direct: () => call(jit, 'direct', count),
        throughStub: () => call(jit, 'through', count, exported.stub),
        throughCode: () => call(jit, 'through', count, exported.target),
      });
      const difference = (a: number[], b: number[]) => summarize(pairwise(a, b, (x, y) => x - y));
      return {
        figures: [
          {
            what: WHAT,
            target: { limit: 0.5, unit: 'ns', digits: 2 },
            measured: difference(samples.stub, samples.direct),
            farjit: `${summarize(samples.stub).median.toFixed(2)} ns`,
            peer: `direct: ${summarize(samples.direct).median.toFixed(2)} ns`,
            how: `a loop of ${count.toLocaleString('en')} calls in JIT’d code, of a name that has a stub and of one that has none`,
          },
        ],
        tables: [
          table(count, [
            ['call of a name: the stub’s address is in the instruction', samples.stub, samples.direct],
            ['call of an address in a register', samples.throughStub, samples.throughCode],
          ]),
        ],
        plots: [],
        data: { count, nsPerCall: samples },
      };
    } finally {
      await jit.close();
    }
  },
};

function parseModule(folder: string): llvm.Module {
  const path = join(folder, 'stub-call.ll');
  writeFileSync(path, MODULE);
  return llvm.parseIRFile(path, new llvm.SMDiagnostic(), new llvm.LLVMContext());
}

/** @returns nanoseconds a call, those of the loop included. */
async function call(jit: KaleidoscopeJIT, name: string, count: number, callee?: bigint): Promise<number> {
  const callable = await jit.lookup(name);
  const args = [BigInt(count), ...(callee === undefined ? [] : [callee])];
  // Compiles it; a call of one is nothing against what is measured.
  await callable(1n, ...args.slice(1));
  const startMs = performance.now();
  const value = await callable(...args);
  const wallMs = performance.now() - startMs;
  assert.equal(value, count, 'every call added 1');
  return (1e6 * wallMs) / count;
}

function table(
  count: number,
  rows: readonly (readonly [string, readonly number[], readonly number[]])[],
): Table {
  return {
    title: 'Calls through a stub, ns a call',
    columns: ['', 'through the stub', 'directly', 'difference'],
    rows: rows.map(([title, stub, direct]) => [
      title,
      spread(summarize(stub), 2),
      spread(summarize(direct), 2),
      spread(summarize(pairwise(stub, direct, (a, b) => a - b)), 2),
    ]),
    notes: [
      `A loop in JIT’d code that calls \`x + 1\` ${count.toLocaleString('en')} times, each time with the result of the last.`,
      'JIT’d code calls names: the first row is what a program pays. With nothing but an indirect call in a loop the ' +
        'processor’s front end is the bottleneck, and the stub’s jump shows most: the second row.',
    ],
  };
}
