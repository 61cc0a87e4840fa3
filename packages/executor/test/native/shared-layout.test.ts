import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COUNTER_BITS_BYTES, COUNTER_PAGE_BYTES } from '@farjit/protocol/counter-page';
import test from 'ava';
import * as layout from '../../src/native/shared-layout.js';
import { DEFAULT_RUNNER_PATH } from '../../src/runner-process.js';

const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
const RUNNER = join(ROOT, 'packages/executor/runner');
const HEADER = readFileSync(join(RUNNER, 'shared_layout.h'), 'utf8');
const CHECK = readFileSync(join(RUNNER, 'shared_layout.c'), 'utf8');

/** What the C compiler says of a layout. */
function compile(header: string): { status: number | null; words: string } {
  const folder = mkdtempSync(join(tmpdir(), 'farjit-layout-'));
  try {
    writeFileSync(join(folder, 'shared_layout.h'), header);
    writeFileSync(join(folder, 'shared_layout.c'), CHECK);
    const args = ['-std=c11', '-fsyntax-only', 'shared_layout.c'];
    const { status, stderr } = spawnSync(process.env.CC || 'cc', args, { cwd: folder, encoding: 'utf8' });
    return { status, words: stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('C and TypeScript say what the description of the shared layout says', (t) => {
  t.notThrows(() =>
    execFileSync(process.execPath, ['scripts/shared-layout.mjs', '--check'], { cwd: ROOT, stdio: 'pipe' }),
  );
});

test('the runner was built of the layout that the host has', (t) => {
  const version = execFileSync(DEFAULT_RUNNER_PATH, ['--version'], { encoding: 'utf8' });
  t.true(version.endsWith(`, layout ${layout.LAYOUT_VERSION.toString(16).padStart(8, '0')}\n`), version);
});

test('pages of counters are what the compiler lays out', (t) => {
  t.is<number, number>(layout.COUNTER_PAGE_BYTES, COUNTER_PAGE_BYTES);
  t.is<number, number>(layout.COUNTER_PAGE_BYTES - layout.HOT_BITS_OFFSET, COUNTER_BITS_BYTES);
});

const CHANGES: readonly [string, string, string, RegExp][] = [
  ['is longer', 'uint32_t landlock_abi;', 'uint64_t landlock_abi;', /farjit_confine\.missing is not where/],
  ['is missing', '\tuint32_t frame_count;', '', /farjit_end.* has no member named .frame_count/],
  [
    'is more',
    '\tuint32_t process_id;',
    '\tuint32_t process_id, more;',
    /farjit_control\.program_threads is not/,
  ],
  [
    'has another size',
    'FARJIT_NAME_BYTES = 65536',
    'FARJIT_NAME_BYTES = 65532',
    /farjit_control\.hot_pages is not/,
  ],
  ['is more at the end', '\tuint32_t value;', '\tuint32_t value, more;', /farjit_bell is not as long/],
];

test('the layout as it is compiles', (t) => {
  t.deepEqual(compile(HEADER), { status: 0, words: '' });
});

for (const [what, from, to, words] of CHANGES)
  test(`no runner is built where a field ${what}`, (t) => {
    t.true(HEADER.includes(from), from);
    const said = compile(HEADER.replace(from, to));
    t.not(said.status, 0);
    t.regex(said.words, words);
  });
