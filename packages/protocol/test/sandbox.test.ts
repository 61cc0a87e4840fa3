import test from 'ava';
import type { Confinement } from '../src/messages/session.js';
import { sandboxShortfall } from '../src/sandbox.js';

const ALL: Confinement = {
  sandbox: 'strict',
  noNewPrivileges: true,
  seccomp: true,
  ownUser: true,
  root: false,
  dumpable: false,
  landlockAbi: 1,
  userNamespace: true,
  networkNamespace: true,
  mountNamespace: true,
  ipcNamespace: true,
  sealedMemory: true,
  limits: [],
  missing: '',
};

test('each thing that is not in force is named, by what was asked for', (t) => {
  for (const [lacking, name, isBasic] of [
    [{ noNewPrivileges: false }, 'no_new_privs', true],
    [{ seccomp: false }, 'seccomp', true],
    [{ dumpable: true }, 'being undumpable', true],
    [{ root: true }, 'a user other than root', false],
    [{ landlockAbi: 0 }, 'landlock', false],
    [{ userNamespace: false }, 'user namespace', false],
    [{ networkNamespace: false }, 'network namespace', false],
    [{ mountNamespace: false }, 'mount namespace', false],
    [{ ipcNamespace: false }, 'ipc namespace', false],
    [{ sealedMemory: false }, undefined, false],
    [{ ownUser: false }, undefined, false],
    [{}, undefined, false],
  ] as const) {
    const confinement = { ...ALL, ...lacking };
    t.deepEqual(sandboxShortfall(confinement, 'strict'), name === undefined ? [] : [name]);
    t.deepEqual(sandboxShortfall(confinement, 'default'), name !== undefined && isBasic ? [name] : []);
    t.deepEqual(sandboxShortfall(confinement, 'off'), []);
  }
});
