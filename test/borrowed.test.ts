import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { WebSocket } from 'ws';
import { joinWebSocket } from '#protocol/src/joined-websocket.js';

/*
 * What is used of dependencies though they promise it to nobody: docs/architecture.md has the list, "What is borrowed". Where a
 * test here fails after a dependency was renewed, its message says what to look at.
 */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ARCHITECTURE = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
/** Packages of which something is borrowed, and where that is used. */
const BORROWED = {
  ws: 'packages/protocol/src/joined-websocket.ts and scripts/lib/bundle.mjs',
  'ffi-rs': 'scripts/lib/bundle.mjs and bufferAt of packages/executor/src/native/libc.ts',
};

interface Manifest {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
}

for (const [name, where] of Object.entries(BORROWED))
  test(`${name} is asked for in the one version whose inside is known`, (t) => {
    const packages = readdirSync(join(ROOT, 'packages')).map((folder) => join('packages', folder));
    const asked = ['.', ...packages]
      .filter((folder) => existsSync(join(ROOT, folder, 'package.json')))
      .map(manifest)
      .flatMap(({ dependencies, devDependencies }) => [dependencies?.[name], devDependencies?.[name]])
      .filter((version) => version !== undefined);
    const { version } = manifest(`node_modules/${name}`);
    t.true(asked.length > 0);
    for (const one of asked)
      t.is<string | undefined, string | undefined>(
        one,
        version,
        `${name} must be an exact version: before another is taken, look at ${where}`,
      );
    t.true(
      ARCHITECTURE.includes(`| \`${name}\` `),
      `docs/architecture.md does not say what of ${name} is borrowed`,
    );
  });

/** A stream that keeps what is written to it. */
function recorder() {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  return { stream, written };
}

const JOINED = 'look at packages/protocol/src/joined-websocket.ts';

test('ws: a WebSocket of no address is one of the server side, and connects to nothing', (t) => {
  const Joinable = WebSocket as unknown as new (
    address: null,
    protocols: undefined,
    options: object,
  ) => WebSocket;
  const webSocket = new Joinable(null, undefined, {});
  t.is(webSocket.readyState, WebSocket.CONNECTING, `ws connects by itself now: ${JOINED}`);
  t.true(
    Object.hasOwn(webSocket, '_isServer') && Reflect.get(webSocket, '_isServer') === true,
    `ws has another way now to tell the server side, which was _isServer: ${JOINED}`,
  );
  const setSocket: unknown = Reflect.get(webSocket, 'setSocket');
  t.true(
    typeof setSocket === 'function' && setSocket.length === 3,
    `ws has no setSocket(socket, head, options) any more: ${JOINED}`,
  );
});

test('ws: a WebSocket that is given its stream is open, and _isServer says whether it masks', async (t) => {
  for (const role of ['client', 'server'] as const) {
    const { stream, written } = recorder();
    const webSocket = joinWebSocket(stream, role);
    t.is(webSocket.readyState, WebSocket.OPEN, `setSocket of ws no longer opens: ${JOINED}`);
    await new Promise((resolve) => webSocket.send(Buffer.of(7), resolve));
    // RFC 6455, 5.2: final binary frame; mask bit and length.
    t.deepEqual(
      [...Buffer.concat(written)],
      role === 'server' ? [0x82, 0x01, 7] : [0x82, 0x81, 0, 0, 0, 0, 7],
      `_isServer of ws no longer decides on masks: ${JOINED}`,
    );
    webSocket.terminate();
  }
});

test('ws: limits that a handshake would set are taken from the options', (t) => {
  const webSocket = joinWebSocket(recorder().stream, 'server');
  const read = (from: object, name: string): unknown => Reflect.get(from, name);
  const receiver = Object(read(webSocket, '_receiver'));
  const limits = {
    closeTimeout: read(webSocket, '_closeTimeout'),
    maxPendingAutoPongs: read(webSocket, '_maxPendingAutoPongs'),
    maxBufferedChunks: read(receiver, '_maxBufferedChunks'),
    maxFragments: read(receiver, '_maxFragments'),
  };
  const expected = {
    closeTimeout: 30_000,
    maxPendingAutoPongs: 60,
    maxBufferedChunks: 256 * 1024,
    maxFragments: 1024,
  };
  t.deepEqual<object, object>(limits, expected, `ws takes its limits from elsewhere now: ${JOINED}`);
  webSocket.terminate();
});

test('the bundles have ffi-rs without its look at the C library, and ws without http at its start', (t) => {
  for (const path of ['executor/dist/bundle/farjit-executor', 'compiler/dist/bundle/farjit']) {
    const bundle = readFileSync(join(ROOT, 'packages', `${path}.bundle.js`), 'latin1');
    const look = 'look at scripts/lib/bundle.mjs';
    t.false(bundle.includes('glibcVersionRuntime'), look);
    for (const pattern of [
      /\{websocketMask:[\w$]+,websocketUnmask:[\w$]+\}=[\w$]+\(\)/,
      /\.load\("node:https"\)/,
    ])
      t.true(pattern.test(bundle), `${pattern}: ${look}`);
  }
});
