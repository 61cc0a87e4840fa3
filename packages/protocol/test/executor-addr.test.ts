import test from 'ava';
import { addrAdd, addrOffset, formatAddr, toExecutorAddr } from '../src/executor-addr.js';

const LAST = 0xffff_ffff_ffff_ffffn;

test('an address has 64 bits and no sign', (t) => {
  for (const value of [0n, 1n, LAST]) t.is<bigint, bigint>(toExecutorAddr(value), value);
  t.is<bigint, bigint>(toExecutorAddr(5), 5n);
  for (const value of [-1n, LAST + 1n, -1, 2 ** 64])
    t.throws(() => toExecutorAddr(value), {
      instanceOf: RangeError,
      message: `${value} is not a 64-bit address`,
    });
});

test('what is added stays an address', (t) => {
  const start = toExecutorAddr(LAST - 8n);
  t.is<bigint, bigint>(addrAdd(start, 8), LAST);
  t.is<bigint, bigint>(addrAdd(start, -8n), LAST - 16n);
  t.throws(() => addrAdd(start, 9), { instanceOf: RangeError });
  t.throws(() => addrAdd(toExecutorAddr(3), -4), { instanceOf: RangeError });
  t.is(addrOffset(start, toExecutorAddr(LAST)), 8);
  t.is(addrOffset(toExecutorAddr(LAST), start), -8);
});

test('addresses are written as LLVM does', (t) => {
  t.is(formatAddr(0n), '0x0');
  t.is(formatAddr(0xdead_beefn), '0xdeadbeef');
  t.is(formatAddr(LAST), '0xffffffffffffffff');
});
