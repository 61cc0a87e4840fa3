import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { files, type GivenFile, session } from '@farjit/protocol';
import test, { type ExecutionContext } from 'ava';
import { writeImage } from '../src/files/file-image.js';
import { WritableTree } from '../src/files/writable-tree.js';
import { createHostResources } from '../src/host-resources.js';
import { openSession, WANTED } from './session-fixture.js';

const bytes = (text: string) => Buffer.from(text);
const digestOf = (content: Uint8Array) => createHash('sha256').update(content).digest();
const contentOf = (content: Uint8Array) => ({ digest: digestOf(content), sizeBytes: content.byteLength });

function fileAt(path: string, content: Uint8Array): GivenFile {
  return { kind: 'file', path: bytes(path), content: contentOf(content), isExecutable: false };
}

async function openFiles(t: ExecutionContext, host = createHostResources()) {
  const { connection, session: hosted } = await openSession(t, host);
  const offer = (...contents: Uint8Array[]) =>
    connection.request(files.offerFiles, { contents: contents.map(contentOf) });
  const send = (index: number, offset: number, slice: Uint8Array) =>
    connection.request(files.sendFile, { index, offset, slice });
  const start = (entries: GivenFile[], workingDirectory = '/') =>
    connection.request(session.startRunner, {
      ...WANTED,
      files: { entries, workingDirectory: bytes(workingDirectory) },
    });
  return { connection, hosted, offer, send, start };
}

test('a content is sent in order, whole, and is what its digest says', async (t) => {
  const { offer, send } = await openFiles(t);
  const content = bytes('0123456789');
  t.deepEqual(await offer(content), { missing: [0] });
  await t.throwsAsync(send(1, 0, content), { code: 'INVALID_PARAMS' });
  await t.throwsAsync(send(0, 1, content), { code: 'INVALID_PARAMS' });
  await send(0, 0, content.subarray(0, 4));
  for (const [index, offset, slice] of [
    [0, 0, content],
    [0, 4, content],
    [0, 4, bytes('')],
    [1, 4, content.subarray(4)],
  ] as const)
    await t.throwsAsync(send(index, offset, slice), { code: 'INVALID_PARAMS' });
  await send(0, 4, content.subarray(4));
  await t.throwsAsync(send(0, 10, bytes('')), { code: 'INVALID_PARAMS', message: /is not missing/ });
  t.deepEqual(await offer(content), { missing: [] });
  t.deepEqual(await offer(bytes('other')), { missing: [0] });
  await t.throwsAsync(send(0, 0, bytes('wrong')), {
    code: 'INVALID_PARAMS',
    message: /not what its digest says/,
  });
  // Nothing is left of it.
  t.deepEqual(await offer(bytes('other'), bytes('wrong')), { missing: [0, 1] });
});

test('a digest is of a content only with its size, and only of one that was offered', async (t) => {
  const { connection, offer, send, start } = await openFiles(t);
  const content = bytes('0123456789');
  await offer(content);
  await send(0, 0, content);
  const wrongSize = { digest: digestOf(content), sizeBytes: 4 };
  t.deepEqual(await connection.request(files.offerFiles, { contents: [wrongSize] }), { missing: [0] });
  await t.throwsAsync(start([fileAt('/a', content)]), { code: 'INVALID_PARAMS', message: /was not offered/ });
  await offer();
  await t.throwsAsync(start([fileAt('/a', content)]), { code: 'INVALID_PARAMS', message: /was not offered/ });
});

test('what a session may have on its way is bounded, before anything has come', async (t) => {
  const host = createHostResources();
  const { connection } = await openFiles(t, host);
  const sizeBytes = 200 * 1024 ** 2;
  const contents = [0, 1].map((index) => ({ digest: digestOf(bytes(String(index))), sizeBytes }));
  t.deepEqual(await connection.request(files.offerFiles, { contents }), { missing: [0, 1] });
  await connection.request(files.sendFile, { index: 0, offset: 0, slice: bytes('x') });
  // Another session of the identity.
  const other = await openFiles(t, host);
  await other.connection.request(files.offerFiles, { contents });
  await t.throwsAsync(other.send(1, 0, bytes('x')), { code: 'LIMIT_EXCEEDED' });
  await connection.request(files.offerFiles, { contents: [] });
  await other.send(1, 0, bytes('x'));
});

for (const [title, entries, workingDirectory, code] of [
  ['a relative path', [{ kind: 'directory', path: bytes('a') }], '/', 'INVALID_PARAMS'],
  ['..', [{ kind: 'directory', path: bytes('/a/../b') }], '/', 'INVALID_PARAMS'],
  ['.', [{ kind: 'directory', path: bytes('/./b') }], '/', 'INVALID_PARAMS'],
  ['a slash too many', [{ kind: 'directory', path: bytes('/a//b') }], '/', 'INVALID_PARAMS'],
  ['a slash at the end', [{ kind: 'directory', path: bytes('/a/') }], '/', 'INVALID_PARAMS'],
  ['the root', [{ kind: 'writable', path: bytes('/') }], '/', 'INVALID_PARAMS'],
  ['NUL', [{ kind: 'directory', path: bytes('/a\0b') }], '/', 'INVALID_PARAMS'],
  [
    'a name that is too long',
    [{ kind: 'directory', path: bytes(`/${'a'.repeat(256)}`) }],
    '/',
    'INVALID_PARAMS',
  ],
  ['too deep', [{ kind: 'directory', path: bytes('/a'.repeat(65)) }], '/', 'INVALID_PARAMS'],
  ['the stage', [{ kind: 'link', path: bytes('/.farjit'), target: bytes('/') }], '/', 'INVALID_PARAMS'],
  [
    'a path through a link',
    [
      { kind: 'link', path: bytes('/a'), target: bytes('/') },
      { kind: 'directory', path: bytes('/a/b') },
    ],
    '/',
    'INVALID_PARAMS',
  ],
  [
    'a path twice',
    [
      { kind: 'directory', path: bytes('/a') },
      { kind: 'writable', path: bytes('/a') },
    ],
    '/',
    'INVALID_PARAMS',
  ],
  [
    'a link to a text with NUL',
    [{ kind: 'link', path: bytes('/a'), target: bytes('a\0') }],
    '/',
    'INVALID_PARAMS',
  ],
  ['a beginning that is not there', [], '/a', 'INVALID_PARAMS'],
  [
    'a beginning at a link',
    [{ kind: 'link', path: bytes('/a'), target: bytes('/') }],
    '/a',
    'INVALID_PARAMS',
  ],
] as const satisfies readonly (readonly [string, readonly GivenFile[], string, string])[])
  test(`a root with ${title} is refused, and the runner is as it was`, async (t) => {
    const { hosted, start } = await openFiles(t);
    const before = hosted.runner?.processId;
    await t.throwsAsync(start([...entries], workingDirectory), { code });
    t.is(hosted.runner?.processId, before);
  });

test('folders are made in any order of names, writable ones in each other once', async (t) => {
  const { start, connection } = await openFiles(t);
  const paths = ['/a', '/a-b', '/a/x', '/a/x/y', '/a.b/c/d'];
  const entries: GivenFile[] = paths.map((path) => ({ kind: 'directory', path: bytes(path) }));
  const { confinement } = await start([
    ...entries,
    { kind: 'writable', path: bytes('/w') },
    { kind: 'writable', path: bytes('/w/inner') },
    { kind: 'directory', path: bytes('/w-other') },
    { kind: 'link', path: bytes('/w/link'), target: bytes('/a') },
  ]);
  t.is(confinement.limits.find(({ name }) => name === 'file-count')?.value, 16 * 1024);
  await t.throwsAsync(connection.request(files.listFiles, { from: 0 }), { code: 'METHOD_NOT_ALLOWED' });
  await t.throwsAsync(connection.request(files.readFile, { file: 0, offset: 0, sizeBytes: 1 }), {
    code: 'INVALID_PARAMS',
  });
});

test('a tree that is given back while it is listed leads to no other that has its descriptor then', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-trees-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const name of ['own', 'other']) {
    mkdirSync(join(folder, name, '0'), { recursive: true });
    writeFileSync(join(folder, name, '0', `of-${name}`), name);
  }
  const own = openSync(join(folder, 'own'), 'r');
  const tree = new WritableTree(own, [bytes('/tmp')], 0);
  const listing = tree.list();
  listing.next();
  tree.close();
  // The lowest number that is free: the same again, unless something else has opened a file meanwhile.
  const opened: number[] = [];
  do opened.push(openSync(join(folder, 'other'), 'r'));
  while (Math.max(...opened) < own);
  t.teardown(() => {
    for (const fd of opened) closeSync(fd);
  });
  const rest = () => {
    for (;;) if (listing.next().done) return;
  };
  t.throws(rest, { code: 'METHOD_NOT_ALLOWED' });
});

test('an image that is not written to its end is gone', (t) => {
  const imageCount = () =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).includes('farjit-files');
      } catch {
        return false;
      }
    }).length;
  const before = imageCount();
  const writing = writeImage({ entries: [], workingDirectory: bytes('/'), sizeBytes: 0, writable: [] });
  writing.next();
  t.is(imageCount(), before + 1);
  writing.return(0);
  t.is(imageCount(), before);
});

test('a folder that cannot be read is listed as such, and not left out', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-trees-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, '0/sub'), { recursive: true });
  const tree = new WritableTree(openSync(folder, 'r'), [bytes('/tmp')], 0);
  t.teardown(() => tree.close());
  const listing = tree.list();
  listing.next();
  // It has been seen; whoever may read everything can be kept from it by its end alone.
  listing.next();
  rmSync(join(folder, '0/sub'), { recursive: true });
  for (;;) {
    const { done, value } = listing.next();
    if (!done) continue;
    t.deepEqual(
      value.files.map(({ path, isFile }) => [path.toString(), isFile]),
      [['/tmp/sub/', false]],
    );
    break;
  }
});
