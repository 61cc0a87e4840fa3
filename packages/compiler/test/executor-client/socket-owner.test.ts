import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { connectExecutor } from '../../src/executor-client/connect.js';
import { ConnectError } from '../../src/executor-client/connect-errors.js';
import { checkSocketOwner, SocketOwnerError } from '../../src/executor-client/socket-owner.js';

const STRANGER = 54_321;
const isRoot = process.getuid?.() === 0;

/** A socket in folders of its own, under a sticky one. */
async function makeSocket(t: ExecutionContext) {
  const outer = realpathSync(mkdtempSync(join(tmpdir(), 'farjit-owner-')));
  t.teardown(() => rmSync(outer, { recursive: true, force: true }));
  const folder = join(outer, 'inner');
  mkdirSync(folder);
  const path = join(folder, 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { outer, folder, path };
}

test('a socket of this user, in folders that others cannot write to, is trusted, through links too', async (t) => {
  const { outer, folder, path } = await makeSocket(t);
  t.is(checkSocketOwner(path), path);
  symlinkSync(folder, join(outer, 'link'));
  t.is(checkSocketOwner(join(outer, 'link', 'socket')), path);
});

test('a folder that others can write to is not, at whatever height, unless it is sticky', async (t) => {
  const { outer, folder, path } = await makeSocket(t);
  for (const changed of [outer, folder]) {
    for (const mode of [0o777, 0o775, 0o702]) {
      chmodSync(changed, mode);
      t.throws(() => checkSocketOwner(path), {
        instanceOf: SocketOwnerError,
        message: `others than its owner may write to ${changed}, and could listen there (chmod go-w takes that away)`,
      });
    }
    chmodSync(changed, 0o1777);
    t.is(checkSocketOwner(path), path);
  }
});

test('what is no socket is refused', async (t) => {
  const { folder } = await makeSocket(t);
  writeFileSync(join(folder, 'file'), '');
  t.throws(() => checkSocketOwner(join(folder, 'file')), { message: /is not a socket$/ });
  t.throws(() => checkSocketOwner(join(folder, 'none')), { code: 'ENOENT' });
});

(isRoot ? test : test.skip)(
  'a socket or a folder of another user is refused, unless that user is named',
  async (t) => {
    const { outer, folder, path } = await makeSocket(t);
    for (const changed of [path, folder, outer]) {
      chownSync(changed, STRANGER, STRANGER);
      t.throws(() => checkSocketOwner(path), {
        instanceOf: SocketOwnerError,
        message:
          `${changed} belongs to user ${STRANGER}, who is neither this user nor root ` +
          `(--executor-owner ${STRANGER} says that this is right)`,
      });
      t.is(checkSocketOwner(path, STRANGER), path);
      chownSync(changed, 0, 0);
    }
  },
);

test('a token is not sent to a socket that others may have made; without one it is connected to', async (t) => {
  const { folder, path } = await makeSocket(t);
  chmodSync(folder, 0o777);
  const http = createHttpServer();
  const sent: (string | undefined)[] = [];
  http.on('upgrade', (request, socket) => {
    sent.push(request.headers.authorization);
    socket.end('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n');
  });
  const open = `${path}2`;
  http.listen(open);
  await once(http, 'listening');
  t.teardown(() => http.close());
  const url = `ws+unix:${open}`;
  await t.throwsAsync(connectExecutor(url, { token: 'secret' }), {
    instanceOf: ConnectError,
    message:
      /socket2: the token is not sent there: others than its owner may write to .* wants none on a Unix socket$/,
  });
  await t.throwsAsync(connectExecutor(url), { message: /answered 503/ });
  t.deepEqual(sent, [undefined]);
  chmodSync(folder, 0o755);
  await t.throwsAsync(connectExecutor(url, { token: 'secret' }), { message: /answered 503/ });
  t.deepEqual(sent, [undefined, 'Bearer secret']);
});
