import { existsSync } from 'node:fs';
import { type Finding, runnerPath } from './doctor-checks.js';
import { tryCommand } from './doctor-probing.js';

/** As `farjit-runner --confinement` prints it: what is in force, and what is missing and why. */
interface RunnerConfinement {
  readonly landlock: number;
  readonly missing: string;
  readonly features: readonly string[];
}

/** What to do about each thing that can be missing. */
const FIXES: readonly (readonly [RegExp, string])[] = [
  [/landlock/, 'Landlock: use Linux 5.13 or later with landlock among the names in /sys/kernel/security/lsm'],
  [
    /namespace/,
    'namespaces: as root, sysctl kernel.unprivileged_userns_clone=1 on Debian, kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu; in a container, loosen its seccomp profile',
  ],
  [
    /own user/,
    'users: start the executor as an ordinary user, or as a root that has CAP_SETUID, CAP_SETGID and CAP_KILL',
  ],
  [/sealed memory/, 'sealed memory: use Linux 6.10 or later'],
  [/weight|dying/, 'weight and order of dying: let the executor have /proc, and runners be nicer than it'],
];

/** What of the kernel's the strict sandbox does not do without. */
const STRICT = ['landlock', 'user namespace', 'network namespace', 'mount namespace', 'ipc namespace'];

/** How runners are confined on this machine by whoever asks: one confines itself and says so. */
export async function checkConfinement(path = runnerPath()): Promise<Finding[]> {
  // That it is not there is said elsewhere.
  if (!existsSync(path)) return [];
  const tried = await tryCommand(path, ['--confinement']);
  if (!tried.works)
    return [
      {
        level: 'fail',
        what: `runners cannot be confined here, and none starts: ${tried.words}`,
        fix: 'in a container, loosen its seccomp profile: prctl, capset, seccomp, setrlimit and prlimit64 are needed',
      },
    ];
  const { landlock, missing, features } = JSON.parse(tried.words) as RunnerConfinement;
  const words = features.map((feature) => (feature === 'landlock' ? `Landlock ${landlock}` : feature));
  const inForce = `runners are confined by ${words.join(', ')}`;
  if (missing === '') return [{ level: 'ok', what: inForce }];
  // Only root misses a user of its own.
  const isStrict = STRICT.every((feature) => features.includes(feature)) && !/own user/.test(missing);
  const strict = isStrict ? 'also in the strict sandbox' : 'and the strict sandbox does not start';
  return [
    {
      level: 'warn',
      what: `${inForce}; they do without ${missing}, ${strict}`,
      fix: FIXES.filter(([what]) => what.test(missing))
        .map(([, fix]) => fix)
        .join('; '),
    },
  ];
}
