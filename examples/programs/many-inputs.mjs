// A program that is compiled once, and run on many inputs. Run it with `node examples/programs/many-inputs.mjs`.
import { text } from 'node:stream/consumers';
import { JIT } from '@farjit/compiler';

const jit = await JIT.create();
await jit.addC(`
  #include <stdio.h>
  static int runs;
  int main(void) {
    int a, b;
    if (scanf("%d %d", &a, &b) != 2) return 1;
    printf("%d, run %d", a + b, ++runs);
    return 0;
  }
`);

// All of it is compiled here, or what a linker would refuse is refused.
const program = await jit.program();

// Each run has a process of its own, in which nothing has run before.
for (const stdin of ['2 3', 'two three', '20 22']) {
  const run = program.run({ stdin, deadlineMs: 1000 });
  const printed = await text(contentOf(run.output()));
  const { exitCode, report } = await run;
  console.log({ printed, exitCode, functionsCompiled: report.functionsCompiled });
}

// What has no end is ended.
await jit.addC('int forever(void) { for (volatile int i = 0;; i++); }');
const forever = (await jit.program({ entry: 'forever' })).run({ deadlineMs: 100 });
await forever.catch((error) => console.log(error.message));
console.log((await forever.report).limit);
await jit.close();

async function* contentOf(chunks) {
  for await (const { content } of chunks) yield content;
}
