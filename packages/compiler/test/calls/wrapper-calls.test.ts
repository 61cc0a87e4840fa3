import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, type ExecutorAddr, NULL_ADDR } from '@farjit/protocol/executor-addr';
import test from 'ava';
import type { CallSignature } from '../../src/calls/call-signature.js';
import { doubleSignature, encodeBlock } from '../../src/calls/callable.js';
import type { WrapperLayer } from '../../src/calls/wrapper-calls.js';
import { WrapperCalls } from '../../src/calls/wrapper-calls.js';
import { JITDylib, type SymbolRef } from '../../src/core/jit-dylib.js';
import type { ExecutionSession } from '../../src/session/execution-session.js';
import { openScripted } from '../session/session-fixture.js';
import { functionUnit } from '../session/units.js';

const RUNNER = {};
const CALLEE = addrAdd(NULL_ADDR, 0x1234_5678_9abc);

const DYLIB = new JITDylib('main', { mayReplace: () => true, isPlaced: () => false });

/** A session that links each wrapper at an address of its own, and answers what `answer` makes of a block. */
function prepared({
  answer = (block: Uint8Array) => block,
  onLink = () => {},
}: {
  answer?: (block: Uint8Array) => Uint8Array;
  onLink?: () => void;
} = {}) {
  const log: string[] = [];
  const entries: string[] = [];
  const blocks: Uint8Array[] = [];
  const session = {
    mainDylib: DYLIB,
    resolve: async ({ name }: SymbolRef, runner: unknown) =>
      name === 'f' && runner === RUNNER ? { address: CALLEE } : undefined,
    link: async (unit: string, name: string) => {
      onLink();
      entries.push(`${unit} ${name}`);
      return NULL_ADDR;
    },
    call: async (name: string, prepare: (runner: unknown) => Promise<{ block: Uint8Array }>) => {
      const { block } = await prepare(RUNNER);
      log.push(`call ${name}`);
      blocks.push(block);
      return answer(block);
    },
    noteReturned: (calls: readonly { callee: string; isCertain: boolean }[]) =>
      log.push(...calls.map(({ callee, isCertain }) => `returned ${callee} ${isCertain}`)),
  };
  let unitCount = 0;
  const ast = { wrapperUnit: () => `unit${++unitCount}`, mainWrapperUnit: () => `main${++unitCount}` };
  const calls = new WrapperCalls(session as unknown as ExecutionSession, ast as unknown as WrapperLayer);
  return { calls, log, entries, blocks };
}

const double = (value: number) => () => new Uint8Array(Float64Array.of(value).buffer);

test('a callable calls what its name means by then, through a wrapper that its signature has once', async (t) => {
  const { calls, log, entries, blocks } = prepared({ answer: double(2.5) });
  const f = calls.callable(DYLIB.ref('f'), () => doubleSignature(1));
  t.is(f.symbol, 'f');
  t.is(await f(1), 2.5);
  t.is(await f.call([2], {}), 2.5);
  t.deepEqual(entries, ['unit1 call$double$double', 'unit1 call$double$double']);
  t.deepEqual(
    blocks,
    [1, 2].map((value) => encodeBlock('f', CALLEE, doubleSignature(1), [value])),
  );
  t.deepEqual(log, ['call f', 'returned f true', 'call f', 'returned f true']);
  await t.throwsAsync(calls.callable(DYLIB.ref('g'), () => doubleSignature(0))(), {
    code: 'SYMBOLS_NOT_FOUND',
  });
});

test('a signature that changes on the way is asked for again, and what came before is not called', async (t) => {
  const signatures: CallSignature[] = [doubleSignature(1), { result: 'i32', parameters: ['double'] }];
  let at = 0;
  let linkCount = 0;
  const { calls, entries } = prepared({
    answer: () => Uint8Array.of(7, 0, 0, 0, 9, 9, 9, 9),
    onLink: () => {
      if (++linkCount === 1) at = 1;
    },
  });
  const f = calls.callable(DYLIB.ref('f'), () => signatures[at] as CallSignature);
  t.deepEqual(f.signature, signatures[0]);
  t.is(await f(1), 7);
  t.deepEqual(f.signature, signatures[1]);
  t.deepEqual(entries, ['unit1 call$double$double', 'unit2 call$i32$double']);
  at = 0;
  signatures[0] = doubleSignature(2);
  await t.throwsAsync(f(1), { code: 'BAD_ARGUMENT' });
});

test('an address is called as it is, and main with its arguments', async (t) => {
  const { calls, log, entries, blocks } = prepared({
    answer: () => Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
  });
  const address: ExecutorAddr = addrAdd(NULL_ADDR, 0x40);
  t.is(await calls.callAddress(address, { result: 'void', parameters: [] }, [], {}), undefined);
  t.is(await calls.callMain(address, ['a', 'b'], {}), -1);
  t.is(await calls.callMain(address, [], {}), -1);
  t.deepEqual(log, ['call 0x40', 'returned 0x40 true', 'call main', 'call main']);
  t.is(entries[0], 'unit1 call$void');
  t.is(entries[1], entries[2]);
  t.is(new DataView(blocks[0]?.buffer ?? new ArrayBuffer(8)).getBigUint64(0, true), 0x40n);
});

test('a call whose runner is lost each time that its callee is looked up is tried in four runners, as any work is', async (t) => {
  const { session, host } = await openScripted(t);
  const asked: (number | undefined)[] = [];
  host.answers.lookupSymbols = (_, { generation }) => {
    asked.push(generation);
    throw new RequestError('STALE_GENERATION', 'gone');
  };
  const ast = { wrapperUnit: () => functionUnit('call$double$double') };
  const calls = new WrapperCalls(session, ast as unknown as WrapperLayer);
  const sine = calls.callable(session.mainDylib.ref('sin'), () => doubleSignature(1));
  await t.throwsAsync(sine(1), { code: 'RUNNER_LOST' });
  t.deepEqual(asked, [1, 2, 3, 4]);
});
