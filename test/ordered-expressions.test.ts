import { CodegenPool, type ExecutorPool, type ExpressionResult, type FunctionAST } from '@farjit/compiler';
import test, { type ExecutionContext } from 'ava';
import { settled } from '#compiler/test/asleep.js';
import { gate } from '#compiler/test/gate.js';
import { eventually } from './jit-fixture.js';
import { openPool } from './pool-fixture.js';
import { startServer } from './server-fixture.js';

const MIB = 1024 * 1024;
/** Of what an expression has printed before its turn, this much is taken from its executor, and the write it ends in. */
const HELD_BYTES = MIB + 64 * 1024;
/** Prints the whole numbers up to its argument, a line each. */
const CHATTER = 'extern printd(x); def chatter(n) for i = 0, i < n in printd(i);';
const LINES = 300_000;

/** Compilations of some functions wait until the test lets them go on. */
class HeldCodegen extends CodegenPool {
  readonly #held: ReadonlyMap<string, () => Promise<void>>;

  constructor(held: ReadonlyMap<string, () => Promise<void>>) {
    super();
    this.#held = held;
  }

  override async compile(input: Parameters<CodegenPool['compile']>[0]) {
    await this.#held.get(input.name)?.();
    return super.compile(input);
  }
}

/** Evaluates a text's expressions in order, and notes what is delivered. */
async function evaluate(
  pool: ExecutorPool,
  text: string,
  /** Nothing of the next is delivered before it has resolved. */
  afterResult: () => Promise<void> | undefined = () => undefined,
) {
  const results: ExpressionResult[] = [];
  const deliveredBytes: number[] = [];
  let printed = '';
  const functions: FunctionAST[] = [];
  for (const item of pool.parse(text))
    if (item.kind === 'definition') pool.addFunctionAST(item.function);
    else if (item.kind === 'extern') pool.addExtern(item.prototype);
    else functions.push(item.function);
  const done = pool.evaluateInOrder(functions, {
    output: (_stream, content) => {
      printed += Buffer.from(content).toString();
      deliveredBytes[results.length] = (deliveredBytes[results.length] ?? 0) + content.byteLength;
    },
    result: (_index, result) => {
      results.push(result);
      return afterResult();
    },
  });
  return { done, results, deliveredBytes, printed: () => printed };
}

/** The most that an executor has sent, once it has sent much and sends nothing more. */
async function bytesWhenHeldBack(pool: ExecutorPool): Promise<number> {
  const bytes = () => Math.max(...pool.executors.map(({ statistics }) => statistics?.bytesReceived ?? 0));
  await eventually(() => bytes() > MIB, 'an executor has sent much');
  await settled(bytes, 'it is held back');
  return bytes();
}

async function startServers(t: ExecutionContext, count: number) {
  return Promise.all(Array.from({ length: count }, () => startServer(t)));
}

test.serial(
  'an expression that prints much before its turn is held back in its executor, and nothing is lost',
  async (t) => {
    const servers = await startServers(t, 2);
    const pool = await openPool(
      t,
      servers.map(({ url }) => url),
    );
    const { wait, reached, open } = gate();
    const { done, results, deliveredBytes, printed } = await evaluate(
      pool,
      `${CHATTER} printd(0.5); chatter(${LINES}); 3;`,
      wait,
    );
    await reached;
    t.true((await bytesWhenHeldBack(pool)) < 2 * HELD_BYTES);
    t.is(results.length, 1);
    t.is(deliveredBytes[1], undefined);
    open();
    await done;
    const lines = [0.5, ...Array.from({ length: LINES + 1 }, (_, index) => index)];
    t.is(printed(), lines.map((value) => `${value.toFixed(6)}\n`).join(''));
    t.is(results.length, 3);
  },
);

test.serial(
  'expressions are evaluated so far ahead of the one whose turn it is, and no farther',
  async (t) => {
    const servers = await startServers(t, 2);
    const pool = await openPool(
      t,
      servers.map(({ url }) => url),
    );
    const { wait, open } = gate();
    const count = 300;
    const { done, results } = await evaluate(pool, '1;'.repeat(count), wait);
    const calls = () => pool.statistics()?.calls ?? 0;
    await settled(calls, 'no more are evaluated');
    t.deepEqual([calls(), results.length], [256, 1]);
    open();
    await done;
    t.deepEqual([calls(), results.length], [count, count]);
  },
);

/** Two executors, of which the first is the home: in it an expression waits for the compilation of `block`. */
async function openHeld(t: ExecutionContext) {
  const [home, other] = await startServers(t, 2);
  const held = { block: gate(), chatter: gate() };
  const codegen = new HeldCodegen(new Map(Object.entries(held).map(([name, { wait }]) => [name, wait])));
  t.teardown(() => codegen.stop());
  t.teardown(() => held.block.open());
  // What a code generator makes can be held.
  const pool = await openPool(t, [home?.url ?? '', other?.url ?? ''], { codegen, baseline: 'off' });
  await pool.addSource(`${CHATTER} def block(x) x; extern srand48(x);`);
  return { pool, held, loseHome: () => pool.remove(home?.url ?? '') };
}

const LETS_GO =
  'an expression that is held back lets go of its executor when it alone can go on with what comes before';

test.serial(`${LETS_GO}: the home is lost with what it evaluates`, async (t) => {
  const { pool, held, loseHome } = await openHeld(t);
  const { done, results } = await evaluate(pool, `block(srand48(1)); srand48(2) * 0; chatter(${LINES});`);
  await held.block.reached;
  held.chatter.open();
  await bytesWhenHeldBack(pool);
  await loseHome();
  await eventually(() => results.length === 3, 'all have ended');
  await done;
  t.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled'],
  );
});

for (const when of ['before it has printed much', 'when it has printed too much'] as const)
  test.serial(`${LETS_GO}: the home, which is not free, is lost ${when}`, async (t) => {
    const { pool, held, loseHome } = await openHeld(t);
    const [blocking] = pool.parse('block(0);');
    if (blocking?.kind !== 'expression') return t.fail();
    const blocked = pool.evaluate(blocking.function);
    await held.block.reached;
    const { done, results } = await evaluate(pool, `srand48(1) * 0; chatter(${LINES});`);
    await held.chatter.reached;
    if (when === 'when it has printed too much') {
      held.chatter.open();
      // The home can still become free.
      t.true((await bytesWhenHeldBack(pool)) < 2 * HELD_BYTES);
    }
    await loseHome();
    await t.throwsAsync(blocked);
    held.chatter.open();
    await eventually(() => results.length === 2, 'all have ended');
    await done;
    t.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'fulfilled'],
    );
  });
