import test from 'ava';
import { X86_64 } from '../../src/abi/x86-64.js';

const { encodeStubs, encodeTrampolines } = X86_64;

test('stub i jumps through pointer i', (t) => {
  const code = encodeStubs(0x1000n, 0x3000n, 2);
  // From the end of each jump, 6 bytes in, to 0x3000 and to 0x3008.
  t.is(code.toString('hex'), `ff25fa1f0000cccc${'ff25fa1f0000cccc'}`);
});

test('trampolines call through one pointer', (t) => {
  const code = encodeTrampolines(0x1000n, 0x3000n, 2);
  t.is(code.toString('hex'), 'ff15fa1f0000ccccff15f21f0000cccc');
});

test('displacements reach exactly as far as 32 bits', (t) => {
  const at = 0x1_0000_0000n;
  const next = at + 6n;
  const farthest = encodeStubs(at, next + 0x7fff_ffffn, 1);
  t.is(farthest.readInt32LE(2), 0x7fff_ffff);
  t.throws(() => encodeStubs(at, next + 0x8000_0000n, 1), { instanceOf: RangeError, message: /0x180000006/ });
  const nearest = encodeTrampolines(at, next - 0x8000_0000n, 1);
  t.is(nearest.readInt32LE(2), -0x8000_0000);
  t.throws(() => encodeTrampolines(at, next - 0x8000_0001n, 1), { instanceOf: RangeError });
});
