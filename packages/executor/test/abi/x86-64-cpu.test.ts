import test from 'ava';
import { cpuFeaturesOf } from '../../src/abi/x86-64-cpu.js';

test("LLVM's names for the kernel's flags", (t) => {
  const cpuinfo =
    'processor\t: 0\nflags\t\t: fpu pni abm bmi1 bmi2 avx avx2 fma avx512f avx512vl nonsense\nbugs\t:\n';
  t.deepEqual(cpuFeaturesOf(cpuinfo).split(',').sort(), [
    '+avx',
    '+avx2',
    '+avx512f',
    '+avx512vl',
    '+bmi',
    '+bmi2',
    '+fma',
    '+lzcnt',
    '+sse3',
  ]);
});

test('a flag that only starts like another is another', (t) => {
  t.is(cpuFeaturesOf('flags : avx512_vnni\n'), '+avx512vnni');
});

test('no flags mean the baseline', (t) => {
  t.is(cpuFeaturesOf('processor : 0\n'), '');
});
