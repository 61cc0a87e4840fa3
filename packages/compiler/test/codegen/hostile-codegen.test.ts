import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CodegenLostError } from '../../src/codegen/codegen-lost-error.js';
import { CodegenProcess } from '../../src/codegen/codegen-process.js';
import { assemble, bitcode, FIB } from '../llvm/assemble.js';
import { poolOf } from './pool-of.js';

const REQUEST = {
  product: 'object',
  codeGenOptLevel: 0,
  passes: '',
  input: {
    name: 'm',
    ir: { form: 'bitcode', bytes: new Uint8Array(4) },
    target: { triple: '', cpuName: '', cpuFeatures: '' },
    optLevel: 0,
  },
} as const;

/** A code generator that is ready, and answers a request with what `answer` makes: a text of JavaScript. */
async function start(t: ExecutionContext, answer: string): Promise<CodegenProcess> {
  const codegen = new CodegenProcess(programOf(t, answer), '');
  t.teardown(() => codegen.stop());
  await codegen.ready;
  return codegen;
}

/** Such a program's path. */
function programOf(t: ExecutionContext, answer: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-codegen-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'codegen');
  const text = `#!${process.execPath}
    const header = (length, id) => {
      const bytes = Buffer.alloc(36);
      bytes.writeUInt32LE(length, 0);
      bytes.writeUInt32LE(id, 4);
      return bytes;
    };
    process.stdout.write(header(32, 0));
    process.stdin.once('data', () => process.stdout.write(${answer}));
    setInterval(() => {}, 1000);
  `;
  writeFileSync(program, text, { mode: 0o700 });
  return program;
}

for (const [what, answer, words] of [
  [
    'answers of no length',
    'header(0, 1)',
    /^LLVM gave up on module m: an answer is shorter than its header, and /,
  ],
  [
    'answers with four gigabytes',
    'header(0xffffffff, 1)',
    /m: what it makes of it has 4294967263 bytes, more than /,
  ],
  [
    'has not kept what it was sent',
    '(() => { const unknown = header(32, 1); unknown.writeUInt32LE(7, 8); return unknown; })()',
    /m: it has not kept what it was sent, and its process was ended/,
  ],
] as const)
  test(`a code generator that ${what} is ended, and fails the module that it has`, async (t) => {
    const codegen = await start(t, answer);
    await t.throwsAsync(codegen.request(REQUEST, 30_000), { instanceOf: CodegenLostError, message: words });
    await codegen.ended;
    t.false(codegen.isIdle);
  });

test('of what a code generator says before it ends its last words are told, and no more than some thousand', async (t) => {
  const codegen = await start(
    t,
    `(process.stderr.write('first' + 'x'.repeat(8000) + 'last words', () => process.exit(3)), Buffer.alloc(0))`,
  );
  const error = await t.throwsAsync(codegen.request(REQUEST, 30_000), { instanceOf: CodegenLostError });
  t.regex(error.message, /^LLVM gave up on module m: exit code 3; x{4086}last words$/);
});

test('answers that nobody has asked for are left alone', async (t) => {
  const codegen = await start(
    t,
    'Buffer.concat([header(32, 7), header(32, 0), header(32, 1), header(32, 1)])',
  );
  t.is((await codegen.request(REQUEST, 30_000)).id, 1);
  t.true(codegen.isIdle);
});

test('bitcode that is none is not given to anybody', async (t) => {
  for (const [answer, words] of [
    ['header(32, 1)', /m: it answered with what is no bitcode: it doesn't start with/],
    [
      "Buffer.concat([header(48, 1), Buffer.from('4243c0de35140000ffffff7f00000000', 'hex')])",
      /m: it answered with what is no bitcode: it ends after 16 bytes, in a block that goes up to/,
    ],
  ] as const) {
    const pool = poolOf(t, { program: programOf(t, answer), libLLVM: () => '' });
    const input = { ...REQUEST.input, ir: bitcode(assemble(FIB)) };
    await t.throwsAsync(pool.writeBitcode(input), { instanceOf: CodegenLostError, message: words });
  }
});
