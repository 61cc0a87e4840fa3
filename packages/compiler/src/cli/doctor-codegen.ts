import { DEFAULT_CODEGEN_PROGRAM } from '../codegen/codegen-pool.js';
import type { Finding } from './doctor-checks.js';
import { tryCommand } from './doctor-probing.js';

/** As `farjit-codegen --confinement` prints it. `missing` names what the kernel has not got, and why. */
interface CodegenConfinement {
  readonly landlock: number;
  readonly missing: string;
}

/** What to do about each thing that can be missing. */
const FIXES: readonly (readonly [RegExp, string])[] = [
  [/landlock/, 'use Linux 5.13 or later with landlock among the names in /sys/kernel/security/lsm'],
  [/seccomp/, 'use a kernel built with CONFIG_SECCOMP_FILTER'],
];

/** How code generators are confined on this machine: one confines itself and says so. */
export async function checkCodegenConfinement(path = DEFAULT_CODEGEN_PROGRAM): Promise<Finding[]> {
  const tried = await tryCommand(path, ['--confinement']);
  if (!tried.works)
    return [
      {
        level: 'fail',
        what: `code generators cannot be confined here, and none starts: ${tried.words}`,
        fix: 'in a container, loosen its seccomp profile: prctl, capset, seccomp and prlimit64 are needed',
      },
    ];
  const { landlock, missing } = JSON.parse(tried.words) as CodegenConfinement;
  if (missing === '')
    return [
      { level: 'ok', what: `code generators are confined by seccomp and Landlock, version ${landlock}` },
    ];
  const fixes = FIXES.filter(([what]) => what.test(missing)).map(([, fix]) => fix);
  return [
    {
      level: 'warn',
      what: `code generators are confined as far as it goes, without ${missing}`,
      fix: fixes.join('; '),
    },
  ];
}
