import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { indirection, session, WebSocketTransport } from '@farjit/protocol';
import { RequestError } from '@farjit/protocol/errors';
import { addrAdd, toExecutorAddr } from '@farjit/protocol/executor-addr';
import test, { type ExecutionContext } from 'ava';
import { WebSocketServer } from 'ws';
import { FakeHost, runnerOf, silence } from '../executor-client/fake-host.js';
import { folderWith, type Running, start } from './run-farjit.js';

const PROGRAM = 'def f(x) x + 1; def g(x) f(x) * 2; g(1);\nextern cos(x); cos(1);\n';
const ESCAPES = '\x1b[2J\u202e'.repeat(100_000);
/** Of what a command says when all goes wrong, with its words cut and escaped: a page, escaped. */
const MAX_SAID_LENGTH = 64 * 1024;

/** What becomes of each connection, and of its socket. */
type Lie = (host: FakeHost, socket: Socket) => void;

/** `farjit run`, or another command, with an executor that lies; started, and ended with the test. */
async function runWith(
  t: ExecutionContext,
  lie: Lie,
  onUpgrade?: (request: IncomingMessage, socket: Socket) => void,
  command: readonly string[] = ['run', 'program.ks'],
): Promise<Running> {
  const folder = await folderWith(t, { 'program.ks': PROGRAM, 'data.csv': '1\n2\n' });
  const path = join(folder, 'socket');
  const http = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    t.teardown(() => socket.destroy());
    if (onUpgrade) return onUpgrade(request, socket as Socket);
    sockets.handleUpgrade(request, socket, head, (webSocket) =>
      lie(new FakeHost({}, new WebSocketTransport(webSocket)), socket as Socket),
    );
  });
  http.listen(path);
  await once(http, 'listening');
  t.teardown(() => http.close());
  return start(t, [...command, '--no-cache', '--executor', `ws+unix:${path}`], { cwd: folder });
}

/** Says something again and again, as fast as the compiler takes it; the first hundred times arrive together. */
function flood({ connection }: FakeHost, socket: Socket, say: () => void): void {
  const more = () => {
    socket.cork();
    for (let i = 0; i < 100 && connection.link.backlogBytes < 4_000_000; i++) say();
    socket.uncork();
    if (!connection.isClosed) setImmediate(more);
  };
  more();
}

/** While the program runs, which does not end. */
function whileCalled(act: Lie): Lie {
  return (host, socket) => {
    host.answers.call = () => {
      act(host, socket);
      return silence();
    };
  };
}

const fault = { kind: 'fault', message: 'x' } as const;

const LIES: Readonly<Record<string, [Lie, RegExp]>> = {
  'a flood of limits': [
    whileCalled((host, socket) => {
      let value = 0;
      flood(host, socket, () =>
        host.connection.notify(session.limitReached, { limit: { name: 'memory', value: value++ } }, 1),
      );
    }),
    /the executor says twice that memory is reached/,
  ],
  'a flood of lost runners': [
    whileCalled((host, socket) => flood(host, socket, () => host.loseRunner(fault))),
    /the executor says twice that runner 1 is lost/,
  ],
  'a flood of runners that never were': [
    whileCalled((host, socket) => flood(host, socket, () => host.loseRunner(fault, 7))),
    /the executor tells of runners all the time that are not there/,
  ],
  'a flood of callbacks': [
    whileCalled((host, socket) => {
      const trampoline = runnerOf(1).memory.code.address;
      flood(host, socket, () => void host.reenter(trampoline).catch(() => {}));
    }),
    /the executor asks twice at once for 0x7f0000000000|the executor asks for 0x7f0000000000, which is no trampoline/,
  ],
  'callbacks from nowhere': [
    whileCalled((host, socket) => {
      let at = 0;
      flood(host, socket, () => void host.reenter(addrAdd(toExecutorAddr(0n), at++)).catch(() => {}));
    }),
    /which is no trampoline/,
  ],
  'a fault of megabytes': [
    whileCalled((host) => host.loseRunner({ kind: 'fault', message: ESCAPES })),
    /runnerLost: end\.message: Invalid length/,
  ],
  'an error of megabytes': [
    (host) => {
      host.answers.call = () => {
        throw new RequestError('\x1b[2JEVIL' as 'INTERNAL', ESCAPES, 5);
      };
    },
    /error: \\u\{1b\}\[2J\\u\{202e\}/,
  ],
  'a lost runner in an error of megabytes': [
    (host) => {
      host.answers.call = () => {
        const end = { kind: 'fault', message: ESCAPES };
        throw new RequestError('RUNNER_LOST', ESCAPES, { end, own: true });
      };
    },
    /error: the runner ended: \\u\{1b\}\[2J/,
  ],
  'texts of megabytes about itself': [
    (host) => {
      const honest = host.answers.openSession;
      host.answers.openSession = async (params, context) => ({
        ...(await honest(params, context)),
        server: ESCAPES,
      });
    },
    /answer to openSession: server: Invalid length/,
  ],
};

for (const [what, [lie, words]] of Object.entries(LIES))
  test.serial(`${what} from an executor: the run ends by itself, with few and clean words`, async (t) => {
    const { end, stderr, stdout } = await (await runWith(t, lie)).finished;
    t.is(end, 1);
    t.is(stdout, '');
    t.regex(stderr, words);
    t.true(stderr.length < MAX_SAID_LENGTH, `${stderr.length}`);
    t.notRegex(stderr, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
  });

const counters = Array.from({ length: indirection.MAX_HOT_COUNTERS }, (_, i) =>
  addrAdd(runnerOf(1).memory.data.address, 4 * i),
);

/** What does not end by itself, because a program may be as slow or as talkative; or not soon. */
const LASTING: Readonly<Record<string, [Lie, ((request: IncomingMessage, socket: Socket) => void)?]>> = {
  'an upgrade answered byte by byte': [
    () => {},
    (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nX: ');
      const drip = setInterval(() => socket.write('y'), 100);
      socket.on('close', () => clearInterval(drip));
    },
  ],
  'a session that is never opened': [
    (host) => {
      host.answers.openSession = silence;
    },
  ],
  'symbols that are never looked up': [
    (host) => {
      host.answers.lookupSymbols = silence;
    },
  ],
  'a call that is never answered': [whileCalled(() => {})],
  'hot functions without end': [
    whileCalled((host, socket) =>
      flood(host, socket, () => host.connection.notify(indirection.functionsHot, { counters }, 1)),
    ),
  ],
  // An executor of a later release may tell of what this one does not know.
  'unknown notifications without end': [
    whileCalled((host, socket) =>
      flood(host, socket, () =>
        host.connection.notify({ method: 'nonsense' } as unknown as typeof session.output, {} as never),
      ),
    ),
  ],
  'output without end': [
    whileCalled((host, socket) => {
      const content = Buffer.alloc(65_536, '.');
      flood(host, socket, () => host.connection.notify(session.output, { stream: 'stdout', content }, 1));
    }),
  ],
};

for (const [what, [lie, onUpgrade]] of Object.entries(LASTING))
  test.serial(`${what} from an executor: the first SIGINT ends the run`, async (t) => {
    let reached = () => {};
    const isReached = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const noted: Lie = (host, socket) => {
      lie(host, socket);
      reached();
    };
    const running = await runWith(
      t,
      noted,
      onUpgrade &&
        ((request, socket) => {
          onUpgrade(request, socket);
          reached();
        }),
    );
    await isReached;
    // Well into what it is about.
    await new Promise((resolve) => setTimeout(resolve, 700));
    running.child.kill('SIGINT');
    const { end, stderr } = await running.finished;
    t.is(end, 130);
    t.regex(stderr, /interrupted/);
  });

for (const command of [['map', 'f', 'program.ks', '--input', 'data.csv'], ['repl']])
  test.serial(`the first SIGINT ends ${command[0]} while its executor opens no session`, async (t) => {
    let asked = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const lie: Lie = (host) => {
      host.answers.openSession = () => {
        asked();
        return silence();
      };
    };
    const running = await runWith(t, lie, undefined, command);
    await isAsked;
    running.child.kill('SIGINT');
    t.is((await running.finished).end, 130);
  });
