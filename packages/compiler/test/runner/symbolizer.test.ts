import { toExecutorAddr } from '@farjit/protocol/executor-addr';
import test from 'ava';
import { Symbolizer } from '../../src/runner/symbolizer.js';

function symbolizer(): Symbolizer {
  const names = new Symbolizer();
  names.add('f', toExecutorAddr(0x1000), 0x20);
  names.add('g', toExecutorAddr(0x1020), 0x10);
  return names;
}

test('an address is named by the function around it', (t) => {
  const names = symbolizer();
  t.deepEqual(names.symbolize(0x1000n), { address: 0x1000n, symbol: 'f', offsetBytes: 0 });
  t.deepEqual(names.symbolize(0x101fn), { address: 0x101fn, symbol: 'f', offsetBytes: 0x1f });
  t.deepEqual(names.symbolize(0x1020n), { address: 0x1020n, symbol: 'g', offsetBytes: 0 });
});

test('outside of all functions there is no name', (t) => {
  const names = symbolizer();
  for (const address of [0n, 0xfffn, 0x1030n, 0xffff_ffff_ffff_ffffn])
    t.deepEqual(names.symbolize(address), { address, symbol: undefined, offsetBytes: 0 });
});

test('a return address belongs to the call before it', (t) => {
  const names = symbolizer();
  t.deepEqual(names.symbolizeReturnAddress(0x1020n), { address: 0x1020n, symbol: 'f', offsetBytes: 0x20 });
  t.deepEqual(names.symbolizeReturnAddress(0x1021n), { address: 0x1021n, symbol: 'g', offsetBytes: 1 });
  t.deepEqual(names.symbolizeReturnAddress(0x1000n), { address: 0x1000n, symbol: undefined, offsetBytes: 0 });
  // From a trap report, which may say anything.
  t.is(names.symbolizeReturnAddress(0n).symbol, undefined);
});

test('what was removed has no name; what comes in its place has', (t) => {
  const names = symbolizer();
  names.remove(toExecutorAddr(0x1000));
  t.is(names.symbolize(0x1008n).symbol, undefined);
  names.add('h', toExecutorAddr(0x1000), 8);
  t.is(names.symbolize(0x1007n).symbol, 'h');
  t.is(names.symbolize(0x1008n).symbol, undefined);
});
