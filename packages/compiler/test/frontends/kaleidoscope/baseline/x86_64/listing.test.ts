import test from 'ava';
import { BaselineCompiler } from '../../../../../src/frontends/kaleidoscope/baseline/baseline-compiler.js';
import { functionsOf } from '../../parse.js';
import { TUTORIAL_PROGRAMS } from '../../tutorial-programs.js';
import { assembledBy, LLVM_MCS } from '../llvm-mc.js';

const REQUEST = {
  target: { triple: 'x86_64-pc-linux-gnu', cpuName: 'x86-64', cpuFeatures: '' },
  symbol: 'f$impl',
  entry: undefined,
  counting: { counter: 'f$count', threshold: 'farjit$threshold', function: 'farjit$count' },
};

for (const llvmMC of LLVM_MCS)
  test(`a listing is the code, as ${llvmMC} reads it`, (t) => {
    const compiler = new BaselineCompiler();
    let count = 0;
    for (const fn of TUTORIAL_PROGRAMS.flatMap(({ text }) => functionsOf(text))) {
      const content = compiler.compile(fn, REQUEST)?.findDefinition('f$impl')?.block?.content;
      const listing = compiler.list(fn, REQUEST) ?? '';
      // Assemblers make jumps to labels shorter.
      if (/\.L/.test(listing)) continue;
      t.deepEqual(assembledBy(llvmMC, listing).content, new Uint8Array(content ?? []), listing);
      count++;
    }
    t.true(count > 20);
  });

if (LLVM_MCS.length === 0)
  test.skip('a listing is the code, as llvm-mc reads it: there is none here', (t) => t.pass());

test('labels are where jumps lead, and references are named', (t) => {
  const [fn] = functionsOf('def f(x) if x < 1 then g(x) else 2;');
  const listing = (fn && new BaselineCompiler().list(fn, REQUEST)) ?? '';
  t.regex(listing, /^f\$impl:\n\tpushq %rbp\n\tmovq %rsp, %rbp\n/);
  t.regex(listing, /\tmovl f\$count\(%rip\), %eax\n/);
  t.regex(
    listing,
    /\tjae (\.L\d)\n[\s\S]*\tcallq g@PLT\n\tjmp (\.L\d)\n\1:\n[\s\S]*\n\2:\n\tleave\n\tretq\n$/,
  );
});
