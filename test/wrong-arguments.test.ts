import { ArgumentError, type CallOptions, JITPool } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { openJIT } from './jit-fixture.js';

const PROGRAM = assemble(`
define double @half(double %x) {
  %half = fmul double %x, 5.0e-1
  ret double %half
}
define i32 @main() {
  ret i32 7
}`);

/** What a caller without types can give. */
type Anything = never;

/** Something to do with a wrong value, and the words that must be in the error. */
type Refusal = readonly [work: (value: Anything) => unknown, values: readonly unknown[], words: RegExp];

/** Sees that each value is refused with an error that names it, and that `stillWorks` afterwards. */
async function refuseAll(
  t: ExecutionContext,
  refusals: Readonly<Record<string, Refusal>>,
  stillWorks: () => Promise<void>,
): Promise<void> {
  for (const [title, [work, values, words]] of Object.entries(refusals))
    for (const value of values) {
      const error = await t.throwsAsync(
        async () => work(value as Anything),
        { instanceOf: ArgumentError, code: 'BAD_ARGUMENT', message: words },
        `${title} of ${String(value)}`,
      );
      t.true((error?.message.length ?? 0) < 500, error?.message);
    }
  await stillWorks();
}

const WRONG_DEADLINES = [Number.NaN, -1, null, '5', Number.NEGATIVE_INFINITY, 2 ** 53, 5n, {}];
const WRONG_SIGNALS = [null, 'signal', {}, new AbortController(), 5];
const WRONG_OPTIONS = [null, 5, 'deadlineMs', [], () => {}, new Map(), Promise.resolve()];

/** What every method with options of a call refuses. */
function callRefusals(call: (options: CallOptions) => unknown): Readonly<Record<string, Refusal>> {
  return {
    options: [call, WRONG_OPTIONS, /^options is .*: give an object of options$/],
    deadlineMs: [
      (deadlineMs) => call({ deadlineMs }),
      WRONG_DEADLINES,
      /^options.deadlineMs is .*: give milliseconds/,
    ],
    signal: [(signal) => call({ signal }), WRONG_SIGNALS, /^options.signal is .*: give an AbortSignal$/],
    'unknown option': [
      (name) => call({ [name]: 5 }),
      ['deadline', 'deadlinems', 'DeadlineMs'],
      /^options.\w+ is no option; did you mean deadlineMs\?$/,
    ],
  };
}

test('calls, programs and evaluations refuse options that are none, by name, and the session goes on', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addIR(PROGRAM);
  await jit.addSource('def twice(x) x * 2;');
  const half = await jit.lookup('half');
  const { address = 0n as never } = (await jit.findSymbol('main')) ?? {};
  const [expression] = jit.parse('twice(4);');
  if (expression?.kind !== 'expression') return t.fail();
  const stillWorks = async () => {
    t.is(await half(4), 2);
    t.is(await half.call([4], { deadlineMs: 60_000, signal: undefined }), 2);
    t.is(await half.call([4], { deadlineMs: Number.POSITIVE_INFINITY }), 2);
  };
  const methods: Readonly<Record<string, (options: CallOptions) => unknown>> = {
    call: (options) => half.call([4], options),
    callVoid: (options) => jit.callVoid(address, options),
    callInt: (options) => jit.callInt(address, options),
    callIntInt: (options) => jit.callIntInt(address, 1, options),
    callMain: (options) => jit.callMain(address, [], options),
    runProgram: (options) => jit.runProgram(options),
    initialize: (options) => jit.initialize(options),
    deinitialize: (options) => jit.deinitialize(options),
    applyToColumns: (options) => jit.applyToColumns('half', [new Float64Array(1)], options),
    evaluate: (options) => jit.evaluate(expression.function, options),
    addSource: (options) => jit.addSource('twice(4);', options),
  };
  for (const call of Object.values(methods)) {
    await refuseAll(t, callRefusals(call), stillWorks);
  }
  const lists = [null, undefined, 4, '4', {}, Float64Array.of(4)];
  await refuseAll(
    t,
    { args: [(args) => half.call(args, {}), lists, /^args is .*: give an array/] },
    stillWorks,
  );
  t.like(await jit.runProgram({ deadlineMs: 60_000 }), { exitCode: 7 });
});

test('maps, calls and evaluations of a pool refuse options that are none, and no executor is lost', async (t) => {
  const pool = await JITPool.connect(['local']);
  t.teardown(() => pool.close());
  await pool.addIR(PROGRAM);
  const half = await pool.lookup('half');
  const data = Float64Array.of(2, 4);
  const stillWorks = async () => {
    t.is(await half(4), 2);
    t.deepEqual(await pool.map('half', data), Float64Array.of(1, 2));
    t.deepEqual(await pool.map(half, { columns: [data] }, { chunk: 1 }), Float64Array.of(1, 2));
  };
  await refuseAll(
    t,
    callRefusals((options) => half.call([4], options)),
    stillWorks,
  );
  await refuseAll(
    t,
    callRefusals((options) => pool.map('half', data, options)),
    stillWorks,
  );
  await refuseAll(
    t,
    {
      fn: [(fn) => pool.map(fn, data), [null, undefined, '', 5, {}, () => {}], /^fn is /],
      data: [
        (given) => pool.map('half', given),
        [null, undefined, [1, 2], {}, new Float32Array(2)],
        /^data is /,
      ],
      column: [
        (given) => pool.map('half', { columns: [given] }),
        [null, [1], new Float32Array(2)],
        /^half: column 1/,
      ],
      chunk: [
        (chunk) => pool.map('half', data, { chunk }),
        ['7', null, 0, 1.5, Number.NaN, 1e9],
        /chunk is /,
      ],
      onProgress: [
        (onProgress) => pool.map('half', data, { onProgress }),
        [null, 5],
        /^options.onProgress is /,
      ],
    },
    stillWorks,
  );
  t.is(pool.executors[0]?.sessionCount, 1);
});
