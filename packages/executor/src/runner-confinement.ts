import type { RunnerStarted } from '@farjit/protocol';
import type { HostResources } from './host-resources.js';
import { limitsInForce } from './limits.js';
import { Confinement } from './native/shared-layout.js';
import type { RunnerConfinement } from './runner-start.js';

/** What the compiler is told of a runner's confinement: what the runner says is in force, and what it was asked to be. */
export function describeConfinement(
  { bits, landlockAbi, missing }: RunnerConfinement,
  { sandbox, limits }: Pick<HostResources, 'sandbox' | 'limits'>,
): RunnerStarted['confinement'] {
  const has = (feature: keyof typeof Confinement) => (bits & Confinement[feature]) !== 0;
  return {
    sandbox,
    noNewPrivileges: has('noNewPrivs'),
    seccomp: has('seccomp'),
    ownUser: has('ownUser'),
    root: process.getuid?.() === 0 && !has('ownUser'),
    dumpable: !has('undumpable'),
    landlockAbi: has('landlock') ? landlockAbi : 0,
    userNamespace: has('userNamespace'),
    networkNamespace: has('networkNamespace'),
    mountNamespace: has('mountNamespace'),
    ipcNamespace: has('ipcNamespace'),
    sealedMemory: has('sealedMemory'),
    limits: limitsInForce(limits),
    missing,
  };
}
