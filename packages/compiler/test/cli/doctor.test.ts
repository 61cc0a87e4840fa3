import { execFile } from 'node:child_process';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { formatFindings, runDoctor } from '../../src/cli/doctor.js';

const DOCTOR = fileURLToPath(new URL('../../src/cli/doctor.js', import.meta.url));

function doctorInProcess(env: Record<string, string>): Promise<{ code: unknown; stdout: string }> {
  const program = `const { runDoctor } = await import(${JSON.stringify(DOCTOR)});
    process.exitCode = await runDoctor(process.stdout);`;
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env } };
    execFile(process.execPath, ['--input-type=module', '-e', program], options, (error, stdout) =>
      resolve({ code: error?.code ?? 0, stdout }),
    );
  });
}

test('a machine that runs these tests is healthy, and each part is named', async (t) => {
  let text = '';
  const out = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  t.is(await runDoctor(out), 0, text);
  for (const part of [
    /^ok {4}Node v\d+/m,
    /^ok {4}Linux on x86-64/m,
    /^ok {4}libLLVM \d+\S* at \/.* is used/m,
    /^ok {4}llvm-bindings,.* loads/m,
    /^ok {4}ffi-rs,.* loads/m,
    /^ok {4}code generator \/.*farjit-codegen$/m,
    /^(ok {4}code generators are confined by seccomp and Landlock, version \d+|warn {2}code generators .+\n {6}fix: .+)$/m,
    /^ok {4}runner \/.*farjit-runner$/m,
    /^(ok {4}clang for C and C\+\+ at \/.*clang.*|warn {2}no clang .+\n {6}fix: .*apt-get install --no-install-recommends clang-\d+.*)$/m,
    /^ok {4}sealing a memfd with F_SEAL_FUTURE_WRITE$/m,
    /^ok {4}membarrier with SYNC_CORE$/m,
    /^ok {4}PR_SET_NO_NEW_PRIVS$/m,
    /^ok {4}seccomp filters$/m,
    /^(ok {4}runners are confined by no_new_privs, .+|warn {2}runners are confined by .+\n {6}fix: .+)$/m,
    /^All that is required is there\.$/m,
  ])
    t.regex(text, part);
  t.is(text, stripVTControlCharacters(text), 'no colours where there is no terminal');
});

test('a FARJIT_LIBLLVM that is no file fails with the fix, and the rest is still looked at', async (t) => {
  const { code, stdout } = await doctorInProcess({ FARJIT_LIBLLVM: '/nowhere/libLLVM-14.so' });
  t.is(code, 1);
  t.regex(
    stdout,
    /^fail {2}FARJIT_LIBLLVM is \/nowhere\/libLLVM-14\.so, which is not a file\. Without .*\n {6}fix: Set it to/m,
  );
  t.regex(stdout, /^ok {4}seccomp filters$/m);
  t.regex(stdout, /^1 required and not right\.$/m);
});

test('a FARJIT_LIBLLVM that is some other file fails in words', async (t) => {
  const { code, stdout } = await doctorInProcess({ FARJIT_LIBLLVM: DOCTOR });
  t.is(code, 1);
  t.regex(
    stdout,
    /^fail {2}\/.*doctor\.js \(named by FARJIT_LIBLLVM\) does not load, and nothing is compiled, and objects alone run: \S/m,
  );
});

test('colours mark the levels on a terminal', (t) => {
  const findings = [
    { level: 'ok', what: 'a' },
    { level: 'warn', what: 'b', fix: 'c' },
    { level: 'fail', what: 'd', fix: 'e' },
  ] as const;
  const plain = 'ok    a\nwarn  b\n      fix: c\nfail  d\n      fix: e\n\n1 required and not right.\n';
  t.is(formatFindings(findings, false), plain);
  const coloured = formatFindings(findings, true);
  t.not(coloured, plain);
  t.is(stripVTControlCharacters(coloured), plain);
});
