import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { farjit } from '#compiler/test/cli/run-farjit.js';

const EXAMPLES = new URL('../../../examples/', import.meta.url);
const NODE_OPTIONS = `--import ${new URL('telemetry.mjs', EXAMPLES)}`;
const PROGRAM = fileURLToPath(new URL('laziness.ks', EXAMPLES));

interface Line {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent?: string;
  readonly ms: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

function linesOf(text: string): Line[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('the example of telemetry has both processes say their spans, in one trace', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-telemetry-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'spans.jsonl');
  const { end, stdout, stderr } = await farjit(t, ['run', '--no-cache', PROGRAM], {
    env: { NODE_OPTIONS, SPANS_FILE: file },
  });
  t.is(end, 0, stderr);
  t.regex(stdout, /Evaluated to/);
  const spans = linesOf(readFileSync(file, 'utf8'));
  const asked = spans.find(({ name }) => name === 'farjit.executor.reenter');
  const answered = spans.find(({ name, parent }) => name === 'farjit.reenter' && parent === asked?.spanId);
  t.truthy(answered, 'the compiler answers what the executor asks');
  t.is(answered?.traceId, asked?.traceId);
  t.true((answered?.ms ?? 0) > 0 && (answered?.ms ?? 0) <= (asked?.ms ?? 0));
  t.true(spans.some(({ name, traceId }) => name === 'farjit.call' && traceId === asked?.traceId));
});

test('without a file, spans are lines on standard error', async (t) => {
  const { end, stderr } = await farjit(t, ['run', '--no-cache', PROGRAM], { env: { NODE_OPTIONS } });
  t.is(end, 0, stderr);
  t.true(linesOf(stderr).some(({ name }) => name === 'farjit.call'));
});
