import test from 'ava';
import { AddressLimits, MAX_ADDRESSES, networkOf } from '../src/address-limits.js';

test('each address has its own limit, for a second', (t) => {
  let nowMs = 0;
  const limits = new AddressLimits(2, () => nowMs);
  t.false(limits.isExhausted('10.0.0.1'));
  limits.take('10.0.0.1');
  t.false(limits.isExhausted('10.0.0.1'));
  limits.take('10.0.0.1');
  t.true(limits.isExhausted('10.0.0.1'));
  t.true(limits.isExhausted('::ffff:10.0.0.1'));
  t.false(limits.isExhausted('10.0.0.2'));
  nowMs = 999;
  t.true(limits.isExhausted('10.0.0.1'));
  nowMs = 1000;
  t.false(limits.isExhausted('10.0.0.1'));
});

test('so many addresses are remembered and no more; the one that was quiet longest is forgotten', (t) => {
  const limits = new AddressLimits(1, () => 0);
  for (let i = 0; i < MAX_ADDRESSES; i++) limits.take(`10.0.${i >> 8}.${i & 255}`);
  limits.take('10.0.0.0');
  limits.take('11.0.0.0');
  t.is(limits.size, MAX_ADDRESSES);
  t.true(limits.isExhausted('10.0.0.0'));
  t.false(limits.isExhausted('10.0.0.1'));
  t.true(limits.isExhausted('10.0.0.2'));
  t.true(limits.isExhausted('11.0.0.0'));
});

for (const [address, network] of [
  ['127.0.0.1', '127.0.0.1'],
  ['::ffff:127.0.0.1', '127.0.0.1'],
  ['::FFFF:127.0.0.1', '127.0.0.1'],
  // As a version 2 header of the PROXY protocol has it.
  ['0:0:0:0:0:ffff:c000:201', '192.0.2.1'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['::192.0.2.1', '0:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['::ffff:0:192.0.2.1', '0:0:0:0::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:0:ffff:ffff:ffff:ffff', '2001:db8:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
] as const)
  test(`'${address}' counts as ${network}`, (t) => {
    t.is(networkOf(address), network);
  });
