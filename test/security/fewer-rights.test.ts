import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DEFAULT_RUNNER_PATH } from '@farjit/executor';
import { sandboxShortfall } from '@farjit/protocol/sandbox';
import test from 'ava';
import { buildNative } from '#executor/test/build-native.js';
import type { ConfinedReport } from './confined-process.js';

const SCRIPT = fileURLToPath(new URL('confined-process.js', import.meta.url));
const WITHOUT = fileURLToPath(new URL('without', `file://${DEFAULT_RUNNER_PATH}`));
const isRoot = process.getuid?.() === 0;
const run = promisify(execFile);
test.before('the helpers are built', buildNative);

/** Without any rights in this and in the namespaces it makes. */
const NO_CAPABILITIES = ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];
/** As where `user.max_user_namespaces` is 0. */
const NO_USER_NAMESPACES = [
  ...['unshare', '--user', '--map-root-user', 'sh', '-c'],
  ...['echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', 'sh'],
];
const lacking = (...capabilities: string[]) => [
  'setpriv',
  `--bounding-set=${capabilities.map((capability) => `-${capability}`).join(',')}`,
];

/** A host with fewer rights: what it is started with, what it must name as missing, and whether it has to be root. */
const HOSTS: readonly [
  host: string,
  prefix: readonly string[],
  missing: readonly RegExp[],
  asRoot: boolean,
][] = [
  ['as it is', [], [], false],
  [
    'root without capabilities',
    NO_CAPABILITIES,
    [/own user \(root has no CAP_SETGID\)/, /a user in its namespace \(Operation not permitted\)/],
    true,
  ],
  ['root without CAP_SETUID', lacking('setuid'), [/own user \(root has no CAP_SETUID\)/], true],
  [
    'root without CAP_KILL',
    lacking('kill'),
    [/own user \(without CAP_KILL the host could not end it\)/],
    true,
  ],
  [
    'root with the capabilities that make users, and no others',
    ['setpriv', '--bounding-set=-all,+setuid,+setgid,+kill'],
    [],
    true,
  ],
  ['root without CAP_SYS_RESOURCE', lacking('sys_resource'), [], true],
  [
    'root that keeps no capabilities when it becomes another user',
    ['setpriv', '--securebits=+keep_caps_locked'],
    [],
    true,
  ],
  [
    'a machine without user namespaces',
    NO_USER_NAMESPACES,
    [/user namespace \(No space left on device\)/],
    true,
  ],
  [
    'root without capabilities on a machine without user namespaces',
    [...NO_USER_NAMESPACES, ...NO_CAPABILITIES],
    ['own user', 'user namespace', 'network namespace', 'ipc namespace', 'mount namespace'].map(
      (feature) => new RegExp(`${feature} \\(`),
    ),
    true,
  ],
  [
    'a kernel that refuses namespaces and knows neither Landlock nor seals',
    [WITHOUT, 'unshare:1,landlock_create_ruleset:38,462:38', '--'],
    [
      'user namespace',
      'network namespace',
      'ipc namespace',
      'mount namespace',
      'landlock',
      'sealed memory',
    ].map((feature) => new RegExp(`${feature} \\(`)),
    false,
  ],
];

for (const [host, prefix, missing, asRoot] of HOSTS)
  (asRoot && !isRoot ? test.serial.skip : test.serial)(
    `${host}: runs programs with what confinement there is, and says what is missing`,
    async (t) => {
      const [command = '', ...args] = [...prefix, process.execPath, SCRIPT];
      const { stdout } = await run(command, args, { cwd: '/' });
      const report = JSON.parse(stdout) as ConfinedReport;
      const { confinement } = report;
      t.log(confinement.missing || 'nothing is missing');
      t.deepEqual(report.answers, [41, 3]);
      for (const line of [/^NoNewPrivs:\t1$/m, /^Seccomp:\t2$/m, /^CapPrm:\t0+$/m, /^CapEff:\t0+$/m])
        t.regex(report.status, line);
      t.like(confinement, { noNewPrivileges: true, seccomp: true, dumpable: false });
      t.is(confinement.ownUser, isRoot && !/own user/.test(confinement.missing));
      t.is(/^Uid:\t0\t/m.test(report.status), confinement.root);
      // Its host can end it, whoever the runner is.
      t.regex(report.endless, /did not return within 300 ms/);
      t.false(report.isLeft);
      for (const feature of missing) t.regex(confinement.missing, feature);
      if (missing.length === 0 && host !== 'as it is') t.is(confinement.missing, '');
      const shortfall = sandboxShortfall(confinement, 'strict');
      t.is(report.strict === '', shortfall.length === 0, report.strict);
      if (shortfall.length > 0)
        for (const feature of missing) if (!/sealed/.test(feature.source)) t.regex(report.strict, feature);
    },
  );
