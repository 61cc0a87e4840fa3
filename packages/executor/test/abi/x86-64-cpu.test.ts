import test from 'ava';
import { chosenCpuFeatures, cpuFeaturesOf } from '../../src/abi/x86-64-cpu.js';

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

test('code can be generated for less than the machine has', (t) => {
  const available = '+sse3,+avx,+fma,+avx2';
  t.is(chosenCpuFeatures(undefined, available), available);
  t.is(chosenCpuFeatures('', available), '');
  t.is(chosenCpuFeatures('+avx2,+avx', available), '+avx,+avx2');
  t.throws(() => chosenCpuFeatures('+avx512f,+avx', available), {
    instanceOf: RangeError,
    message: 'the CPU features +avx512f are not there; this machine has +sse3,+avx,+fma,+avx2',
  });
});
