import test from 'ava';
import { parseOptions } from '../options.js';

const IDS = ['chains', 'memory'];

test('the short run has fewer turns, unless it is told how many', (t) => {
  t.true(parseOptions(['--smoke'], IDS).runs < parseOptions([], IDS).runs);
  t.is(parseOptions(['--smoke', '--runs', '7'], IDS).runs, 7);
});

test('benchmarks are chosen by id, and a wrong one is told the right ones', (t) => {
  t.is(parseOptions([], IDS).only, undefined);
  t.deepEqual(parseOptions(['--only', 'memory'], IDS).only, ['memory']);
  t.throws(() => parseOptions(['--only', 'memory,speed'], IDS), {
    message: /no speed; there are chains, memory/,
  });
});

test('peers have a name and a path, with whatever is in it', (t) => {
  const { peers } = parseOptions(['--peer=lli-22=/opt/a=b/lli', '--peer=clang-22=clang-22'], IDS);
  t.deepEqual(
    [...peers],
    [
      ['lli-22', '/opt/a=b/lli'],
      ['clang-22', 'clang-22'],
    ],
  );
});

test('turns are a whole number from 1 on', (t) => {
  for (const runs of ['0', '-1', '1.5', 'many'])
    t.throws(() => parseOptions([`--runs=${runs}`], IDS), { message: /--runs/ });
});
