import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EntryOptions, JIT, type JITOptions, type ProgramFiles } from '@farjit/compiler';
import { Server } from '@farjit/executor';
import test, { type ExecutionContext } from 'ava';
import { DEFAULT_RUNNER_PATH } from '#executor/src/runner-process.js';
import { eventually } from './jit-fixture.js';

const MIB = 1024 ** 2;

/** A program in C, and what it prints. */
async function openProgram(t: ExecutionContext, source: string, options: JITOptions = {}) {
  let printed = '';
  const jit = await JIT.create({
    ...options,
    onOutput: (_, content) => {
      printed += Buffer.from(content).toString('latin1');
    },
  });
  t.teardown(() => jit.close());
  await jit.addC(`
    #define _GNU_SOURCE
    #include <dirent.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <locale.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/stat.h>
    #include <time.h>
    #include <unistd.h>
    ${source}`);
  const run = async (runOptions: EntryOptions) => {
    printed = '';
    const result = await jit.runProgram(runOptions);
    return { ...result, printed };
  };
  return { jit, run };
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'farjit-files-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

/** Prints what its arguments lead to. */
const CAT = `
  int main(int count, char **arguments) {
    static char bytes[4096];
    for (int i = 1; i < count; i++) {
      FILE *file = fopen(arguments[i], "r");
      if (!file) { printf("%s: %s\\n", arguments[i], strerrorname_np(errno)); continue; }
      for (size_t size; (size = fread(bytes, 1, sizeof bytes, file)) > 0;) fwrite(bytes, 1, size, stdout);
      fclose(file);
      puts("");
    }
    return 0;
  }`;

test('a program finds the files that it is given, whatever they are given as', async (t) => {
  const { run } = await openProgram(t, CAT);
  const host = folder(t);
  writeFileSync(join(host, 'file'), 'of the host');
  mkdirSync(join(host, 'deep/er'), { recursive: true });
  writeFileSync(join(host, 'deep/er/file'), 'deeper');
  symlinkSync('deep/er/file', join(host, 'link'));
  async function* pieces() {
    yield 'in ';
    yield Buffer.from('pieces');
  }
  const files: ProgramFiles = {
    '/text': 'a text, \u00e9',
    '/bytes': Uint8Array.of(98, 121, 116, 101, 115),
    '/blob': new Blob(['a ', 'blob']),
    '/stream': new Blob(['a stream']).stream(),
    '/pieces': pieces(),
    '/empty': '',
    '/host': { file: join(host, 'file') },
    '/folder': { directory: host },
    '/a//b/./c': 'canonical',
  };
  const argv = [
    'cat',
    '/text',
    '/bytes',
    '/blob',
    '/stream',
    '/pieces',
    '/empty',
    '/host',
    '/folder/link',
    '/a/b/c',
  ];
  const { printed, exitCode } = await run({ argv, files });
  t.is(exitCode, 0);
  t.deepEqual(Buffer.from(printed, 'latin1').toString().split('\n'), [
    ...[
      'a text, \u00e9',
      'bytes',
      'a blob',
      'a stream',
      'in pieces',
      '',
      'of the host',
      'deeper',
      'canonical',
      '',
    ],
  ]);
});

test('it begins where it is told, and has a /tmp of its own', async (t) => {
  const { run } = await openProgram(
    t,
    `int main(void) {
      char path[100];
      printf("%s %d\\n", getcwd(path, sizeof path), access("input", R_OK));
      FILE *made = fopen("/tmp/x", "w"), *nameless = tmpfile();
      printf("%d %d\\n", made != NULL, nameless != NULL);
      return 0;
    }`,
  );
  t.is((await run({ files: {} })).printed, '/ -1\n1 1\n');
  t.is((await run({ files: { '/work/input': 'x' }, workingDirectory: '/work' })).printed, '/work 0\n1 1\n');
  await t.throwsAsync(run({ files: {}, workingDirectory: '/none' }), {
    code: 'FILES_REFUSED',
    message: /no folder/,
  });
});

test('what a program leaves in writable folders comes back by pattern, and never through a link', async (t) => {
  const host = folder(t);
  writeFileSync(join(host, 'kept'), 'was there');
  writeFileSync(join(host, 'changed'), 'before');
  const { run } = await openProgram(
    t,
    `static void put(const char *path, const char *text) {
      FILE *file = fopen(path, "w");
      if (!file) { printf("%s: %s\\n", path, strerrorname_np(errno)); return; }
      fputs(text, file);
      fclose(file);
    }
    int main(void) {
      put("/rw/changed", "after");
      put("/tmp/a.txt", "a");
      put("/tmp/a.bin", "b");
      mkdir("/tmp/deep", 0700);
      put("/tmp/deep/b.txt", "deep");
      put("/tmp/line\\nfeed.txt", "odd");
      put("/tmp/caf\\xe9.txt", "not UTF-8");
      put("/tmp/own.txt", "not for others");
      chmod("/tmp/own.txt", 0);
      symlink("/etc/passwd", "/tmp/host.txt");
      symlink("../rw/kept", "/tmp/link.txt");
      symlink("deep", "/tmp/folder");
      rename("/tmp/deep", "/tmp/moved");
      link("/tmp/a.txt", "/tmp/second.txt");
      return 0;
    }`,
  );
  const files: ProgramFiles = new Map([['/rw', { directory: host, writable: true }]]);
  const { files: left, uncollected, printed } = await run({ files, collect: ['/rw/**', '/tmp/**.txt'] });
  t.is(printed, '');
  const texts = [...(left ?? [])].map(([path, content]) => [path, Buffer.from(content).toString()]);
  const isRoot = process.getuid?.() === 0;
  t.deepEqual(texts.sort(), [
    ['/rw/changed', 'after'],
    ['/rw/kept', 'was there'],
    ['/tmp/a.txt', 'a'],
    ['/tmp/line\nfeed.txt', 'odd'],
    ['/tmp/moved/b.txt', 'deep'],
    ...(isRoot ? [['/tmp/own.txt', 'not for others']] : []),
    ['/tmp/second.txt', 'a'],
  ]);
  t.deepEqual(uncollected?.map(({ path }) => path).sort(), [
    '/tmp/caf\ufffd.txt',
    '/tmp/host.txt',
    '/tmp/link.txt',
    ...(isRoot ? [] : ['/tmp/own.txt']),
  ]);
  // The host's are as they were.
  t.is(execFileSync('cat', ['kept', 'changed'], { cwd: host }).toString(), 'was therebefore');
  t.is((await run({ files })).files, undefined);
});

test('nothing of one run is there in the next', async (t) => {
  const { jit, run } = await openProgram(
    t,
    `static int runs;
    int main(void) {
      printf("%d %d", ++runs, access("/tmp/left", F_OK));
      for (int i = 0; i < 64; i++) if (fcntl(i, F_GETFD) >= 0) printf(" %d", i);
      open("/tmp/left", O_CREAT | O_RDWR, 0600);
      return 0;
    }`,
  );
  const { printed } = await run({ files: { '/a': 'b' } });
  t.regex(printed, /^1 -1 0 1 2 3$/);
  t.is((await run({ files: { '/a': 'b' } })).printed, printed);
  // The next runner is one without files.
  t.deepEqual(jit.runner.confinement.limits.find(({ name }) => name === 'file-size')?.value, 256 * MIB);
  const { exitCode } = await run({});
  t.is(exitCode, 0);
  t.is(jit.runner.confinement.limits.find(({ name }) => name === 'file-size')?.value, 0);
});

test('one build is run on many inputs, each with files of its own', async (t) => {
  const { jit } = await openProgram(t, CAT);
  const program = await jit.program();
  for (const name of ['a', 'b']) {
    const { files } = await program.run({
      argv: ['cat', '/input'],
      files: { '/input': name, '/out': { writable: true } },
      collect: ['/**'],
    });
    t.is(files?.size, 0);
  }
  t.is((await program.run({ argv: ['cat', '/input'] })).exitCode, 0);
});

test('odd names, links and rights of a folder of the host', async (t) => {
  const host = folder(t);
  writeFileSync(join(host, 'line\nfeed'), '1');
  writeFileSync(Buffer.concat([Buffer.from(`${host}/caf`), Buffer.of(0xe9)]), '2');
  writeFileSync(join(host, 'script'), '3', { mode: 0o755 });
  const { run } = await openProgram(
    t,
    `int main(void) {
      struct stat status;
      for (int i = 0; i < 3; i++) {
        static const char *paths[] = {"/d/line\\nfeed", "/d/caf\\xe9", "/d/script"};
        printf("%d %o\\n", stat(paths[i], &status), status.st_mode);
      }
      return 0;
    }`,
  );
  const { printed } = await run({ files: { '/d': { directory: host } } });
  t.is(printed, '0 100444\n0 100444\n0 100555\n');
  execFileSync('mkfifo', [join(host, 'fifo')]);
  await t.throwsAsync(run({ files: { '/d': { directory: host } } }), {
    code: 'FILES_REFUSED',
    message: '/d/fifo cannot be given: it is no file, no folder and no symbolic link',
  });
});

for (const [path, message] of [
  ['a', /give an absolute one/],
  ['/a/../b', /give an absolute one/],
  ['/', /is the root/],
  ['/.farjit/x', /is the runner.s own|runner's own/],
  [`/${'n'.repeat(256)}`, /is no absolute path/],
  [`/${'d/'.repeat(70)}x`, /more than 64 folders/],
  ['/file/below', /goes through \/file, which is no folder/],
] as const)
  test(`${path.slice(0, 20)} is refused by name`, async (t) => {
    const { jit, run } = await openProgram(t, CAT);
    await t.throwsAsync(run({ files: { '/file': 'x', [path]: 'y' } }), { code: 'FILES_REFUSED', message });
    // A session goes on.
    t.is((await jit.runProgram()).exitCode, 0);
  });

test('what is written is bounded by file-space, file-count and file-size', async (t) => {
  const { run } = await openProgram(
    t,
    `int main(int count, char **arguments) {
      static char bytes[1 << 20];
      int file = open("/tmp/large", O_CREAT | O_RDWR, 0600), made = 0;
      for (int i = 0; i < atoi(arguments[1]); i++) {
        if (write(file, bytes, sizeof bytes) < 0) { printf("after %d: %s\\n", i, strerrorname_np(errno)); break; }
      }
      printf("sparse: %d\\n", ftruncate(file, 1 << 20));
      for (char path[32]; made < 1000; made++) {
        sprintf(path, "/tmp/%d", made);
        int descriptor = open(path, O_CREAT | O_WRONLY, 0600);
        if (descriptor < 0) { printf("made %d: %s\\n", made, strerrorname_np(errno)); break; }
        close(descriptor);
      }
      return 0;
    }`,
    { local: { limits: { 'file-space': 4 * MIB, 'file-count': 100, 'file-size': 8 * MIB } } },
  );
  const { printed } = await run({ argv: ['write', '6'], files: {} });
  t.regex(printed, /^after 4: ENOSPC\nsparse: 0\nmade 9\d: ENOSPC\n$/);
  await t.throwsAsync(run({ files: { '/tmp/x': new Uint8Array(5 * MIB) } }), {
    code: 'FILES_REFUSED',
    message: /more than the limit file-space=4M/,
  });
  // What is given to be read is not written.
  t.is((await run({ argv: ['write', '0'], files: { '/x': new Uint8Array(5 * MIB) } })).exitCode, 0);
});

test('a file that grows beyond file-size ends the runner, which says so', async (t) => {
  const { run } = await openProgram(
    t,
    `int main(void) {
      int file = open("/tmp/large", O_CREAT | O_RDWR, 0600);
      ftruncate(file, 3 << 20);
      return 0;
    }`,
    { local: { limits: { 'file-size': 2 * MIB } } },
  );
  const error = await t.throwsAsync(run({ files: {} }), { code: 'RUNNER_LOST' });
  t.regex(error.message, /its limit file-size=2M/);
});

test('a program that opens more files than it may have is told EMFILE, and the limit is named', async (t) => {
  const { jit, run } = await openProgram(
    t,
    `int main(void) {
      int count = 0;
      while (fopen("/a", "r")) count++;
      printf("%d %s", count, strerrorname_np(errno));
      return 0;
    }`,
    { local: { limits: { descriptors: 10 } } },
  );
  const reached: unknown[] = [];
  jit.subscribe((event) => {
    if (event.type === 'limit-reached') reached.push(event.limit);
  });
  t.is((await run({ files: { '/a': 'x' } })).printed, '6 EMFILE');
  t.deepEqual(reached, [{ name: 'descriptors', value: 10 }]);
});

test('files count as memory, also when they are unlinked', async (t) => {
  const { jit, run } = await openProgram(
    t,
    `int main(void) {
      static char bytes[1 << 20];
      int file = open("/tmp/large", O_CREAT | O_RDWR, 0600);
      unlink("/tmp/large");
      for (int i = 0; i < 70; i++) if (write(file, bytes, sizeof bytes) < 0) return 1;
      for (;;) pause();
    }`,
    { local: { limits: { memory: 64 * MIB, 'file-space': 96 * MIB } } },
  );
  const error = await t.throwsAsync(run({ files: {} }), { code: 'RUNNER_LOST' });
  t.regex(error.message, /its limit memory=64M/);
  t.is(
    await jit.runProgram({ entry: 'main', files: {}, deadlineMs: 1 }).catch(({ code }) => code),
    'DEADLINE_EXCEEDED',
  );
});

test('calls in the session, another program and files do not go together', async (t) => {
  const { jit, run } = await openProgram(
    t,
    `int wait_long(void) { for (;;) usleep(1000); } int main(void) { return 0; }`,
  );
  const wait = await jit.lookup('wait_long', 'i32()');
  const ending = new AbortController();
  const waiting = t.throwsAsync(wait.call([], { signal: ending.signal }));
  await eventually(async () => (await jit.executorStatus()).callsInFlight > 0, 'a call runs');
  await t.throwsAsync(run({ files: {} }), { code: 'FILES_REFUSED', message: /calls run in this session/ });
  ending.abort();
  await waiting;
  t.is((await run({ files: {} })).exitCode, 0);
});

test('locale, time zone and environment are what is said', async (t) => {
  const { run } = await openProgram(
    t,
    `int main(void) {
      time_t noon = 43200;
      extern char **environ;
      tzset();
      printf("%s %s", setlocale(LC_ALL, ""), asctime(localtime(&noon)));
      for (char **one = environ; *one; one++) puts(*one);
      return 0;
    }`,
  );
  t.is((await run({ files: {} })).printed, 'C Thu Jan  1 12:00:00 1970\n');
  t.is((await run({ env: { TZ: 'UTC-5' } })).printed, 'C Thu Jan  1 17:00:00 1970\nTZ=UTC-5\n');
  const zone = { '/usr/share/zoneinfo/Here': { file: '/usr/share/zoneinfo/Asia/Tokyo' } };
  const { printed } = await run({ env: { TZ: 'Here' }, files: zone });
  t.is(printed, 'C Thu Jan  1 21:00:00 1970\nTZ=Here\n');
});

test('no given object is taken for something else', async (t) => {
  const { jit } = await openProgram(t, CAT);
  for (const files of [[], 'text', { '/a': 5 }, { '/a': {} }, { '/a': { file: 'x', directory: 'y' } }, null])
    await t.throwsAsync(async () => jit.runProgram({ files: files as unknown as ProgramFiles }), {
      code: 'BAD_ARGUMENT',
    });
});

test('a stream that gives nothing holds a program up no longer than its deadline, or its signal', async (t) => {
  const { jit, run } = await openProgram(t, 'int main(void) { return 0; }');
  for (const [options, code] of [
    [{ deadlineMs: 200 }, 'DEADLINE_EXCEEDED'],
    [{ signal: AbortSignal.timeout(200) }, 'CANCELLED'],
  ] as const) {
    let isCancelled = false;
    const stream = new ReadableStream<Uint8Array>({
      cancel: () => {
        isCancelled = true;
      },
    });
    async function* silent() {
      yield 'begun';
      await new Promise(() => {});
    }
    await t.throwsAsync(run({ files: { '/a': silent() }, ...options }), { code });
    const again = 'signal' in options ? { signal: AbortSignal.timeout(200) } : options;
    await t.throwsAsync(run({ files: { '/a': stream }, ...again }), { code });
    await eventually(() => isCancelled, 'the stream is cancelled');
  }
  t.is((await jit.runProgram()).exitCode, 0);
});

test('holes and second names bring back no more than can be given, and the program has ended all the same', async (t) => {
  const { run } = await openProgram(
    t,
    `int main(void) {
      int file = open("/tmp/0", O_CREAT | O_RDWR, 0600);
      ftruncate(file, 100 << 20);
      for (int i = 1; i < 40; i++) {
        char path[16];
        sprintf(path, "/tmp/%d", i);
        link("/tmp/0", path);
      }
      return 7;
    }`,
  );
  const { exitCode, files, uncollected } = await run({ files: {}, collect: ['/tmp/*'] });
  t.is(exitCode, 7);
  t.is(files?.size, 2);
  t.is(uncollected?.length, 38);
  t.true(uncollected?.every(({ reason }) => reason === 'with it there would be more than 256 MiB'));
});

test('collecting ends with a signal', async (t) => {
  const { jit, run } = await openProgram(
    t,
    `int main(void) {
      for (int i = 0; i < 4000; i++) {
        char path[16];
        sprintf(path, "/tmp/%d", i);
        close(open(path, O_CREAT | O_RDWR, 0600));
      }
      puts("done");
      return 0;
    }`,
  );
  const ending = new AbortController();
  jit.subscribe(({ type }) => {
    if (type === 'runner-lost') ending.abort();
  });
  await t.throwsAsync(run({ files: {}, collect: ['/tmp/*'], signal: ending.signal }), { code: 'CANCELLED' });
  t.is((await run({ files: {}, collect: ['/tmp/1'] })).files?.size, 1);
});

test('standard input is no device of the host: its rights and times cannot be changed by it', async (t) => {
  const { run } = await openProgram(
    t,
    `int main(void) {
      struct stat status;
      fstat(0, &status);
      char byte;
      printf("%d %d", S_ISFIFO(status.st_mode), (int)read(0, &byte, 1));
      return 0;
    }`,
  );
  t.is((await run({ files: {} })).printed, '1 0');
  t.is((await run({ files: {}, stdin: 'x' })).printed, '1 1');
});

test('the devices that programs expect are there, and do what they do everywhere', async (t) => {
  const { run } = await openProgram(
    t,
    `int main(int count, char **arguments) {
      char bytes[64] = "x", random[2][16];
      FILE *null = fopen("/dev/null", "w+"), *full = fopen("/dev/full", "w");
      printf("%d %d ", null && fprintf(null, "gone") == 4 && !fclose(null), fgetc(fopen("/dev/null", "r")) == EOF);
      int zero = open("/dev/zero", O_RDONLY), urandom = open("/dev/urandom", O_RDONLY);
      printf("%d %d ", (int)read(zero, bytes, 64), bytes[0]);
      printf("%d ", read(urandom, random[0], 16) == 16 && read(urandom, random[1], 16) == 16 && memcmp(random[0], random[1], 16));
      fputs("more", full);
      printf("%s ", fclose(full) ? strerrorname_np(errno) : "taken");
      DIR *folder = opendir("/dev");
      int entries = 0;
      while (folder && readdir(folder)) entries++;
      printf("%d", entries);
      return 0;
    }`,
  );
  t.is((await run({ files: {} })).printed, '1 1 64 0 1 ENOSPC 7');
  const { run: cat } = await openProgram(t, CAT);
  const argv = ['cat', '/dev/null', '/dev/zero'];
  t.is((await cat({ argv, files: { '/dev/null': 'given' } })).printed, 'given\n/dev/zero: ENOENT\n');
  t.is(
    (await cat({ argv, files: { '/dev': { writable: true } } })).printed,
    '/dev/null: ENOENT\n/dev/zero: ENOENT\n',
  );
});

test('a runner with files that does not start says so, and no files are refused for it', async (t) => {
  const host = folder(t);
  const runnerPath = join(host, 'runner');
  copyFileSync(DEFAULT_RUNNER_PATH, runnerPath);
  const server = new Server({ runnerPath });
  t.teardown(() => server.close());
  const url = await server.listen(`ws+unix:${join(host, 'socket')}`);
  const { run } = await openProgram(t, 'int main(void) { return 3; }', { executor: { url } });
  t.is((await run({ files: {} })).exitCode, 3);
  renameSync(runnerPath, `${runnerPath}.away`);
  await t.throwsAsync(run({ files: {} }), { code: 'RUNNER_START_FAILED', message: /there is no runner at/ });
  renameSync(`${runnerPath}.away`, runnerPath);
  t.is((await run({ files: {} })).exitCode, 3);
});
