/** How much confinement is asked for: all there is, what the kernel has but never without seccomp, or none. */
export const SANDBOX_LEVELS = ['strict', 'default', 'off'] as const;
export type SandboxLevel = (typeof SANDBOX_LEVELS)[number];

/** What a runner says of itself that a level may ask for: `Confinement` has it. */
interface InForce {
  readonly noNewPrivileges: boolean;
  readonly seccomp: boolean;
  readonly dumpable: boolean;
  readonly root: boolean;
  /** 0 when there is none. */
  readonly landlockAbi: number;
  readonly userNamespace: boolean;
  readonly networkNamespace: boolean;
  readonly mountNamespace: boolean;
  readonly ipcNamespace: boolean;
}

/** What is not in force of what `required` asks for, in words; empty when it is all there. */
export function sandboxShortfall(confinement: InForce, required: SandboxLevel): string[] {
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
