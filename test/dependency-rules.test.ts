import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { folder } from '#compiler/test/cache/folder.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONFIG = join(ROOT, '.dependency-cruiser.mjs');
const COMPILER = 'packages/compiler/src';
/** Ends the names of rules that hold the order of folders: before it is the folder that a rule is about. */
const ORDER = '-imports-no-folder-above';

/** A file, and what it imports: another file, or what a package or a relative path names. */
interface Import {
  readonly from: string;
  readonly to: string;
}

const { default: config } = (await import(CONFIG)) as {
  default: { forbidden: readonly { readonly name: string }[] };
};
const RULES = config.forbidden.map(({ name }) => name);
const isOfOrder = (rule: string) => rule.endsWith(ORDER);
const ORDERED = RULES.filter(isOfOrder).map((rule) => rule.slice(0, -ORDER.length));

/** What breaks a rule that is not about the order of folders, and no other. */
const CASES: Readonly<Record<string, readonly Import[]>> = {
  'no-circle-of-files': [
    { from: 'packages/executor/src/circle-a.ts', to: 'packages/executor/src/circle-b.ts' },
    { from: 'packages/executor/src/circle-b.ts', to: 'packages/executor/src/circle-c.ts' },
    { from: 'packages/executor/src/circle-c.ts', to: 'packages/executor/src/circle-a.ts' },
  ],
  'core-knows-no-front-end': [
    { from: `${COMPILER}/layers/knows-front-end.ts`, to: `${COMPILER}/frontends/another/front-end.ts` },
    { from: `${COMPILER}/calls/knows-new-folder.ts`, to: `${COMPILER}/new-folder/file.ts` },
    { from: `${COMPILER}/core/knows-all.ts`, to: `${COMPILER}/index.ts` },
  ],
  'jit-and-pool-know-no-language': [
    { from: `${COMPILER}/jit/knows-front-end.ts`, to: `${COMPILER}/frontends/another/front-end.ts` },
    { from: `${COMPILER}/pool/knows-front-end.ts`, to: `${COMPILER}/frontends/another/front-end.ts` },
  ],
  'jitlink-links-and-nothing-else': [
    { from: `${COMPILER}/jitlink/elf/knows-files.ts`, to: `${COMPILER}/files/file.ts` },
  ],
  'command-line-on-top': [{ from: `${COMPILER}/index.ts`, to: `${COMPILER}/cli/file.ts` }],
  'compiler-and-executor-meet-in-the-protocol': [
    { from: `${COMPILER}/runner/knows-executor.ts`, to: 'packages/executor/src/file.ts' },
    { from: `${COMPILER}/runner/knows-executor-package.ts`, to: '@farjit/executor' },
  ],
  'executor-and-compiler-meet-in-the-protocol': [
    { from: 'packages/executor/src/knows-compiler.ts', to: `${COMPILER}/jit/file.ts` },
    { from: 'packages/executor/src/knows-compiler-package.ts', to: '@farjit/compiler' },
  ],
  'protocol-below-both': [
    { from: 'packages/protocol/src/knows-compiler.ts', to: `${COMPILER}/jit/file.ts` },
    { from: 'packages/protocol/src/knows-executor-package.ts', to: '@farjit/executor' },
  ],
  'nothing-unresolved': [{ from: `${COMPILER}/jit/knows-nobody.ts`, to: './nowhere.js' }],
};

/** From each folder to the one above it. The command line stands on all. */
const UPWARD = ORDERED.map((name, index): [string, readonly Import[]] => {
  const above = ORDERED[index + 1] ?? 'cli';
  return [
    `${name}${ORDER}`,
    [{ from: `${COMPILER}/${name}/knows-above.ts`, to: `${COMPILER}/${above}/file.ts` }],
  ];
});

/** What no rule forbids. */
const ALLOWED: readonly Import[] = [
  // To each folder from the one above it; the linker alone needs none.
  ...ORDERED.map((name, index) => ({
    from: `${COMPILER}/${ORDERED[index + 1] ?? 'cli'}/knows-below.ts`,
    to: `${COMPILER}/${name}/file.ts`,
  })).filter(({ from }) => !from.includes('/jitlink/')),
  { from: `${COMPILER}/cli/knows-front-end.ts`, to: `${COMPILER}/frontends/another/front-end.ts` },
  { from: `${COMPILER}/frontends/another/front-end.ts`, to: `${COMPILER}/pool/file.ts` },
  { from: `${COMPILER}/jitlink/knows-protocol.ts`, to: 'packages/protocol/src/file.ts' },
  { from: `${COMPILER}/jitlink/knows-node.ts`, to: 'node:assert' },
  { from: 'packages/executor/src/knows-protocol.ts', to: '@farjit/protocol' },
];

/** Writes files that import each other, types alone, as these say. */
function writeTree(directory: string, imports: readonly Import[]): void {
  const lines = new Map<string, string[]>();
  const linesOf = (file: string) => {
    const known = lines.get(file) ?? ['export type Nothing = undefined;'];
    lines.set(file, known);
    return known;
  };
  for (const { from, to } of imports) {
    const isFile = to.startsWith('packages/');
    if (isFile) linesOf(to);
    const path = relative(dirname(from), to).replace(/\.ts$/, '.js');
    const specifier = isFile ? `${path.startsWith('.') ? '' : './'}${path}` : to;
    linesOf(from).push(`export type { Nothing as Another } from '${specifier}';`);
  }
  for (const [file, content] of lines) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), content.join('\n'));
  }
}

/** What dependency-cruiser says of a file. */
interface CruisedFile {
  readonly source: string;
  readonly dependencies: readonly {
    readonly rules?: readonly { readonly name: string; readonly severity: string }[];
  }[];
}

/** The rules that each file of a tree breaks, as `npm run lint` finds them. */
async function brokenRules(directory: string): Promise<(file: string) => string[]> {
  const tool = join(ROOT, 'node_modules/.bin/depcruise');
  const args = ['--config', CONFIG, '--output-type', 'json', 'packages'];
  const { stdout } = await promisify(execFile)(tool, args, { cwd: directory, maxBuffer: 2 ** 26 });
  const { modules } = JSON.parse(stdout) as { modules: readonly CruisedFile[] };
  return (file) => {
    const { dependencies = [] } = modules.find(({ source }) => source === file) ?? {};
    const rules = dependencies.flatMap((dependency) => dependency.rules ?? []);
    // Whatever is less is shown, and lint succeeds.
    return [...new Set(rules.filter(({ severity }) => severity === 'error').map(({ name }) => name))];
  };
}

test('each rule of what may import what is broken by what it forbids, and by nothing else', async (t) => {
  const cases = [...Object.entries(CASES), ...UPWARD];
  t.deepEqual(
    cases.map(([rule]) => rule).sort(),
    [...RULES].sort(),
    'every rule has a case, and no case is left over',
  );
  const directory = folder(t);
  writeTree(directory, [...cases.flatMap(([, imports]) => imports), ...ALLOWED]);
  const rulesOf = await brokenRules(directory);
  for (const [rule, imports] of cases)
    for (const { from, to } of imports) {
      // What leads above may be forbidden for another reason too.
      const found = rulesOf(from).filter((name) => isOfOrder(name) || !isOfOrder(rule));
      t.deepEqual(found, [rule], `${from} → ${to}`);
    }
  for (const { from, to } of ALLOWED) t.deepEqual(rulesOf(from), [], `${from} → ${to}`);
});
