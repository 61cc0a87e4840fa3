// C and LLVM assembly added to a JIT, called from JavaScript, and run as a program. Run it with
// `node examples/programs/library.mjs`.
import { CSourceError, JIT } from '@farjit/compiler';

const jit = await JIT.create();

// clang makes bitcode of it; each function is compiled when it is first called. Signatures come with bitcode.
await jit.addC('int square(int x) { return x * x; }', { name: 'square.c' });
await jit.addIR(
  `declare i32 @square(i32)
define i32 @fourth(i32 %x) {
  %y = call i32 @square(i32 %x)
  %z = call i32 @square(i32 %y)
  ret i32 %z
}`,
  { name: 'fourth.ll' },
);
const fourth = await jit.lookup('fourth');
console.log(await fourth(3));

// What is wrong is refused when it is added, and nothing of it is left.
try {
  await jit.addC('int cube(int x) { return x * x * y; }', { name: 'cube.c' });
} catch (error) {
  if (!(error instanceof CSourceError)) throw error;
  const [{ file, line, column, message }] = error.diagnostics;
  console.log({ file, line, column, message });
}

// A program has arguments, an environment and input; its output goes where the JIT's does.
await jit.addC(
  `#include <stdio.h>
   int square(int);
   int main(int argc, char **argv) {
     int x;
     while (scanf("%d", &x) == 1) printf("%s %d\\n", argv[1], square(x));
     return 3;
   }`,
  { name: 'main.c' },
);
const program = jit.runProgram({ argv: ['squares', 'square:'], stdin: '4 5\n' });
for await (const { stream, content } of program.output()) process[stream].write(content);
console.log((await program).exitCode);
await jit.close();
