// node test/dist/fuzz/record-corpus.js: writes the corpus anew, from a session of this build and the tools installed.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KaleidoscopeJIT } from '@farjit/compiler';
import { createMemoryTransportPair, type Transport } from '@farjit/protocol';
import { RICH_ASSEMBLY, THREAD_LOCAL_ASSEMBLY } from '#compiler/test/jitlink/rich-assembly.js';
import { assemble, compile } from '#compiler/test/jitlink/toolchain.js';
import { createHostResources, Session } from '#executor/src/index.js';
import { CORPUS, packFrames } from './corpus.js';

/** Larger frames say nothing that smaller ones don't, and are slow to fuzz. */
const MAX_FRAME_BYTES = 2500;
/** Frames of one kind and method that are kept. */
const MAX_ALIKE = 3;

const PROGRAM = `
extern sin(x); extern printd(x); extern missing(x);
def fib(n) if n < 3 then 1 else fib(n-1) + fib(n-2);
def sum(n) var total = 0 in (for i = 1, i < n in total = total + sin(i)) + total;
def broken(x) missing(x);
fib(5); sum(3); printd(1.5);
`;

const C = `double g; static int n = 3; const char *s = "text"; double h(double);
int k(int i) { switch (i) { case 1: return 5; case 2: return n; case 3: return 7; case 4: return 2; case 5: return 100; }
  return ++n; }
double f(double x) { g = x; return h(x + 0.5) + k(3); }`;

const IR = `@g = global double 0.0
declare double @h(double)
define double @f(double %a) uwtable {
  %b = call double @h(double %a)
  %c = fadd double %b, 2.5e-1
  store double %c, double* @g
  ret double %c
}
define double @loop(double %n) uwtable { ret double %n }
`;

await recordFrames();
recordObjects();

async function recordFrames(): Promise<void> {
  const frames: Uint8Array[] = [];
  const [near, far] = createMemoryTransportPair();
  const host = createHostResources();
  const session = new Session({ host, transport: recording(far, frames) });
  const jit = await KaleidoscopeJIT.create({ executor: near, onOutput: () => {} });
  await jit.addSource(PROGRAM);
  await jit.addSource('broken(1);');
  await jit.addSource('extern abort(); abort();');
  await jit.addSource('fib(4);');
  await jit.executorStatus();
  await jit.runnerMaps();
  await jit.stubs();
  await jit.close();
  await session.ended;
  const alike = new Map<string, number>();
  const kept = frames.filter((frame) => {
    if (frame.byteLength > MAX_FRAME_BYTES) return false;
    // Kind, and the text of the method if there is one.
    const key =
      Buffer.from(frame.subarray(0, 40))
        .toString('latin1')
        .replaceAll(/[^a-zA-Z]/g, '') + frame[1];
    alike.set(key, (alike.get(key) ?? 0) + 1);
    return (alike.get(key) ?? 0) <= MAX_ALIKE;
  });
  writeFileSync(join(CORPUS, 'frames.bin'), packFrames(kept));
}

function recording(transport: Transport, frames: Uint8Array[]): Transport {
  return {
    send: (message) => {
      frames.push(message.slice());
      transport.send(message);
    },
    close: (code, reason) => transport.close(code, reason),
    start: ({ onMessage, onClose }) =>
      transport.start({
        onMessage: (message) => {
          frames.push(message.slice());
          onMessage(message);
        },
        onClose,
      }),
    get bufferedBytes() {
      return transport.bufferedBytes;
    },
  };
}

function recordObjects(): void {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-corpus-'));
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: directory });
  const keep = (from: string, to: string) =>
    writeFileSync(join(CORPUS, to), readFileSync(join(directory, from)));
  writeFileSync(join(CORPUS, 'assembled.o'), assemble(RICH_ASSEMBLY));
  writeFileSync(join(CORPUS, 'thread-local.o'), assemble(THREAD_LOCAL_ASSEMBLY));
  const sections = ['-ffunction-sections', '-fdata-sections'];
  writeFileSync(join(CORPUS, 'compiled-c.o'), compile(C, ['-O2', '-fPIC', ...sections]));
  try {
    writeFileSync(join(directory, 'a.ll'), `target triple = "x86_64-unknown-linux-gnu"\n${IR}`);
    run('/usr/lib/llvm-14/bin/llvm-as', '-o', 'a.bc', 'a.ll');
    keep('a.bc', 'module.bc');
    for (const [version, flags] of [
      ['14', ['-relocation-model=pic', '-function-sections']],
      ['22', ['-relocation-model=pic', '-O0']],
    ] as const) {
      run(
        `/usr/lib/llvm-${version}/bin/llc`,
        ...flags,
        '-filetype=obj',
        '-o',
        `llvm${version}.o`,
        version === '14' ? 'a.ll' : 'a.bc',
      );
      keep(`llvm${version}.o`, `llvm-${version}.o`);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}
