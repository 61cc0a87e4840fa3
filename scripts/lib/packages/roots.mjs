import { copyFileSync, cpSync, existsSync, mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT } from '../paths.mjs';
import { onPath, run } from '../processes.mjs';
import { say, step } from '../report.mjs';
import { makeProject, output } from './installation.mjs';
import { enter, ORDINARY_USER, underDocker } from './root-entry.mjs';

/** Debian's releases whose empty roots the packages are installed in. The first has the oldest glibc that they are built for. */
const SUITES = ['bullseye', 'bookworm', 'trixie'];
/** Empty roots stay here, since to make one takes minutes; what is installed goes into copies. */
const KEPT = join(ROOT, 'dist/roots');
const PROJECT = '/home/user/project';

/** Installs into empty roots of Debian, with Node and no compiler, and uses what is there in the ways that there are. */
export async function checkRoots(checks, registry, work) {
  if (process.getuid?.() !== 0 || !onPath('debootstrap'))
    return say('no empty roots: they take root, and debootstrap (on Debian: apt-get install debootstrap)');
  await run('make', ['--no-print-directory', '-C', 'packages/executor/runner', 'test-driver'], { cwd: ROOT });
  for (const suite of SUITES) {
    const root = join(work, suite);
    await step(`${suite}: an empty root`, () => makeRoot(suite, root));
    try {
      await checkRoot(checks, suite, root, registry);
    } finally {
      // Nothing is mounted in it: what was, was in namespaces that are gone.
      rmSync(root, { recursive: true, force: true });
    }
  }
}

async function checkRoot(checks, suite, root, registry) {
  const asUser = { user: ORDINARY_USER, cwd: PROJECT };
  await checks.attempt(`${suite}: npm install farjit, as a user`, async () => {
    const args = ['install', 'farjit', '--registry', registry, '--no-audit', '--no-fund'];
    await output(...enter(root, ['npm', ...args], asUser));
  });
  await checks.attempt(`${suite}: what the command says without libLLVM installs it`, async () => {
    const args = ['node_modules/.bin/farjit', 'run', 'program.ks'];
    const words = await output(...enter(root, args, asUser), { mayFail: true });
    const line = /sudo (apt-get install [^)]*)\)/.exec(words)?.[1];
    if (line === undefined) throw new Error(`it says nothing of the kind: ${words}`);
    await output(...enter(root, ['apt-get', 'update']));
    await output(...enter(root, [...line.split(' '), '-y']));
    return line;
  });
  await checks.attempt(`${suite}: what the command says without clang would install it`, async () => {
    const args = ['node_modules/.bin/farjit', 'run', 'program.c'];
    const words = await output(...enter(root, args, asUser), { mayFail: true });
    const line = /sudo (apt-get install [^)]*)\)/.exec(words)?.[1];
    if (line === undefined) throw new Error(`it says nothing of the kind: ${words}`);
    await output(...enter(root, [...line.split(' '), '--simulate']));
    return line;
  });
  const smoke = ['node', 'smoke.mjs'];
  const ways = {
    'as a user': enter(root, smoke, asUser),
    'with node_modules read-only': enter(root, smoke, { ...asUser, readOnly: join(PROJECT, 'node_modules') }),
    'as a user, with what Docker allows': enter(root, underDocker(smoke, ORDINARY_USER), asUser),
    'as root': enter(root, smoke, { cwd: '/root/project' }),
    'as root, with what Docker allows': enter(root, underDocker(smoke), { cwd: '/root/project' }),
  };
  cpSync(join(root, PROJECT), join(root, 'root/project'), { recursive: true, verbatimSymlinks: true });
  for (const [way, command] of Object.entries(ways)) {
    // It needs the glibc of the machine that builds it.
    if (suite === 'bullseye' && way.includes('Docker')) continue;
    checks.take(`${suite}, ${way}`, await output(...command, { mayFail: true }));
  }
}

/** An empty root, Node and npm as they are here, and a user with a project. */
async function makeRoot(suite, root) {
  const empty = join(KEPT, suite);
  if (!existsSync(join(empty, 'etc/debian_version'))) {
    const unfinished = `${empty}.new`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(KEPT, { recursive: true });
    await run('debootstrap', ['--variant=minbase', '--include=ca-certificates', suite, unfinished]);
    await run('mv', [unfinished, empty]);
  }
  await run('cp', ['-a', empty, root]);
  const local = join(root, 'usr/local');
  const node = realpathSync(process.execPath);
  copyFileSync(node, join(local, 'bin/node'));
  const npm = dirname(dirname(realpathSync(join(dirname(node), 'npm'))));
  cpSync(npm, join(local, 'lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'));
  copyFileSync(join(ROOT, 'packages/executor/dist/runner/without'), join(local, 'bin/without'));
  for (const file of ['/etc/resolv.conf', process.env.NODE_EXTRA_CA_CERTS].filter(Boolean)) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  await output(...enter(root, ['useradd', '--uid', String(ORDINARY_USER), '--create-home', 'user']));
  makeProject(join(root, PROJECT));
  await output(...enter(root, ['chown', '-R', 'user:user', '/home/user']));
}
