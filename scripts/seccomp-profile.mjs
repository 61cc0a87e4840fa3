// node scripts/seccomp-profile.mjs [--check]: writes deploy/seccomp/executor.json, the seccomp profile of the executor's
// container, from what the runner's own filter allows (built before) and scripts/lib/host-system-calls.mjs; with --check
// only says whether it is up to date.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { HOST_SYSTEM_CALLS, RUNNER_CONDITIONS } from './lib/host-system-calls.mjs';
import { BIN, ROOT } from './lib/paths.mjs';
import { runScript, ScriptError, say } from './lib/report.mjs';

const RUNNER = `${ROOT}packages/executor/dist/runner/farjit-runner`;
const TARGET = 'deploy/seccomp/executor.json';
const ENOSYS = 38;

await runScript(() => {
  const text = format(profile(runnerSystemCalls()));
  if (!process.argv.includes('--check')) {
    writeFileSync(`${ROOT}${TARGET}`, text);
    return say(`wrote ${TARGET}`);
  }
  if (!existsSync(`${ROOT}${TARGET}`) || readFileSync(`${ROOT}${TARGET}`, 'utf8') !== text)
    throw new ScriptError(`${TARGET} is not what the runner and its host need`, [
      'Run: npm run build && node scripts/seccomp-profile.mjs',
    ]);
});

function runnerSystemCalls() {
  if (!existsSync(RUNNER)) throw new ScriptError('the runner is not built', ['Run: npm run build']);
  return JSON.parse(execFileSync(RUNNER, ['--system-calls'], { encoding: 'utf8' }));
}

function profile(listed) {
  // What it answers with another error than the rest fails here as the rest does, and its own filter still says so.
  const runnerCalls = listed.filter(({ error }) => error === '');
  const unconditional = runnerCalls.filter(({ condition }) => condition === '').map(({ name }) => name);
  const rules = [
    allow('the runner: what its own filter allows', unconditional),
    ...runnerCalls.filter(({ condition }) => condition !== '').flatMap(conditionalRule),
    ...HOST_SYSTEM_CALLS.flatMap(({ reason, names, alternatives = [undefined] }) =>
      alternatives.map((args) => allow(reason, names, args)),
    ),
    {
      names: ['clone3'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: ENOSYS,
      comment: 'it hides its flags behind a pointer: libraries fall back to clone',
    },
  ];
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    architectures: ['SCMP_ARCH_X86_64'],
    syscalls: rules,
  };
}

/** The host needs some of what the runner has under conditions of its own; those are in its list. */
function conditionalRule({ name, condition, reason }) {
  const args = RUNNER_CONDITIONS[condition];
  if (args) return [allow(`the runner: ${reason}`, [name], args)];
  if (HOST_SYSTEM_CALLS.some(({ names }) => names.includes(name))) return [];
  throw new ScriptError(`the runner is allowed ${name} ${condition}, of which this script knows nothing`, [
    'Add the condition to scripts/lib/host-system-calls.mjs.',
  ]);
}

function allow(comment, names, args) {
  const sorted = [...new Set(names)].sort();
  return { names: sorted, action: 'SCMP_ACT_ALLOW', ...(args ? { args } : {}), comment };
}

/** As the checks want it. */
function format(value) {
  const args = ['format', `--stdin-file-path=${TARGET}`];
  const input = JSON.stringify(value, undefined, 2);
  return execFileSync(`${BIN}biome`, args, { cwd: ROOT, input, encoding: 'utf8' });
}
