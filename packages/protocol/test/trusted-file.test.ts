import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, lchownSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isMountPoint, readTrustedFile, UntrustedFileError } from '../src/file-trust.js';

const isRoot = process.getuid?.() === 0;
const rootTest = isRoot ? test : test.skip;
const OTHER = 12_345;

function fileIn(t: ExecutionContext, text = 'secret'): { folder: string; file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-trust-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  writeFileSync(file, text, { mode: 0o600 });
  return { folder, file };
}

test('a file of this user’s is read, whoever may read it, and over a link of its own', (t) => {
  const { folder, file } = fileIn(t);
  for (const mode of [0o400, 0o600, 0o644]) {
    chmodSync(file, mode);
    t.is(readTrustedFile(file), 'secret');
  }
  symlinkSync(file, join(folder, 'link'));
  t.is(readTrustedFile(join(folder, 'link')), 'secret');
});

test('a file that others may write to is refused, and the message says what to do', (t) => {
  const { file } = fileIn(t);
  for (const mode of [0o620, 0o602, 0o666]) {
    chmodSync(file, mode);
    t.throws(() => readTrustedFile(file), { instanceOf: UntrustedFileError, message: /chmod go-w it$/ });
  }
});

rootTest('another user’s file is refused, and another user’s link', (t) => {
  const { folder, file } = fileIn(t);
  const link = join(folder, 'link');
  symlinkSync(file, link);
  lchownSync(link, OTHER, OTHER);
  t.throws(() => readTrustedFile(link), {
    instanceOf: UntrustedFileError,
    message: /link of another user \(12345\)/,
  });
  chownSync(file, OTHER, OTHER);
  t.throws(() => readTrustedFile(file), {
    instanceOf: UntrustedFileError,
    message: /another user \(12345\)/,
  });
});

test('what a shell puts in place of a command is read', (t) => {
  const program = `import { readTrustedFile } from ${JSON.stringify(new URL('../src/file-trust.js', import.meta.url).href)};
    process.stdout.write(readTrustedFile(process.argv[1]));`;
  const script = '"$0" --input-type=module -e "$1" <(printf piped)';
  t.is(execFileSync('bash', ['-c', script, process.execPath, program], { encoding: 'utf8' }), 'piped');
});

const canMount = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0;
(canMount ? test : test.skip)('what is mounted by itself is read, whoever has it elsewhere', (t) => {
  const { folder, file } = fileIn(t);
  chownSync(file, OTHER, OTHER);
  const mounted = join(folder, 'a secret');
  writeFileSync(mounted, '');
  const program = `import { readTrustedFile } from ${JSON.stringify(new URL('../src/file-trust.js', import.meta.url).href)};
    process.stdout.write(readTrustedFile(process.argv[1]));`;
  const script = 'mount --bind "$2" "$3" && exec "$0" --input-type=module -e "$1" "$3"';
  const args = ['--mount', 'sh', '-c', script, process.execPath, program, file, mounted];
  t.is(execFileSync('unshare', args, { encoding: 'utf8' }), 'secret');
});

test('mount points are found in what the kernel lists, with what it escapes', (t) => {
  const list = [
    '36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/root rw',
    '37 36 98:0 /home/a/token /run/secrets/my\\040token ro - ext4 /dev/root rw',
    '',
  ].join('\n');
  t.true(isMountPoint(list, '/run/secrets/my token'));
  t.false(isMountPoint(list, '/run/secrets'));
  t.false(isMountPoint(list, '/home/a/token'));
  t.false(isMountPoint(list, ''));
});

test('a FIFO is refused, and nobody waited for who writes to it', (t) => {
  const { folder } = fileIn(t);
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', ['-m', '600', fifo]);
  t.throws(() => readTrustedFile(fifo), { instanceOf: UntrustedFileError, message: /is a FIFO/ });
});

test('a file without end is refused, and not read for ever', (t) => {
  t.throws(() => readTrustedFile('/dev/zero'), {
    instanceOf: RangeError,
    message: 'it has more than 16777216 bytes',
  });
});
