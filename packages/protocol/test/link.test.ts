import test, { type ExecutionContext } from 'ava';
import { decodeFrame, encodeFrame, type Frame, FrameKind } from '../src/codec.js';
import {
  ACKNOWLEDGE_EVERY_BYTES,
  ACKNOWLEDGE_EVERY_FRAMES,
  FRAME_COST_BYTES,
  Link,
  type LinkOptions,
  MAX_BUFFERED_BYTES,
} from '../src/link.js';
import { MAX_UNACKNOWLEDGED_BYTES } from '../src/send-window.js';
import { createMemoryTransportPair, type Transport, type TransportClose } from '../src/transport.js';

const LOST = 1006;

interface End {
  readonly link: Link;
  readonly received: unknown[];
  readonly acknowledgements: string[];
  readonly ended: TransportClose[];
}

function open(transport: Transport, options: LinkOptions = {}): End {
  const received: unknown[] = [];
  const acknowledgements: string[] = [];
  const ended: TransportClose[] = [];
  const link = new Link(
    transport,
    {
      onFrame: ({ body }) => received.push(body),
      onEnd: (close) => ended.push(close),
      onAcknowledgement: (direction) => acknowledgements.push(direction),
    },
    options,
  );
  link.start();
  return { link, received, acknowledgements, ended };
}

function openPair(options: LinkOptions = {}): [End, End, Transport, Transport] {
  const [a, b] = createMemoryTransportPair();
  return [open(a, options), open(b, options), a, b];
}

const NOTIFICATION = {
  kind: FrameKind.Notification,
  id: 0,
  generation: 0,
  deadlineMs: null,
  traceparent: null,
  method: 'm',
};

function send({ link }: End, body: unknown): void {
  link.send({ ...NOTIFICATION, body });
}

/** Longer than any chain of microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Joins two ends again over a new pair of transports, as a client and a server do. */
function resume(a: End, b: End): number[] {
  const [first, second] = createMemoryTransportPair();
  const counts = [a.link.receivedCount, b.link.receivedCount] as const;
  return [a.link.resume(first, counts[1]), b.link.resume(second, counts[0])];
}

/** A transport that loses whatever is sent. */
function lossy(): Transport & { readonly sent: Uint8Array[] } {
  const sent: Uint8Array[] = [];
  return { sent, send: (message) => sent.push(message), close: () => {}, start: () => {}, bufferedBytes: 0 };
}

function breakOff(...ends: End[]): void {
  for (const { link } of ends) link.breakOff();
}

test('what was sent while the link was broken arrives afterwards, both ways, in order', async (t) => {
  const [a, b] = openPair({ timeToLiveMs: 10_000 });
  send(a, 1);
  send(b, 'one');
  await settled();
  breakOff(a, b);
  t.true(a.link.isBroken && b.link.isBroken);
  send(a, 2);
  send(a, 3);
  send(b, 'two');
  await settled();
  t.deepEqual([b.received, a.received], [[1], ['one']]);
  t.deepEqual(resume(a, b), [0, 0]);
  await settled();
  t.deepEqual(
    [b.received, a.received],
    [
      [1, 2, 3],
      ['one', 'two'],
    ],
  );
  t.false(a.link.isBroken || b.link.isBroken);
});

test('frames that were lost on their way are sent again, those that arrived are not', async (t) => {
  const [a, b] = openPair({ timeToLiveMs: 10_000 });
  send(a, 1);
  await settled();
  a.link.resume(lossy(), b.link.receivedCount);
  send(a, 2);
  send(a, 3);
  await settled();
  t.deepEqual(b.received, [1]);
  t.deepEqual(resume(a, b), [2, 0]);
  await settled();
  t.deepEqual(b.received, [1, 2, 3]);
});

test('who goes on over another transport says at once how far it is, though it has nothing to send', async (t) => {
  const [a, b] = openPair({ timeToLiveMs: 10_000 });
  send(b, 'one');
  await settled();
  breakOff(a, b);
  const next = lossy();
  a.link.resume(next, b.link.receivedCount);
  t.like(
    next.sent.map((message) => decodeFrame(message)),
    [{ kind: FrameKind.Acknowledge, acknowledged: 1 }],
  );
  t.is(next.sent.length, 1);
});

test('what arrives over a transport that was given up is not handled', async (t) => {
  const [a, b, , late] = openPair({ timeToLiveMs: 10_000 });
  breakOff(a, b);
  resume(a, b);
  t.notThrows(() => late.close(LOST, 'late'));
  await settled();
  t.deepEqual(a.ended, []);
  send(b, 'on');
  await settled();
  t.deepEqual(a.received, ['on']);
});

test('a second transport takes the place of one that is not known to be lost', async (t) => {
  const [a, b] = openPair({ timeToLiveMs: 10_000 });
  send(a, 1);
  await settled();
  resume(a, b);
  send(a, 2);
  await settled();
  t.deepEqual(b.received, [1, 2]);
});

test('a link that is not resumed in time ends, and says so', async (t) => {
  const broken: string[] = [];
  const [a] = openPair({
    timeToLiveMs: 20,
    onBroken: ({ reason }, mended) => {
      broken.push(reason);
      void mended.then(() => broken.push('over'));
    },
  });
  a.link.breakOff();
  await new Promise((resolve) => setTimeout(resolve, 60));
  t.deepEqual(a.ended, [{ code: LOST, reason: 'given up; not resumed within 0.02 s' }]);
  t.deepEqual(broken, ['given up', 'over']);
  t.false(a.link.canResume(0));
});

test('what kept a link from being resumed is said, and not when it was resumed since', async (t) => {
  const [a, b] = openPair({ timeToLiveMs: 60 });
  breakOff(a, b);
  a.link.noteObstacle('refused');
  resume(a, b);
  breakOff(a, b);
  b.link.noteObstacle('out of reach');
  await new Promise((resolve) => setTimeout(resolve, 150));
  t.deepEqual(a.ended, [{ code: LOST, reason: 'given up; not resumed within 0.06 s' }]);
  t.deepEqual(b.ended, [{ code: LOST, reason: 'given up; not resumed within 0.06 s: out of reach' }]);
});

test('without a time to live a lost transport is the end', async (t) => {
  const [a, , , far] = openPair();
  far.close(LOST, 'gone');
  await settled();
  t.deepEqual(a.ended, [{ code: LOST, reason: 'gone' }]);
});

test('a transport that closes with a closing handshake is the end, whatever the time to live', async (t) => {
  const [a, , , far] = openPair({ timeToLiveMs: 10_000 });
  far.close(1001, 'going away');
  await settled();
  t.deepEqual(a.ended, [{ code: 1001, reason: 'going away' }]);
});

test('a link without a time to live does not get one later', (t) => {
  const [a] = openPair();
  a.link.timeToLiveMs = 1000;
  t.is(a.link.timeToLiveMs, 0);
  t.false(a.link.canResume(0));
});

test('a count that the other end cannot have is refused', async (t) => {
  const [a, b] = openPair({ timeToLiveMs: 10_000 });
  for (const body of [1, 2, 3]) send(a, body);
  await settled();
  send(b, 'acknowledges three');
  await settled();
  t.deepEqual(
    [2, 3, 4].map((count) => a.link.canResume(count)),
    [false, true, false],
  );
});

test('frames without an answer are acknowledged by themselves, after so many', async (t) => {
  const [a, b] = openPair();
  for (let i = 1; i < ACKNOWLEDGE_EVERY_FRAMES; i++) send(a, i);
  await settled();
  t.deepEqual(b.acknowledgements, []);
  send(a, 'last');
  await settled();
  t.deepEqual([b.acknowledgements, a.acknowledgements], [['sent'], ['received']]);
});

test('frames without an answer are acknowledged by themselves, after so many bytes', async (t) => {
  const [a, b] = openPair();
  send(a, new Uint8Array(ACKNOWLEDGE_EVERY_BYTES / 2));
  await settled();
  t.deepEqual(b.acknowledgements, []);
  send(a, new Uint8Array(ACKNOWLEDGE_EVERY_BYTES / 2));
  await settled();
  t.deepEqual(b.acknowledgements, ['sent']);
});

test('a peer that reads and acknowledges nothing gets no more than the window', (t) => {
  const transport = lossy();
  const end = open(transport);
  const content = new Uint8Array(1024 * 1024);
  for (let i = 0; i < 40; i++) send(end, content);
  t.is(transport.sent.length, MAX_UNACKNOWLEDGED_BYTES / content.byteLength);
  t.true(end.link.backlogBytes > 23 * content.byteLength);
});

test('two ends that both send more than the window come through', async (t) => {
  const [a, b] = openPair();
  const content = new Uint8Array(3 * 1024 * 1024);
  for (let i = 0; i < 20; i++) {
    send(a, content);
    send(b, content);
  }
  for (let i = 0; i < 50; i++) await settled();
  t.is(a.received.length, 20);
  t.is(b.received.length, 20);
  t.is(a.link.backlogBytes, 0);
});

test('two ends with full windows that answer each frame come through', async (t) => {
  const count = 60;
  const content = new Uint8Array(1024 * 1024);
  const [first, second] = createMemoryTransportPair();
  const answered = [0, 0];
  const ends = [first, second].map((transport, index) => {
    const handlers = {
      onFrame: ({ body }: Frame) => {
        // The answer waits behind what fills the window, and acknowledges nothing before it has gone out.
        if (body === 'ask') end.link.send({ ...NOTIFICATION, body: ['answer', content] });
        else answered[index] = (answered[index] ?? 0) + 1;
      },
      onEnd: () => t.fail(),
      onAcknowledgement: () => {},
    };
    const end = { link: new Link(transport, handlers) };
    end.link.start();
    return end;
  });
  for (let i = 0; i < count; i++)
    for (const { link } of ends) {
      link.send({ ...NOTIFICATION, body: 'ask' });
      link.send({ ...NOTIFICATION, body: ['more', content] });
    }
  for (let i = 0; i < 10 * count; i++) await settled();
  t.deepEqual(answered, [2 * count, 2 * count]);
});

test('what a frame calls for may be done later: in order, with the transport paused, and not over the next one', async (t) => {
  const [a, b] = createMemoryTransportPair();
  const paused: boolean[] = [];
  const transport: Transport = Object.assign(b, {
    pause: () => paused.push(true),
    resume: () => paused.push(false),
  });
  const waiting: { work: () => void; done: () => void }[] = [];
  const schedule = (work: () => void) =>
    new Promise<void>((done) => {
      waiting.push({ work, done });
    });
  const near = open(a, { timeToLiveMs: 1000 });
  const far = open(transport, { schedule, timeToLiveMs: 1000 });
  for (const body of [1, 2, 3]) send(near, body);
  await settled();
  t.deepEqual(far.received, []);
  t.deepEqual(paused, [true]);
  const next = () => {
    const first = waiting.shift();
    first?.work();
    first?.done();
  };
  next();
  t.deepEqual(far.received, [1]);
  next();
  far.link.breakOff();
  // It comes again over the next transport.
  next();
  await settled();
  t.deepEqual(far.received, [1, 2]);
  t.is(far.link.receivedCount, 2);
  t.deepEqual(paused, [true]);
  far.link.close(1000, 'over');
});

test('what is kept for a peer that acknowledges nothing counts by the frame, too', (t) => {
  const transport = { ...lossy(), bufferedBytes: MAX_BUFFERED_BYTES - 10 * FRAME_COST_BYTES };
  const end = open(transport);
  for (let i = 0; i < 10; i++) send(end, i);
  t.deepEqual(end.ended, []);
  send(end, 10);
  t.deepEqual(end.ended, [{ code: 1008, reason: 'the peer does not read' }]);
});

test('what waits beyond all measure ends the link', (t) => {
  const transport = lossy();
  const end = open(transport);
  const content = new Uint8Array(3 * 1024 * 1024);
  const mostBytes = MAX_BUFFERED_BYTES + MAX_UNACKNOWLEDGED_BYTES + content.byteLength;
  for (let sentBytes = 0; sentBytes < mostBytes && end.ended.length === 0; sentBytes += content.byteLength)
    send(end, content);
  t.deepEqual(end.ended, [{ code: 1008, reason: 'the peer does not read' }]);
});

/** A frame as a peer would send it. */
function frame(fields: Partial<Frame>): Uint8Array {
  return encodeFrame({
    kind: FrameKind.Notification,
    id: 0,
    sequence: 1,
    acknowledged: 0,
    generation: 0,
    deadlineMs: null,
    traceparent: null,
    method: 'm',
    body: null,
    ...fields,
  });
}

function againstRaw(t: ExecutionContext): { end: End; raw: Transport } {
  const [a, raw] = createMemoryTransportPair();
  raw.start({ onMessage: () => {}, onClose: () => {} });
  t.teardown(() => raw.close(1000, ''));
  return { end: open(a), raw };
}

for (const [what, fields] of [
  ['a gap', { sequence: 2 }],
  ['a frame twice', { sequence: 0 }],
  ['an acknowledgement of what was not sent', { kind: FrameKind.Acknowledge, sequence: 0, acknowledged: 1 }],
] as const)
  test(`${what} ends the link with 1002`, async (t) => {
    const { end, raw } = againstRaw(t);
    raw.send(frame(fields));
    await settled();
    t.is(end.ended[0]?.code, 1002);
    t.deepEqual(end.received, []);
  });

test('a link holds back over a change of transports', async (t) => {
  const [a, b] = openPair({ timeToLiveMs: 10_000 });
  let paused = 0;
  const [first, second] = createMemoryTransportPair();
  const pausing: Transport = Object.assign(Object.create(first), {
    send: (message: Uint8Array) => first.send(message),
    start: (handlers: Parameters<Transport['start']>[0]) => first.start(handlers),
    close: (code: number, reason: string) => first.close(code, reason),
    pause: () => paused++,
    resume: () => paused--,
  });
  let release = () => {};
  const held = a.link.holdBack(
    new Promise<void>((resolve) => {
      release = resolve;
    }),
  );
  a.link.resume(pausing, b.link.receivedCount);
  b.link.resume(second, a.link.receivedCount);
  t.is(paused, 1);
  release();
  await held;
  t.is(paused, 0);
});
