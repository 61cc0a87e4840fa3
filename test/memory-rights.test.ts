import { readFileSync } from 'node:fs';
import test from 'ava';
import { evaluateAll, openJIT } from './jit-fixture.js';
import { descriptorTargets, type Mapping, parseMaps, writableAndExecutable } from './proc.js';

const MAPS = `
7f0000000000-7f0006000000 r-xs 00000000 00:01 10   /memfd:farjit-sealed (deleted)
7f0006000000-7f0008000000 r--s 06000000 00:01 10   /memfd:farjit-sealed (deleted)
7f0008000000-7f0010000000 rw-s 00000000 00:01 11   /memfd:farjit-shared (deleted)
`;

test('the check notices a mapping that is writable and executable', (t) => {
  const good = parseMaps(MAPS);
  t.is(good.length, 3);
  t.deepEqual(writableAndExecutable(good), []);
  const bad = parseMaps(`${MAPS}7f0010000000-7f0010001000 rwxp 00000000 00:00 0\n`);
  t.is(writableAndExecutable(bad).length, 1);
});

/** Mappings of session memory: both memfds are named for the project. */
function sessionMappings(processId: number): Mapping[] {
  return parseMaps(readFileSync(`/proc/${processId}/maps`, 'utf8')).filter(({ path }) =>
    path.startsWith('/memfd:farjit'),
  );
}

test('nothing is writable and executable in the runner, nor in the JIT memory of host and compiler', async (t) => {
  const { jit } = await openJIT(t);
  await evaluateAll(jit, 'extern sin(x); def f(x) sin(x) + 1; f(0);');
  const maps = await jit.runnerMaps();
  const runner = parseMaps(maps);
  t.deepEqual(writableAndExecutable(runner), []);

  const { code, constant, data } = jit.runner.memory;
  const rightsAt = (address: bigint) =>
    runner.find(({ start, end }) => address >= start && address < end)?.rights;
  t.is(rightsAt(code.address), 'r-xs');
  t.is(rightsAt(constant.address), 'r--s');
  t.is(rightsAt(data.address), 'rw-s');
  const executable = runner.filter(({ rights, path }) => rights.includes('x') && path.startsWith('/memfd:'));
  // The code part: the compiler's, and behind it stubs and trampolines.
  t.deepEqual(
    executable.map(({ start }) => start),
    [code.address],
  );
  const { stubs, trampolines } = jit.runner.stubs;
  for (const { start, end } of executable)
    for (const address of [stubs, trampolines]) t.true(address > start && address < end);

  const host = jit.localExecutorProcessId ?? 0;
  const hostMappings = sessionMappings(host);
  t.true(hostMappings.length > 0);
  for (const { rights } of hostMappings) t.is(rights, 'rw-s');
  t.deepEqual(sessionMappings(process.pid), []);
});

test('the runner holds no descriptor of its memory', async (t) => {
  const { jit } = await openJIT(t);
  await evaluateAll(jit, '1;');
  if (process.getuid?.() !== 0) {
    t.log('skipped: only root may look into the descriptors of an undumpable process');
    return t.pass();
  }
  const targets = descriptorTargets(jit.runner.processId);
  t.true(targets.length > 0);
  t.deepEqual(
    targets.filter((target) => target.includes('memfd')),
    [],
  );
});
