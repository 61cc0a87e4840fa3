import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { fencesOf } from './fences.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const DOCUMENTS = [
  '.',
  'docs',
  ...readdirSync(join(ROOT, 'packages')).map((name) => `packages/${name}`),
].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.md') && !name.startsWith('THIRD-PARTY'))
    .map((name) => join(folder, name)),
);

/** In these every block of code says where it comes from. */
const EXCERPTED = new Set([
  'README.md',
  'docs/architecture.md',
  'docs/compiling.md',
  'docs/linking.md',
  'docs/memory.md',
  'docs/laziness.md',
  'docs/programs.md',
  'docs/embedding.md',
  'docs/five-minutes.md',
]);
const CODE_LANGUAGES = new Set(['ts', 'js', 'c', 'asm']);

/** A line that stands for any number of omitted ones. */
const ELLIPSIS = '…';

/** Blocks of an excerpt between its ellipses. */
function chunksOf(excerpt: readonly string[]): string[][] {
  const chunks: string[][] = [[]];
  for (const line of excerpt)
    if (line.trim() === ELLIPSIS) chunks.push([]);
    else chunks.at(-1)?.push(line.trimEnd());
  return chunks.filter((chunk) => chunk.length > 0);
}

/** Whether `lines` holds the chunks one after the other, each line behind the same indentation. */
function holdsIndented(lines: readonly string[], chunks: readonly string[][], indentation: string): boolean {
  let from = 0;
  for (const chunk of chunks) {
    const wanted = chunk.map((line) => (line === '' ? '' : indentation + line));
    const start = lines.findIndex((_, at) => at >= from && wanted.every((line, i) => lines[at + i] === line));
    if (start < 0) return false;
    from = start + wanted.length;
  }
  return true;
}

/** Whether an excerpt still occurs in a source text. */
function isExcerptOf(excerpt: readonly string[], source: string): boolean {
  const lines = source.split('\n').map((line) => line.trimEnd());
  const chunks = chunksOf(excerpt);
  const [first] = chunks[0] ?? [];
  if (!first) return false;
  const indentations = lines
    .filter((line) => line.endsWith(first) && line.slice(0, -first.length).trim() === '')
    .map((line) => line.slice(0, -first.length));
  return [...new Set(indentations)].some((indentation) => holdsIndented(lines, chunks, indentation));
}

const SOURCE = `class Thing {
  /** What it does. */
  run(): void {
    start();

    stop();
  }
}
`;

test('an excerpt is found line for line, whatever its indentation, with lines left out where it says so', (t) => {
  t.true(isExcerptOf(['run(): void {', '  start();', '', '  stop();', '}'], SOURCE));
  t.true(isExcerptOf(['  run(): void {', '    start();'], SOURCE));
  t.true(isExcerptOf(['class Thing {', '  …', '    stop();'], SOURCE));
  t.false(isExcerptOf(['run(): void {', '  stop();', '}'], SOURCE), 'lines left out in silence');
  t.false(isExcerptOf(['run(): void {', 'start();'], SOURCE), 'another indentation');
  t.false(isExcerptOf(['    stop();', '…', '    start();'], SOURCE), 'another order');
  t.false(isExcerptOf(['run(): Promise<void> {'], SOURCE), 'another line');
  t.false(isExcerptOf([], SOURCE), 'nothing at all');
});

test('every excerpt in the documents occurs in the file it names', (t) => {
  for (const document of DOCUMENTS)
    for (const { mark, line, lines } of fencesOf(readFileSync(join(ROOT, document), 'utf8'))) {
      const path = /^excerpt: (.+)$/.exec(mark)?.[1];
      if (path !== undefined)
        t.true(
          isExcerptOf(lines, readFileSync(join(ROOT, path), 'utf8')),
          `${document}:${line} from ${path}`,
        );
    }
});

test('every block of code says which file it is from', (t) => {
  // Of the example of README, readme-example.test.ts takes care.
  for (const document of EXCERPTED)
    for (const { language, mark, line } of fencesOf(readFileSync(join(ROOT, document), 'utf8')))
      if (CODE_LANGUAGES.has(language) && mark !== 'example')
        t.regex(mark, /^excerpt: /, `${document}:${line}`);
});

/** No command may see what the user has. */
const CACHE_HOME = mkdtempSync(join(tmpdir(), 'farjit-docs-'));
test.after.always(() => rmSync(CACHE_HOME, { recursive: true, force: true }));

/** Runs `node …` or `farjit …` in the project's root; its standard output. */
function outputOf(command: string): Promise<string> {
  const [program, ...args] = command.split(' ');
  if (program !== 'farjit' && program !== 'node') throw new Error(`${command} is not run here`);
  return new Promise((resolve, reject) => {
    // A program may fail on purpose; one that cannot be started, or was killed, has no exit code.
    const env = { ...process.env, XDG_CACHE_HOME: CACHE_HOME };
    const path = program === 'farjit' ? 'packages/compiler/dist/launcher/farjit' : process.execPath;
    execFile(path, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error);
      else resolve(stdout + stderr);
    });
  });
}

const SHOWN_OUTPUTS = DOCUMENTS.flatMap((document) =>
  fencesOf(readFileSync(join(ROOT, document), 'utf8')).flatMap(({ mark, line, lines }) => {
    const command = /^output: (.+)$/.exec(mark)?.[1];
    return command === undefined ? [] : [{ document, line, lines, command }];
  }),
);

test('README shows what its library example prints', (t) => {
  const shown = SHOWN_OUTPUTS.filter(({ document }) => document === 'README.md');
  t.true(shown.some(({ command }) => command === 'node examples/library.mjs'));
});

/** Compiles the examples in C. `npm run setup` installs it where it can. */
const hasClang = existsSync('/usr/bin/clang-14');

for (const { document, line, lines, command } of SHOWN_OUTPUTS) {
  const isSkipped = command.includes('examples/programs/') && !hasClang;
  (isSkipped ? test.skip : test)(`${document}:${line} shows what \`${command}\` prints`, async (t) => {
    const output = (await outputOf(command)).trimEnd();
    if (lines.some((shown) => shown.trim() === ELLIPSIS)) t.true(isExcerptOf(lines, output), output);
    else t.is(output, lines.join('\n'));
  });
}

const PROMPT = 'ready> ';
for (const document of DOCUMENTS)
  for (const { mark, line, lines } of fencesOf(readFileSync(join(ROOT, document), 'utf8'))) {
    if (mark !== 'repl') continue;
    const isSkipped = !hasClang && lines.some((shown) => shown.startsWith(`${PROMPT}:c`));
    (isSkipped ? test.skip : test)(`${document}:${line} shows what the REPL answers`, (t) => {
      const typed = lines
        .filter((shown) => shown.startsWith(PROMPT))
        .map((shown) => shown.slice(PROMPT.length));
      const { stdout, stderr } = spawnSync('packages/compiler/dist/launcher/farjit', ['repl'], {
        cwd: ROOT,
        env: { ...process.env, XDG_CACHE_HOME: CACHE_HOME },
        input: `${typed.join('\n')}\n`,
        encoding: 'utf8',
      });
      t.is(stderr, '');
      t.deepEqual(
        stdout.trimEnd().split('\n'),
        lines.filter((shown) => !shown.startsWith(PROMPT)),
      );
    });
  }

/** What docs/cli.md, which is checked against `--help`, says of each command. */
function helpTexts(): Map<string, string> {
  const sections = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8').split(/^## /m).slice(1);
  return new Map(sections.map((section) => [section.slice(0, section.indexOf('\n')), section]));
}

test('every option of a command that the documents show is one', (t) => {
  const helps = helpTexts();
  const unknown: string[] = [];
  let count = 0;
  for (const document of DOCUMENTS.filter((path) => path !== 'CHANGELOG.md')) {
    const markdown = readFileSync(join(ROOT, document), 'utf8').replaceAll(/ *\\\n */g, ' ');
    for (const [line, program = '', rest = ''] of markdown.matchAll(
      /(?<=^|`|\| |= )(?:npx )?(farjit(?:-executor)?) ([^`\n#|]*)/gm,
    )) {
      const [word = ''] = rest.split(' ');
      const known = helps.get(`${program} ${word}`) ?? `${helps.get(program)}${helps.get(`${program} run`)}`;
      for (const [option] of rest.replace(/ -- .*/, '').matchAll(/(?<= |^)--[a-z][a-z-]+/g)) {
        count += 1;
        if (!known.includes(option)) unknown.push(`${document}: ${option} in ${line}`);
      }
    }
  }
  t.deepEqual(unknown, []);
  t.true(count > 50, `${count}`);
});

/** The text outside fenced blocks. */
function proseOf(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```$/gm, '');
}

/** Anchors of a document's headings, as GitHub makes them. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, title = ''] of proseOf(markdown).matchAll(/^#+ (.+)$/gm))
    anchors.add(
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_\- ]/gu, '')
        .replaceAll(' ', '-'),
    );
  return anchors;
}

test('every relative link leads somewhere', (t) => {
  for (const document of DOCUMENTS) {
    const prose = proseOf(readFileSync(join(ROOT, document), 'utf8'));
    for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? join(ROOT, document) : join(ROOT, dirname(document), path);
      if (!existsSync(file)) t.fail(`${document}: ${target} leads nowhere`);
      else if (anchor !== undefined && statSync(file).isFile())
        t.true(anchorsOf(readFileSync(file, 'utf8')).has(anchor), `${document}: ${target}`);
      t.false(relative(ROOT, file).startsWith('..'), `${document}: ${target} leads out of the project`);
    }
  }
});

test('README leads to every document', (t) => {
  const prose = proseOf(readFileSync(join(ROOT, 'README.md'), 'utf8'));
  const linked = new Set([...prose.matchAll(/\]\(([^)\s#]+)/g)].map(([, path]) => path));
  for (const document of DOCUMENTS)
    if (!['README.md', 'docs/index.md'].includes(document) && !document.startsWith('packages/'))
      t.true(linked.has(document), document);
});

test('docs/architecture.md has every folder of the packages in its tree, and none that is gone', (t) => {
  const markdown = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const [, tree = ''] = /^## The tree\n\n```text\n([\s\S]*?)^```$/m.exec(markdown) ?? [];
  const shown = new Set([...tree.matchAll(/[\w-]+(?=\/)/g)].map(([name]) => name));
  const names = namesOfFiles();
  for (const name of shown) t.true(names.has(name), `${name}/ is gone`);
  const inside = readdirSync(join(ROOT, 'packages')).flatMap((name) => [
    `packages/${name}`,
    `packages/${name}/src`,
  ]);
  for (const folder of inside.filter((path) => existsSync(join(ROOT, path))))
    for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true }))
      if (entry.isDirectory() && !NOT_SHOWN.has(entry.name))
        t.true(shown.has(entry.name), `${folder}/${entry.name}/ is not shown`);
});
const NOT_SHOWN = new Set(['bin', 'dist', 'node_modules', 'src', 'test']);

/** Names of the project's own files and folders, wherever they are. */
function namesOfFiles(): Set<string> {
  const names = new Set<string>();
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      names.add(entry.name);
      if (entry.isDirectory() && !NOT_OF_THE_PROJECT.has(entry.name)) walk(join(folder, entry.name));
    }
  };
  walk(ROOT);
  return names;
}
const NOT_OF_THE_PROJECT = new Set(['.git', 'node_modules', 'dist']);

test('every source file that the documents name is there', (t) => {
  const names = namesOfFiles();
  for (const document of DOCUMENTS)
    for (const [, path = ''] of proseOf(readFileSync(join(ROOT, document), 'utf8')).matchAll(
      /`((?:[\w.@-]+\/)*[\w.-]+\.(?:ts|mjs|cjs|S|ks|yml))`/g,
    ))
      t.true(names.has(basename(path)), `${document}: ${path}`);
});

test('every path and every script that the documents name exists', (t) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const document of DOCUMENTS) {
    const markdown = readFileSync(join(ROOT, document), 'utf8');
    for (const [, path = ''] of proseOf(markdown).matchAll(
      /`((?:packages|test|docs|examples|scripts|bench)\/[\w./-]+)`/g,
    ))
      t.true(existsSync(join(ROOT, path)), `${document}: ${path}`);
    for (const [, script = ''] of markdown.matchAll(/\bnpm run ([\w:-]+)/g))
      t.true(script in scripts, `${document}: npm run ${script}`);
  }
});
