import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import test from 'ava';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDER = join(ROOT, '.github/workflows');
const WORKFLOWS = readdirSync(FOLDER);

type Validate = (name: string, content: string) => Promise<readonly string[]>;

/** GitHub's own parser of workflows. Its modules import JSON as bundlers do and Node does not. */
async function loadValidator(): Promise<Validate> {
  const folder = mkdtempSync(fileURLToPath(new URL('workflows-', import.meta.url)));
  test.after.always(() => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'validate.mjs');
  await build({
    stdin: {
      contents: `
        import { convertWorkflowTemplate, parseWorkflow } from '@actions/workflow-parser';
        import { NoOperationTraceWriter } from '@actions/workflow-parser/templates/trace-writer';
        export async function validate(name, content) {
          const { context, value } = parseWorkflow({ name, content }, new NoOperationTraceWriter());
          if (value) await convertWorkflowTemplate(context, value);
          return context.errors.getErrors().map(({ message }) => message);
        }`,
      resolveDir: ROOT,
    },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return (await import(pathToFileURL(outfile).href)).validate;
}

const validator = loadValidator();

for (const name of WORKFLOWS)
  test(`GitHub takes ${name}, whose commands the project has`, async (t) => {
    const content = readFileSync(join(FOLDER, name), 'utf8');
    t.deepEqual(await (await validator)(name, content), []);
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const commands = [...content.replace(/#.*/g, '').matchAll(/\bnpm (?:run )?([\w:]+)/g)].map(
      ([, script = '']) => script,
    );
    t.true(commands.length > 0);
    for (const script of commands) t.true(script in scripts, `npm run ${script}`);
  });

test('what GitHub would refuse is found', async (t) => {
  const content = `on: push
jobs:
  test:
    runs-on: ubuntu-latest
    permisions: {}
    steps:
      - run: echo \${{ github.ref( }}
      - run: npm test
        wiht: { node-version: 20 }
`;
  const found = await (await validator)('wrong.yml', content);
  for (const what of ['permisions', "'('", 'wiht'])
    t.true(
      found.some((message) => message.includes(what)),
      what,
    );
});
