import test from 'ava';
import * as v from 'valibot';
import { type Frame, FrameKind } from '../src/codec.js';
import { ProtocolError, RemoteError } from '../src/errors.js';
import { request } from '../src/messages/declare.js';
import { PendingRequests } from '../src/pending-requests.js';

function answer(id: number, body: unknown, kind = FrameKind.Response): Frame {
  return {
    kind,
    id,
    sequence: 1,
    acknowledged: 0,
    generation: 0,
    deadlineMs: null,
    traceparent: null,
    method: '',
    body,
  };
}

const countThings = request('countThings', 'compiler-to-executor', {
  params: v.strictObject({}),
  result: v.strictObject({ things: v.number() }),
});

function prepare(maxCount = Number.POSITIVE_INFINITY) {
  const pending = new PendingRequests(maxCount);
  const happened: string[] = [];
  const errors: Error[] = [];
  const add = (generation = 1, onResult?: (result: unknown) => void) =>
    pending.add({
      type: countThings,
      generation,
      onResult,
      resolve: (result) => happened.push(`resolved ${JSON.stringify(result)}`),
      reject: (error) => {
        happened.push(`rejected ${error.message}`);
        errors.push(error);
      },
      origin: { stack: 'Error\n    at caller' },
    });
  return { pending, happened, errors, add };
}

test('each request has an id of its own, and is settled once', (t) => {
  const { pending, happened, add } = prepare();
  t.deepEqual([add(), add()], [1, 2]);
  t.is(pending.methodOf(2), 'countThings');
  t.is(pending.methodOf(3), '');
  pending.settle(answer(2, { things: 5 }));
  t.false(pending.has(2));
  t.true(pending.has(1));
  t.deepEqual(happened, ['resolved {"things":5}']);
  for (const id of [2, 3, 0])
    t.throws(() => pending.settle(answer(id, { things: 5 })), {
      instanceOf: ProtocolError,
      message: `answer to request ${id}, which is not pending`,
    });
  pending.remove(1);
  t.false(pending.has(1));
  t.is(add(), 3);
});

test('those that nobody waits for count until they are answered', (t) => {
  const { pending, happened, add } = prepare(2);
  add(1);
  const other = add(2);
  t.throws(() => add(1), { code: 'LIMIT_EXCEEDED', message: 'more than 2 requests without an answer' });
  pending.abandon(1, (method) => new Error(`${method} is given up`));
  t.deepEqual(happened, ['rejected countThings is given up']);
  t.true(pending.has(other));
  t.throws(() => add(1), { code: 'LIMIT_EXCEEDED' });
  pending.settle(answer(1, 'whatever'));
  t.is(happened.length, 1);
  t.throws(() => pending.settle(answer(1, 'again')), { instanceOf: ProtocolError });
  t.is(add(1), 3);
});

test('an error is the other end’s, with the stack of the caller', (t) => {
  const { pending, errors, add } = prepare();
  add();
  pending.settle(answer(1, { code: 'LIMIT_EXCEEDED', message: 'no room', data: { a: 1 } }, FrameKind.Error));
  const [error] = errors;
  t.true(error instanceof RemoteError);
  t.like(error, { code: 'LIMIT_EXCEEDED', message: 'no room', data: { a: 1 } });
  t.is(error?.stack, 'RemoteError: no room\n    at caller');
  add();
  pending.settle(answer(2, { code: 5, message: 'no room', data: null }, FrameKind.Error));
  t.true(errors[1] instanceof ProtocolError);
  add();
  pending.settle(answer(3, { things: 'x' }));
  t.regex(errors[2]?.message ?? '', /^answer to countThings: things/);
});

test('a result is told before it is waited for, and what that throws is the error', (t) => {
  const { pending, happened, add } = prepare();
  add(1, (result) => happened.push(`told ${JSON.stringify(result)}`));
  pending.settle(answer(1, { things: 5 }));
  t.deepEqual(happened, ['told {"things":5}', 'resolved {"things":5}']);
  add(1, () => {
    throw new Error('a bug');
  });
  pending.settle(answer(2, { things: 5 }));
  t.deepEqual(happened.slice(2), ['rejected a bug']);
});

test('all that wait are rejected at the end, and those given up are told nothing more', (t) => {
  const { pending, happened, add } = prepare(3);
  add(1);
  add(2);
  pending.abandon(1, () => new Error('given up'));
  pending.rejectAll((method) => new Error(`${method}: closed`));
  t.deepEqual(happened, ['rejected given up', 'rejected countThings: closed']);
  t.notThrows(() => [add(), add(), add()]);
});

test('it is told when some wait, and when none does any more, whatever has become of them', (t) => {
  const told: boolean[] = [];
  const pending = new PendingRequests(Number.POSITIVE_INFINITY, (isSome) => told.push(isSome));
  const add = (generation: number) => {
    const ignore = () => {};
    const waiter = { onResult: undefined, resolve: ignore, reject: ignore, origin: {} };
    return pending.add({ type: countThings, generation, ...waiter });
  };
  const [first, second] = [add(1), add(1)];
  pending.settle(answer(first, { things: 5 }));
  t.deepEqual(told, [true]);
  pending.remove(second);
  t.deepEqual(told.splice(0), [true, false]);
  add(2);
  pending.abandon(2, () => new Error('given up'));
  t.deepEqual(told.splice(0), [true, false]);
  pending.rejectAll(() => new Error('closed'));
  t.deepEqual(told, []);
  add(3);
  pending.rejectAll(() => new Error('closed'));
  t.deepEqual(told, [true, false]);
});
