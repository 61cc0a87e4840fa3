import type { Confinement } from './messages/session.js';

/** How much confinement is asked for: all there is, what the kernel has but never without seccomp, or none. */
export const SANDBOX_LEVELS = ['strict', 'default', 'off'] as const;
export type SandboxLevel = (typeof SANDBOX_LEVELS)[number];

/** What is not in force of what `required` asks for, in words; empty when it is all there. */
export function sandboxShortfall(confinement: Confinement, required: SandboxLevel): string[] {
  if (required === 'off') return [];
  const basic: [string, boolean][] = [
    ['no_new_privs', confinement.noNewPrivileges],
    ['seccomp', confinement.seccomp],
    ['being undumpable', !confinement.dumpable],
    ['a user other than root', !confinement.root],
  ];
  const kernels: [string, boolean][] = [
    ['landlock', confinement.landlockAbi > 0],
    ['user namespace', confinement.userNamespace],
    ['network namespace', confinement.networkNamespace],
    ['mount namespace', confinement.mountNamespace],
    ['ipc namespace', confinement.ipcNamespace],
  ];
  const asked = required === 'strict' ? [...basic, ...kernels] : basic.slice(0, 3);
  return asked.filter(([, isInForce]) => !isInForce).map(([feature]) => feature);
}
