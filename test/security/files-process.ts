// node files-process.js OBJECT FOLDER: what the attempts say that a program makes which is given the folder; or why it is not given it,
// and the exit code of one that is given none.
import { readFileSync } from 'node:fs';
import { JIT } from '@farjit/compiler';

const [object = '', directory] = process.argv.slice(2);
let said = '';
const jit = await JIT.create({
  onOutput: (_, content) => {
    said += Buffer.from(content).toString();
  },
});
try {
  await jit.addObject(readFileSync(object));
  await jit.runProgram({ files: { '/given': { directory } } });
} catch (error) {
  const { code, message } = error as Error & { code: string };
  const { exitCode } = await jit.runProgram();
  said = `${code}: ${message}\nwithout files: ${exitCode}`;
}
await jit.close();
process.stdout.write(`${said}\n`);
