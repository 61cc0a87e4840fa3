// A program that is given files, and leaves others. Run it with `node examples/programs/files.mjs`.
import { JIT } from '@farjit/compiler';

const jit = await JIT.create();
await jit.addC(`
  #include <stdio.h>
  int main(void) {
    FILE *from = fopen("/data/numbers", "r"), *to = fopen("/tmp/sum", "w");
    int sum = 0;
    for (int number; fscanf(from, "%d", &number) == 1;) sum += number;
    fprintf(to, "%d\\n", sum);
    return fopen("/etc/passwd", "r") != NULL;
  }
`);
const { exitCode, files } = await jit.runProgram({
  files: { '/data/numbers': '1 2 3 4\n' },
  collect: ['/tmp/**'],
});
for (const [path, content] of files) process.stdout.write(`${path}: ${Buffer.from(content)}`);
console.log(exitCode);

await jit.close();
