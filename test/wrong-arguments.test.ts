// More than 400 lines: cases that share what stands before them, each by itself.

import {
  ArgumentError,
  type CallOptions,
  CodegenPool,
  JIT,
  JITPool,
  KaleidoscopeJIT,
  KaleidoscopePool,
  type SessionEvent,
} from '@farjit/compiler';
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
  stillWorks: () => Promise<unknown>,
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

const NO_NAMES = [null, undefined, '', 5, 'a\0b', {}, ['half']];
const NO_BYTES = [null, undefined, 5, {}, [1, 2], new ArrayBuffer(8), new Uint16Array(4)];
const OBJECT = Buffer.from('\x7fELF\x02\x01\x01', 'latin1');
const ARCHIVE = Buffer.from('!<arch>\n');

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

test('what is added, defined and looked up is refused when it is none, and the session goes on', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addIR(PROGRAM);
  const half = await jit.lookup('half');
  const dylib = jit.createDylib('other');
  const { jit: another } = await openJIT(t);
  const stillWorks = async () => t.is(await half(4), 2);
  const noDylibs = [null, undefined, {}, 'main', another.mainDylib];
  const noAddresses = [
    null,
    undefined,
    5,
    '5',
    -1n,
    2n ** 64n,
    {},
    { address: 5n },
    { address: 5, callable: true },
  ];
  const options: readonly [(given: Anything) => unknown, string][] = [
    [(given) => jit.addIR('', given), 'name'],
    [(given) => jit.addObject(OBJECT, given), 'name'],
    [(given) => jit.addArchive(ARCHIVE, given), 'directory'],
    [(given) => jit.addC('', given), 'language'],
    [(given) => jit.close(given), 'atOnce'],
  ];
  for (const [method, name] of options)
    await refuseAll(
      t,
      {
        options: [method, WRONG_OPTIONS, /^options is /],
        [name]: [
          (value) => method({ [name]: value } as Anything),
          [null, 5, ['c']],
          new RegExp(`^options.${name} is`),
        ],
        'unknown option': [
          method,
          [{ [`${name}s`]: 'c' }],
          new RegExp(`no option; did you mean ${name}\\?$`),
        ],
      },
      stillWorks,
    );
  await refuseAll(
    t,
    {
      addModule: [
        (module) => jit.addModule(module),
        [null, undefined, {}, PROGRAM],
        /^module is .*llvm-bindings$/,
      ],
      defineModule: [(module) => jit.defineModule(module), [null, {}, { name: 'a' }, PROGRAM], /^module is /],
      addIR: [
        (content) => jit.addIR(content),
        [...NO_BYTES],
        /^content is .*: give LLVM assembly, or bitcode$/,
      ],
      'objects as IR': [
        (content) => jit.addIR(content),
        [OBJECT],
        /^content is an ELF object: addObject takes it$/,
      ],
      'archives as IR': [
        (content) => jit.addIR(content),
        [ARCHIVE],
        /^content is an archive: addArchive takes it$/,
      ],
      addObject: [
        (content) => jit.addObject(content),
        [...NO_BYTES, 'text'],
        /^content is .*: give a Uint8Array$/,
      ],
      'archives as objects': [(content) => jit.addObject(content), [ARCHIVE], /: addArchive takes it$/],
      addArchive: [
        (content) => jit.addArchive(content),
        [...NO_BYTES, 'text'],
        /^content is .*: give a Uint8Array$/,
      ],
      'objects as archives': [(content) => jit.addArchive(content), [OBJECT], /: addObject takes it$/],
      'bitcode as an archive': [(content) => jit.addArchive(content), [PROGRAM], /: addIR takes it$/],
      addC: [(source) => jit.addC(source), NO_BYTES, /^source is .*: give a text, or its bytes$/],
      flags: [(flags) => jit.addC('', { flags }), ['-O2', [5], ['-D\0'], null], /^options.flags/],
      addGenerator: [
        (generator) => dylib.addGenerator(generator),
        [5, null, {}],
        /^generator is .*: give a function$/,
      ],
      createDylib: [(name) => jit.createDylib(name), [...NO_NAMES, 'other', 'main'], /^name is /],
      addToLinkOrder: [
        (other) => dylib.addToLinkOrder(other),
        noDylibs,
        /^other is .*: give a dylib of the same JIT$/,
      ],
      reexport: [(target) => dylib.reexport({ x: target }), [5, null, '', {}], /^names.x is /],
      'reexport of a dylib': [
        (from) => dylib.reexport({ x: { dylib: from, name: 'half' } }),
        noDylibs,
        /^names.x is .*a dylib of the same JIT/,
      ],
      'reexport as a name': [
        (name) => dylib.reexport({ [name]: 'half' }),
        ['', 'a\0'],
        /^a name of names is /,
      ],
      defineAbsolute: [(x) => dylib.defineAbsolute({ x }), noAddresses, /^symbols.x.* is /],
      'no symbols': [(symbols) => dylib.defineAbsolute(symbols), [null, undefined, 5], /^symbols is /],
      define: [
        (functions) => dylib.define(functions),
        [null, 5, { f: 5 }, { f: {} }],
        /^functions(\.f)? is |^functions\.f\.signature is /,
      ],
      findSymbol: [(name) => jit.findSymbol(name), NO_NAMES, /^name is .*: give a text that is not empty/],
      mangle: [(name) => jit.mangle(name), NO_NAMES, /^name is .*: give a text that is not empty/],
      lookup: [(name) => jit.lookup(name), NO_NAMES, /^name is /],
      entry: [(entry) => jit.runProgram({ entry }), ['', null, 5], /^options.entry is /],
      argv: [(argv) => jit.runProgram({ argv }), ['main', null, [5], ['a\0']], /argv/],
      env: [
        (env) => jit.runProgram({ env }),
        [null, 5, { A: 5 }, { A: undefined }, { '': 'x' }, { A: '\0' }, ['A=1'], new Map([['A', '1']])],
        /env/,
      ],
      stdin: [(stdin) => jit.runProgram({ stdin }), [5, null, {}, true], /^options.stdin is /],
      lineBuffered: [
        (lineBuffered) => jit.runProgram({ lineBuffered }),
        [1, null, 'no'],
        /^options.lineBuffered is /,
      ],
      'addresses to call': [
        (address) => jit.callInt(address),
        [null, 5, '0', -1n, 2n ** 64n],
        /^address is /,
      ],
      'argv of callMain': [(argv) => jit.callMain(4096n as never, argv), ['a', null, [5]], /^argv/],
      removeModule: [(tracker) => jit.removeModule(tracker), [null, {}, 'half'], /^tracker is /],
      optimizeModule: [(bitcode) => jit.optimizeModule(bitcode), [...NO_BYTES, 'text'], /^bitcode is /],
      print: [(name) => jit.print(name, 'ir'), NO_NAMES, /^name is /],
      'print what': [(what) => jit.print('half', what), [null, 'IR', 5], /^what is .*: give one of /],
      tierOf: [(name) => jit.tierOf(name), NO_NAMES, /^name is /],
      subscribe: [(listener) => jit.subscribe(listener), [null, {}], /^listener is /],
      addFrontEnd: [(frontEnd) => jit.addFrontEnd(frontEnd), [null, {}, 'C'], /^frontEnd is /],
      columns: [
        (columns) => jit.applyToColumns('half', columns),
        [null, Float64Array.of(1)],
        /^half: the columns/,
      ],
      addSource: [(text) => jit.addSource(text), [null, 5, Buffer.from('1;')], /^text is /],
      parse: [(name) => jit.parse('1;', name), [null, '', 5], /^name is /],
      addExtern: [(prototype) => jit.addExtern(prototype), [null, {}, 'extern f(x)'], /^prototype/],
      addFunctionAST: [(fn) => jit.addFunctionAST(fn), [null, {}, { prototype: null, body: {} }], /^fn/],
      evaluate: [(fn) => jit.evaluate(fn), [null, {}, 'f()'], /^fn/],
    },
    stillWorks,
  );
  t.deepEqual(dylib.definedNames(), []);
  await t.throwsAsync(jit.addArchive(new Uint8Array(8)), { code: 'LINK_ERROR', message: /not an archive/ });
  dylib.defineAbsolute({ low: 0n as never, high: { address: (2n ** 64n - 1n) as never, callable: false } });
});

test('a signature that contradicts what defines the function is refused, also after a redefinition', async (t) => {
  const { jit } = await openJIT(t);
  await jit.addIR(PROGRAM);
  await jit.addSource('def twice(x) x * 2;');
  const refused = async (name: string, signatures: readonly unknown[], words: RegExp) =>
    refuseAll(
      t,
      { [name]: [(signature) => jit.lookup(name, signature), signatures, words] },
      async () => void t.is(await (await jit.lookup('half', 'double(double)'))(4), 2),
    );
  const wrong = [
    'i64(double)',
    'double(i64)',
    'double(float)',
    'double()',
    'double(double, i32)',
    'float(double)',
  ];
  await refused('half', wrong, /^signature is .*, and half is double\(double\): give that, or none$/);
  await refused('twice', wrong, /and twice is double\(double\)/);
  await refused('main', ['i64()', 'i8()', 'double()', 'ptr()'], /and main is i32\(\)/);
  const shapes = [
    null,
    5,
    {},
    { result: 'i32' },
    { result: 'i99', parameters: [] },
    { result: 'i32', parameters: 'i32' },
  ];
  const kinds = ['i99', 'void', null, {}, { fields: ['x'] }, { element: 'i8' }].map((kind) => ({
    result: 'void',
    parameters: [kind],
  }));
  await refused('half', [...shapes, ...kinds], /^signature/);
  const extra = { result: 'double', parameters: ['double'], extra: 1 };
  await refused('half', [extra], /^signature\.extra is no part of one: give a signature in words, or/);
  for (const signature of ['u32()', 'void()', { result: 'i32', parameters: [] }])
    t.truthy(await jit.lookup('main', signature as Anything));

  const twice = await jit.lookup('twice', 'double(double)');
  t.is(await twice(4), 8);
  await jit.addSource('def twice(x y) x * y;');
  await t.throwsAsync(twice(4), { instanceOf: ArgumentError, message: /twice is double\(double, double\)/ });
  await jit.addSource('def twice(x) x + x;');
  t.is(await twice(4), 8);
});

/** Values that an option of each name does not take. */
const WRONG_JIT_OPTIONS: Readonly<Record<string, readonly unknown[]>> = {
  executor: ['far', null, 5, {}, { url: 5 }, { url: 'ws://host', token: 5 }, { url: 'ws://host', tokn: 'a' }],
  local: [
    null,
    'strict',
    { sandbox: 'on' },
    { limits: { cpu: -1 } },
    { limits: { cpus: 1 } },
    { limits: { memory: 1 } },
    { preload: 'libm.so' },
  ],
  requireSandbox: ['on', true, null],
  optLevel: [9, -1, 1.5, '2', null, Number.NaN],
  hotThreshold: [Number.NaN, 0, -1, 1.5, 2 ** 32, '10', null],
  speculate: ['x', true, null],
  speculateOrder: ['f', [5], null],
  recordCalls: [1, 'yes', null],
  libraries: ['kaleidoscope', [5], [''], null],
  transforms: [[null], () => {}, [{}]],
  plugins: [[null], {}, [{}], [{ prePrune: 5 }], [{ postprune() {} }]],
  cacheDir: ['', 5, null, 'a\0b'],
  cacheMaxBytes: [-1, 1.5, Number.NaN, '1', null],
  program: [5, null],
  libLLVM: ['', 5, null],
  tracerProvider: [null, {}, 5],
  onEvent: [5, null, {}],
  onOutput: [5, null, {}],
  codegen: [null, {}, 4],
  codegenProcesses: [0, -1, 1.5, Number.NaN, '2', null],
  codegenLimitMs: [Number.NaN, 0, -1, '5', Number.POSITIVE_INFINITY, 2 ** 31, null],
  sharedObjects: [null, {}],
};

/** The same, of options that a pool has besides. */
const WRONG_POOL_OPTIONS: Readonly<Record<string, readonly unknown[]>> = {
  token: [5, null],
  tls: ['pem', { ca: 5 }, { cret: 'a' }],
  heartbeatMs: [Number.NaN, 0, '5', null],
  socketOwner: [-1, 1.5, 'root'],
  signal: WRONG_SIGNALS,
  resolve: ['host', null],
  refreshMs: [Number.NaN, 0, 2 ** 31],
  waitMs: [Number.NaN, -1, Number.POSITIVE_INFINITY],
  onExecutor: [null, 5],
};

/** What every maker of something with these options refuses. */
function optionRefusals(
  make: (options: Anything) => unknown,
  wrong: Readonly<Record<string, readonly unknown[]>>,
): Readonly<Record<string, Refusal>> {
  const each = Object.entries(wrong).map(([name, values]): [string, Refusal] => [
    name,
    [(value) => make({ [name]: value } as Anything), values, new RegExp(`^options\\.${name}\\b`)],
  ]);
  return { options: [make, WRONG_OPTIONS, /^options is /], ...Object.fromEntries(each) };
}

test('nothing is started with options that are none, and an unknown one is answered with the nearest', async (t) => {
  const nothing = async () => {};
  await refuseAll(
    t,
    optionRefusals((options) => JIT.create(options), WRONG_JIT_OPTIONS),
    nothing,
  );
  await refuseAll(
    t,
    optionRefusals((options) => KaleidoscopeJIT.create(options), WRONG_JIT_OPTIONS),
    nothing,
  );
  const { executor, transforms, program, recordCalls, sharedObjects, onEvent, ...ofPools } =
    WRONG_JIT_OPTIONS;
  for (const Pool of [JITPool, KaleidoscopePool]) {
    const connect = (options: Anything) => Pool.connect(['local'], options);
    await refuseAll(t, optionRefusals(connect, { ...ofPools, ...WRONG_POOL_OPTIONS }), nothing);
    await refuseAll(
      t,
      {
        urls: [(urls) => Pool.connect(urls), ['local', null, 5, [5]], /^urls/],
        'options of a JIT': [
          (name) => connect({ [name]: undefined } as never),
          ['executor', 'onEvent'],
          /is no option/,
        ],
      },
      nothing,
    );
  }
  const ofCodegen = { size: [0, Number.NaN], limitMs: [0, Number.NaN], restMs: ['1'], libLLVM: ['/usr/lib'] };
  await refuseAll(
    t,
    optionRefusals((options) => new CodegenPool(options), ofCodegen),
    nothing,
  );
  await t.throwsAsync(JIT.create({ optlevel: 2 } as never), {
    instanceOf: ArgumentError,
    message: 'options.optlevel is no option; did you mean optLevel?',
  });
  const far = { executor: { url: 'ws://127.0.0.1:1', tokn: 'secret' } };
  await t.throwsAsync(JIT.create(far as never), {
    message: 'options.executor.tokn is no option; did you mean token?',
  });
});

test('a cache directory that cannot be used is warned of, unless it is listened to', async (t) => {
  const warned: string[] = [];
  const onWarning = ({ message }: Error) => warned.push(message);
  process.on('warning', onWarning);
  t.teardown(() => process.off('warning', onWarning));
  const events: SessionEvent[] = [];
  for (const onEvent of [undefined, (event: SessionEvent) => void events.push(event)]) {
    const jit = await JIT.create({ cacheDir: '/dev/null/objects', ...(onEvent && { onEvent }) });
    t.teardown(() => jit.close());
    await jit.addIR(PROGRAM);
    t.is(await (await jit.lookup('half'))(4), 2);
  }
  t.is(warned.filter((message) => message.includes('/dev/null/objects')).length, 1);
  t.is(events.filter(({ type }) => type === 'cache-unusable').length, 1);
});
