// Runs a session whose ends are both in this process, where Node's memory that is not cleared is full of one pattern, and
// looks for the pattern in all that is sent, and in what is kept on disk: `node poisoned-process.js on|off`, whether first code is
// made without LLVM.
import './poison.js';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CodegenPool, KaleidoscopeJIT } from '@farjit/compiler';
import { createHostResources, Session } from '@farjit/executor';
import { createMemoryTransportPair, type Transport } from '@farjit/protocol';
import { encodeRequest } from '#compiler/src/codegen/codegen-wire.js';
import { parseAssembly } from '../ir-module.js';
import { holdsPoison } from './poison.js';

const MODULE = `@odd = global [3 x i8] c"abc"
@aligned = global double 1.5, align 64
@zeros = global [100 x i8] zeroinitializer
define double @next(double %x) {
  %1 = load double, double* @aligned
  %2 = fadd double %1, %x
  store double %2, double* @aligned
  ret double %2
}`;

if (!holdsPoison(Buffer.allocUnsafe(100))) throw new Error('memory is cleared here');

const sent: Uint8Array[] = [];
const found: string[] = [];

/** Keeps what is sent. */
function spied(transport: Transport, who: string): Transport {
  const send = transport.send.bind(transport);
  transport.send = (message) => {
    sent.push(Uint8Array.from(message));
    if (holdsPoison(message)) found.push(`${who}: ${Buffer.from(message).toString('latin1', 0, 100)}`);
    send(message);
  };
  return transport;
}

const cacheDir = mkdtempSync(join(tmpdir(), 'farjit-poisoned-'));
const [near, far] = createMemoryTransportPair();
const hosted = new Session({ host: createHostResources(), transport: spied(far, 'executor') });
const codegen = new CodegenPool();
const jit = await KaleidoscopeJIT.create({
  executor: spied(near, 'compiler'),
  codegen,
  cacheDir,
  baseline: process.argv[2] === 'on' ? 'on' : 'off',
  onOutput: () => {},
});
await jit.addModule(parseAssembly(MODULE));
const results = await jit.addSource(`
  extern next(x); extern printd(x);
  def f(x) if x < 2 then x else f(x - 1) + next(x);
  def g(x) printd(f(x)) + 0.1 * x;
  g(3); g(4); nowhere(1); f(20);`);
if (results.filter(({ status }) => status === 'fulfilled').length < 3)
  throw new Error('the program did not run');
await jit.lookup('g').then((g) => g(7));
await jit.close();
await hosted.ended;
await codegen.stop();

const input = {
  name: 'ä',
  ir: { form: 'recording', bytes: Uint8Array.of(1, 2, 3) },
  target: { triple: 'triple', cpuName: 'cpu', cpuFeatures: '' },
  optLevel: 1,
  programDefined: ['größe', 'f'],
} as const;
if (holdsPoison(encodeRequest(5, { product: 'asm', codeGenOptLevel: 2, passes: 'p', input })))
  found.push('request');
let keptBytes = 0;
for (const name of readdirSync(cacheDir)) {
  const content = readFileSync(join(cacheDir, name));
  keptBytes += content.byteLength;
  if (holdsPoison(content)) found.push(`cache: ${name}`);
}
rmSync(cacheDir, { recursive: true });
const sentBytes = sent.reduce((total, { byteLength }) => total + byteLength, 0);
process.stdout.write(JSON.stringify({ sentBytes, keptBytes, found }));
