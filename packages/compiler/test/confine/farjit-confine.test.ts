import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { ATTEMPT, buildConfinementTests, FARJIT_CONFINE, outcomes } from './native.js';

/** Programs and their libraries. */
const PROGRAMS = ['/usr', '/lib', '/lib64', '/bin'].filter(existsSync).flatMap((path) => ['--ro', path]);
const AS = '/usr/bin/as';
const CC = '/usr/bin/cc';
const SOURCE = '.globl answer\nanswer: mov $42, %eax\n ret\n';

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

test.before('the helpers are built', buildConfinementTests);

function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(FARJIT_CONFINE, args, { env: {}, cwd: '/' }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr }),
    );
  });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A folder to read, with files, and one to write. */
function folders(
  t: ExecutionContext,
  files: Record<string, string> = {},
): { source: string; target: string } {
  const root = mkdtempSync(join(tmpdir(), 'farjit-confine-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const [source, target] = [join(root, 'source'), join(root, 'target')];
  for (const path of [source, target]) mkdirSync(path);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(source, name), text);
  return { source, target };
}

test('an assembler reads what it is given, writes where it may, and nothing else', async (t) => {
  const { source, target } = folders(t, { 'a.s': SOURCE, secret: 'x', 'b.s': '.incbin "/etc/passwd"\n' });
  const object = join(target, 'a.o');
  const may = [...PROGRAMS, '--ro', source, '--rw', target];
  t.like(await run(...may, '--', AS, join(source, 'a.s'), '-o', object), { code: 0, stderr: '' });
  t.is(readFileSync(object).toString('latin1', 1, 4), 'ELF');
  // What the text names is opened as little as what the command line does.
  const included = await run(...may, '--', AS, join(source, 'b.s'), '-o', join(target, 'b.o'));
  t.is(included.code, 1);
  t.regex(included.stderr, /\/etc\/passwd/);
  t.false(existsSync(join(target, 'b.o')));
  const elsewhere = await run(...may, '--', AS, join(source, 'a.s'), '-o', join(source, 'a.o'));
  t.is(elsewhere.code, 1);
  t.false(existsSync(join(source, 'a.o')));
});

test('a compiler driver starts its parts when it may start others', async (t) => {
  const { source, target } = folders(t, { 'a.c': 'int answer(void) { return 42; }\n' });
  const object = join(target, 'a.o');
  const may = [...PROGRAMS, '--ro', source, '--rw', target, '--namespaces', '--limit', 'processes=16'];
  const compile = ['/usr/bin/env', `TMPDIR=${target}`, CC, '-c', join(source, 'a.c'), '-o', object];
  t.like(await run(...may, '--', ...compile), { code: 0, stderr: '' });
  t.is(readFileSync(object).toString('latin1', 1, 4), 'ELF');
});

test('by default a program starts no others', async (t) => {
  const { code, stdout, stderr } = await run(
    ...PROGRAMS,
    '--',
    '/bin/sh',
    '-c',
    '/bin/true; echo not reached',
  );
  t.is(stdout, '');
  t.not(code, 0);
  t.regex(stderr, /fork/);
});

test('a program that starts no others has as many threads as without', async (t) => {
  const processes = (limits: string) => /^Max processes.*$/m.exec(limits)?.[0];
  const confined = await run(...PROGRAMS, '--ro', '/proc', '--', '/bin/cat', '/proc/self/limits');
  t.like(confined, { code: 0, stderr: '' });
  // The kernel would count all of this user's threads, but not where that is root.
  t.is(processes(confined.stdout), processes(readFileSync('/proc/self/limits', 'utf8')));
});

test('a file that was not given cannot be read, one that was can', async (t) => {
  const { source } = folders(t, { given: 'to be read', other: 'secret' });
  const may = [...PROGRAMS, '--ro', join(source, 'given')];
  t.like(await run(...may, '--', '/bin/cat', join(source, 'given')), { code: 0, stdout: 'to be read' });
  const { code, stdout, stderr } = await run(...may, '--', '/bin/cat', join(source, 'other'), '/etc/passwd');
  t.deepEqual([code, stdout], [1, '']);
  t.regex(stderr, /other: Permission denied\n.*passwd: Permission denied/);
});

test('what may be written may be made, changed, moved and removed, and not run; what may be read is run, and stays', async (t) => {
  const { source, target } = folders(t, { file: 'to be read' });
  for (const name of ['from', 'to', 'empty']) {
    mkdirSync(join(source, name));
    mkdirSync(join(target, name));
  }
  for (const folder of [source, target]) {
    writeFileSync(join(folder, 'program'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    writeFileSync(join(folder, 'long'), 'a long text');
    writeFileSync(join(folder, 'from/file'), '');
  }
  const moved = statSync(join(target, 'from/file'));
  const given = join(source, '../given');
  writeFileSync(given, 'a long text');
  // In the folder that $0 is.
  const attempts: [what: string, script: string, whereRead: boolean, whereWritten: boolean][] = [
    ['read', 'cat $0/long', true, true],
    ['list', 'ls $0/from', true, true],
    ['run', '$0/program', true, false],
    ['append', 'echo x >> $0/long', false, true],
    ['truncate', ': > $0/long', false, true],
    ['make a file', 'echo x > $0/new', false, true],
    ['make a folder', 'mkdir $0/made', false, true],
    ['make a symbolic link', 'ln -s nowhere $0/link', false, false],
    ['make a link', 'ln $0/long $0/link', false, false],
    ['make a pipe', 'mkfifo $0/pipe', false, false],
    ['move to another folder', 'mv $0/from/file $0/to/file', false, true],
    ['remove a file', 'rm $0/program', false, true],
    ['remove a folder', 'rmdir $0/empty', false, true],
  ];
  const may = [...PROGRAMS, '--ro', source, '--rw', target, '--rw', given, '--limit', 'processes=64'];
  for (const [folder, mayWrite] of [
    [source, false],
    [target, true],
  ] as const)
    for (const [what, script, whereRead, whereWritten] of attempts) {
      const { code, stderr } = await run(...may, '--', '/bin/sh', '-c', script, folder);
      t.is(
        code === 0,
        mayWrite ? whereWritten : whereRead,
        `${what} in ${mayWrite ? 'what may be written' : 'what may be read'}: ${stderr}`,
      );
    }
  // It was moved, not copied.
  t.is(statSync(join(target, 'to/file')).ino, moved.ino);
  // A file alone, too.
  t.like(await run(...may, '--', '/bin/sh', '-c', `cat ${given} && echo short > ${given}`), {
    code: 0,
    stdout: 'a long text',
  });
  t.is(readFileSync(given, 'utf8'), 'short\n');
  t.not((await run(...may, '--', '/bin/sh', '-c', `rm -f ${given}`)).code, 0);
  t.is(readFileSync(join(source, 'long'), 'utf8'), 'a long text');
});

test('what a tool must not do is refused, and what it needs is not', async (t) => {
  const { stdout } = await run(...PROGRAMS, '--ro', ATTEMPT, '--', ATTEMPT);
  const otherwise: Record<string, string> = {
    // Landlock's answer.
    'open a file': 'EACCES',
    'open a folder': 'EACCES',
    'open its maps': 'EACCES',
    'make a file': 'EACCES',
    // Nothing is there, which may be known.
    'remove a file': 'ENOENT',
    'make a folder': 'EEXIST',
    dup: 'done',
    'fcntl F_DUPFD': 'done',
    clone3: 'ENOSYS',
    // Of a folder.
    execve: 'EACCES',
    // A library's code, but none that can be written.
    'mmap PROT_EXEC': 'done',
    'mmap MAP_SHARED': 'done',
    // A copy of standard output by now, made by `dup`.
    'read descriptor 3': 'done',
    'write descriptor 3': 'done',
  };
  for (const [name, outcome] of outcomes(stdout))
    t.deepEqual([name, outcome], [name, otherwise[name] ?? 'EPERM']);
});

test('a system call of another architecture ends a tool', async (t) => {
  for (const how of ['int80', 'x32'])
    t.is((await run(...PROGRAMS, '--ro', ATTEMPT, '--', ATTEMPT, how)).code, 'SIGSYS', how);
});

test('a limit that is lower already stays', async (t) => {
  const may = [...PROGRAMS, '--ro', '/proc', '--limit', 'address-space=2G', '--limit', 'descriptors=100'];
  const command = [FARJIT_CONFINE, ...may, '--', '/bin/cat', '/proc/self/limits'];
  const stdout = execFileSync(
    '/bin/sh',
    ['-c', 'ulimit -v 1000000; ulimit -S -n 50; "$@"', 'sh', ...command],
    {
      encoding: 'utf8',
    },
  );
  t.regex(stdout, /^Max address space +1024000000 +1024000000 /m);
  t.regex(stdout, /^Max open files +50 +100 /m);
});

test('a tool that may start others gets processes and pipes, and no more', async (t) => {
  const may = [...PROGRAMS, '--ro', ATTEMPT, '--limit', 'processes=64'];
  const [one, many] = [
    await run(...PROGRAMS, '--ro', ATTEMPT, '--', ATTEMPT),
    await run(...may, '--', ATTEMPT),
  ];
  const before = outcomes(one.stdout);
  const changed = [...outcomes(many.stdout)].filter(([name, outcome]) => before.get(name) !== outcome);
  t.deepEqual(Object.fromEntries(changed), {
    pipe: 'done',
    fork: 'done',
    vfork: 'done',
    clone: 'done',
  });
});

test('limits, rights and namespaces are in force in the program that is started', async (t) => {
  const limits = ['data=64M', 'cpu=7', 'file-size=1K', 'descriptors=9', 'address-space=2G', 'processes=5'];
  const { stdout } = await run(
    ...PROGRAMS,
    '--ro',
    '/proc',
    '--namespaces',
    ...limits.flatMap((limit) => ['--limit', limit]),
    '--',
    '/bin/cat',
    '/proc/self/status',
    '/proc/self/limits',
  );
  for (const line of [
    /^NoNewPrivs:\t1$/m,
    /^Seccomp:\t2$/m,
    /^CapPrm:\t0+$/m,
    /^CapEff:\t0+$/m,
    /^Max core file size +0 +0 /m,
    /^Max data size +67108864 +67108864 /m,
    /^Max cpu time +7 +7 /m,
    /^Max file size +1024 +1024 /m,
    /^Max open files +9 +9 /m,
    /^Max address space +2147483648 +2147483648 /m,
    /^Max processes +5 +5 /m,
  ])
    t.regex(stdout, line);
  const { stdout: said } = await run('--report', '--namespaces');
  t.like(JSON.parse(said), {
    noNewPrivs: true,
    seccomp: true,
    undumpable: true,
    capabilitiesDropped: true,
    namespaces: true,
    missing: '',
  });
});

test('its own network namespace has no interface but a loopback', async (t) => {
  const { stdout } = await run(
    ...PROGRAMS,
    '--ro',
    '/proc',
    '--namespaces',
    '--',
    '/bin/cat',
    '/proc/self/net/dev',
  );
  const interfaces = [...stdout.matchAll(/^ *(\S+):/gm)].map(([, name]) => name);
  t.deepEqual(interfaces, ['lo']);
});

test('a program ends with whoever started it, in namespaces of its own too', async (t) => {
  for (const options of [[], ['--namespaces']]) {
    const script = `"$@" & echo $!; wait`;
    const command = [FARJIT_CONFINE, ...PROGRAMS, ...options, '--', '/bin/sleep', '1000'];
    const parent = spawn('/bin/sh', ['-c', script, 'sh', ...command], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const processId = Number(line);
    // A zombie has no memory; nobody may be there to reap it.
    const isSleeping = () => readIfThere(`/proc/${processId}/cmdline`).startsWith('/bin/sleep');
    while (!isSleeping()) await delay(10);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    for (let tries = 0; isSleeping() && tries < 500; tries++) await delay(10);
    t.false(isSleeping(), options.join(' '));
  }
});

test('descriptors that were handed down by accident are closed', async (t) => {
  const command = [FARJIT_CONFINE, ...PROGRAMS, '--ro', '/proc', '--', '/bin/ls', '/proc/self/fd'];
  const child = spawn('/bin/sh', ['-c', '"$@" 7</etc/passwd', 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (piece: Buffer) => {
    said += piece;
  });
  await once(child, 'close');
  // The last one is the folder itself.
  t.deepEqual(said.trim().split('\n'), ['0', '1', '2', '3']);
});

test('what cannot be done is said, and nothing is started', async (t) => {
  for (const [args, words] of [
    [['--ro', '/nowhere', '--', '/bin/true'], /cannot confine a program here: \/nowhere \(No such file/],
    [['--limit', 'data=much', '--', '/bin/true'], /no value of a limit: data=much|no value of a limit: much/],
    [['--limit', 'colour=3', '--', '/bin/true'], /no such limit: colour=3/],
    [['--limit', 'cpu=-1', '--', '/bin/true'], /no value of a limit: -1/],
    ...[
      'data=17179869184G',
      'data=18014398509481984K',
      'cpu=18446744073709551616',
      'data=',
      'data=K',
      'data=1k',
      'data=1KK',
    ].map((limit): [string[], RegExp] => [['--limit', limit, '--report'], /no value of a limit/]),
    [[...Array(64).fill('--rw=/dev/null'), '--report'], /too many paths/],
    [[...Array(65).fill('--ro=/dev/null'), '--report'], /too many paths/],
    [['--no-such'], /usage:/],
    [[], /there is no program to start/],
  ] as const) {
    const { code, stderr } = await run(...args);
    t.is(code, 125, args.join(' '));
    t.regex(stderr, words);
  }
  for (const limit of ['data=17179869183G', 'data=18014398509481983K', 'cpu=18446744073709551615'])
    t.is((await run('--limit', limit, '--report')).code, 0, limit);
  t.is(
    (await run(...Array(64).fill('--ro=/dev/null'), ...Array(63).fill('--rw=/dev/null'), '--report')).code,
    0,
  );
  t.is((await run(...PROGRAMS, '--', '/bin/no-such')).code, 127);
  t.is((await run(...PROGRAMS, '--', '/usr')).code, 126);
  // The program is not among what it may execute.
  t.is((await run('--', '/bin/true')).code, 126);
});
