import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MaterializationError, type ObjectLinkingPlugin, PluginError } from '@farjit/compiler';
import { formatAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { assemble } from '#compiler/test/llvm/assemble.js';
import { openJIT } from './jit-fixture.js';

test('a plugin sees graphs before and after pruning and after fixups, where they went, and that they go', async (t) => {
  const said: string[] = [];
  const plugin: ObjectLinkingPlugin = {
    prePrune: (graph, { unit }) => {
      const symbol = graph.findDefinition('f$impl') ?? graph.findDefinition('f');
      said.push(`prePrune ${unit.name}: ${symbol?.name}`);
    },
    postPrune: (graph, { unit }) => {
      // Only now the function has the name that its stub leads to.
      said.push(`postPrune ${unit.name}: ${graph.findDefinition('f$impl')?.kind}`);
    },
    postFixup: (graph, { unit }) => {
      const definition = graph.findDefinition('f$impl');
      said.push(`postFixup ${unit.name}: ${definition && definition.address > 0n ? 'placed' : 'nowhere'}`);
    },
    emitted: ({ part, symbols, allocations }, { segments }) => {
      const address = symbols.get('f$impl')?.address ?? 0n;
      const isInside = allocations.some(
        (range) => range.address <= address && address < range.address + BigInt(range.sizeBytes),
      );
      said.push(`emitted ${part.unit.name}: ${isInside}, ${segments.length > 0}`);
    },
    removing: ({ part }, _runner, done) => {
      said.push(`removing ${part.unit.name}`);
      done();
    },
  };
  const { jit } = await openJIT(t, { plugins: [plugin], optLevel: 0 });
  await jit.addSource('def f(x) x + 1;');
  t.deepEqual(said, []);
  const f = await jit.lookup('f');
  t.is(await f(1), 2);
  const ofF = () => said.filter((line) => / f(:|$)/.test(line));
  t.deepEqual(ofF(), [
    'prePrune f: f$impl',
    'postPrune f: defined',
    'postFixup f: placed',
    'emitted f: true, true',
  ]);
  await jit.addSource('def f(x) x + 2;');
  t.is(await f(1), 3);
  t.is(ofF().filter((line) => line === 'removing f').length, 1);
  t.is(ofF().filter((line) => line === 'emitted f: true, true').length, 2);
});

test('what a plugin throws fails the call that needs the link, and nothing is taken', async (t) => {
  let isBroken = true;
  const failed: string[] = [];
  for (const hook of ['prePrune', 'postPrune', 'postFixup', 'emitted'] as const) {
    isBroken = true;
    const refuse = () => {
      if (isBroken) throw new Error(`${hook} refuses`);
    };
    const plugin: ObjectLinkingPlugin = { [hook]: refuse, failed: ({ unit }) => failed.push(unit.name) };
    const { jit } = await openJIT(t, { plugins: [plugin], optLevel: 0, speculate: 'off' });
    await jit.addSource('def f(x) x + 1;');
    const before = jit.allocatedBytes;
    const f = await jit.lookup('f');
    const error = await t.throwsAsync(f(1));
    t.regex(String((error as Error).cause ?? error), new RegExp(`${hook} refuses`));
    t.is(jit.allocatedBytes, before, hook);
    isBroken = false;
    t.is(await f(1), 2);
  }
  // The wrapper of the call, which is the first that is linked.
  t.true(failed.length >= 2);
  t.is(new Set(failed).size, 1);
});

test('a hook that gives back what it cannot fails the link, which says whose it is', async (t) => {
  let given: unknown;
  const give = () => given as never;
  const values = {
    prePrune: [Promise.reject(new Error('late'))],
    ownNames: [5, [null]],
    resolve: [undefined, []],
  };
  for (const [hook, wrong] of Object.entries(values)) {
    class Late {
      [hook] = give;
    }
    const { jit } = await openJIT(t, { plugins: [new Late()], optLevel: 0, speculate: 'off' });
    await jit.addSource('def f(x) x + 1;');
    const f = await jit.lookup('f');
    for (given of wrong) {
      const error = await t.throwsAsync(f(1));
      const cause = error instanceof MaterializationError ? error.cause : error;
      t.true(cause instanceof PluginError);
      t.regex(String(cause), new RegExp(`${hook} of the plugin Late gave back`));
    }
    given = { prePrune: undefined, ownNames: [], resolve: new Map() }[hook];
    t.is(await f(1), 2);
  }
});

test('a plugin gives addresses to names of its own', async (t) => {
  const asked: string[] = [];
  let where = '';
  const plugin: ObjectLinkingPlugin = {
    ownNames: ({ unit }) => (unit.name === 'f' ? ['elsewhere'] : []),
    resolve: ({ unit }, runner) => {
      if (unit.name !== 'f') return new Map();
      asked.push(unit.name);
      const sine = runner.processSymbol('sin');
      if (sine === undefined) return new Map();
      where = formatAddr(sine);
      return new Map([['elsewhere', sine]]);
    },
  };
  const { jit } = await openJIT(t, { plugins: [plugin], optLevel: 0 });
  await jit.addSource('extern elsewhere(x); def f(x) elsewhere(x); extern sin(x);');
  const f = await jit.lookup('f');
  // Nobody has asked for `sin` yet, so the plugin knows no address.
  await t.throwsAsync(f(0), { instanceOf: MaterializationError, message: /elsewhere/ });
  const sin = await jit.lookup('sin');
  t.is(await sin(0), 0);
  t.is(await f(1), Math.sin(1));
  t.deepEqual(asked, ['f', 'f']);
  t.not(where, '');
});

/** A function and its data, which are linked as one group. */
const COUNTING = `
@count = internal global double 0.0
define double @next(double %x) {
  %v = load double, double* @count
  %n = fadd double %v, %x
  store double %n, double* @count
  ret double %n
}`;

test('a plugin is told of each part of a link that fails, also of those that it was only shown', async (t) => {
  for (const hook of ['prePrune', 'postPrune', 'postFixup', 'ownNames', 'resolve', 'emitted'] as const) {
    let broken: string | undefined;
    const refuse = () => {
      if (broken === hook) throw new Error(`${hook} refuses`);
    };
    const refusing: Required<Pick<ObjectLinkingPlugin, typeof hook>> = {
      prePrune: refuse,
      postPrune: refuse,
      postFixup: refuse,
      emitted: refuse,
      ownNames: () => refuse() ?? [],
      resolve: () => refuse() ?? new Map(),
    };
    const shown = new Set<object>();
    const watching: ObjectLinkingPlugin = {
      prePrune: (_, part) => shown.add(part),
      emitted: ({ part }) => shown.delete(part),
      failed: (part) => shown.delete(part),
    };
    const { jit } = await openJIT(t, { plugins: [watching, refusing], speculate: 'off' });
    await jit.addIR(assemble(COUNTING));
    await jit.addSource('def warm(x) x;');
    // Links the wrapper of calls, which is the same for both.
    t.is(await (await jit.lookup('warm'))(1), 1);
    const before = jit.allocatedBytes;
    broken = hook;
    const next = await jit.lookup('next');
    const error = await t.throwsAsync(next(1), { instanceOf: MaterializationError });
    t.regex(error.message, new RegExp(`${hook} refuses`));
    t.is(shown.size, 0, hook);
    t.is(jit.allocatedBytes, before, hook);
    broken = undefined;
    t.is(await next(1), 1);
  }
});

test('memory is used again when each plugin has said that it is done, however often one says so', async (t) => {
  const said: (() => void)[] = [];
  const hasty: ObjectLinkingPlugin = {
    removing: (_linked, _runner, done) => {
      for (let i = 0; i < 10; i++) done();
    },
  };
  const slow: ObjectLinkingPlugin = { removing: (_linked, _runner, done) => said.push(done) };
  const { jit } = await openJIT(t, { plugins: [hasty, slow], speculate: 'off', optLevel: 0 });
  await jit.addSource('def f(x) x;');
  const f = await jit.lookup('f');
  t.is(await f(1), 1);
  const before = jit.allocatedBytes;
  await jit.addSource('def f(x) x + 1;');
  await jit.flush();
  t.is(said.length, 1);
  t.is(jit.allocatedBytes, before);
  for (const done of [...said, ...said]) done();
  t.true(jit.allocatedBytes < before);
  t.is(await f(1), 2);
});

test('what a plugin throws of a part that goes stops nothing, and does not come up where it went', async (t) => {
  const program = `
    import { JIT } from '@farjit/compiler';
    const uncaught = [];
    process.on('uncaughtException', ({ message }) => uncaught.push(message));
    let isBroken = false;
    const refuse = (what) => () => {
      if (isBroken) throw new Error(what);
    };
    const plugin = { removing: refuse('removing'), failed: refuse('failed'), emitted: refuse('emitted') };
    const jit = await JIT.create({ plugins: [plugin], speculate: 'off' });
    const tracker = await jit.addIR('define double @f(double %x) { ret double %x }');
    const f = await jit.lookup('f');
    const said = [await f(1)];
    isBroken = true;
    tracker.remove();
    await jit.addIR('define double @f(double %x) { ret double 2.0 }');
    await f(1).catch(({ cause }) => said.push(cause.cause.message));
    isBroken = false;
    said.push(await f(1));
    await jit.close();
    console.log(JSON.stringify({ said, uncaught }));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
  });
  t.deepEqual(JSON.parse(stdout), { said: [1, 'emitted', 2], uncaught: ['removing', 'failed'] });
});
