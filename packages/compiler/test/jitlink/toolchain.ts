import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `use` with a directory that is gone afterwards. */
function withDirectory<T>(use: (directory: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'farjit-jitlink-'));
  try {
    return use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run(command: string, args: readonly string[], cwd: string): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Assembles x86-64 AT&T source with GNU as. */
export function assemble(source: string): Uint8Array {
  return withDirectory((directory) => {
    writeFileSync(join(directory, 'a.s'), `${source}\n.section .note.GNU-stack,"",@progbits\n`);
    run('as', ['--64', '-o', 'a.o', 'a.s'], directory);
    return new Uint8Array(readFileSync(join(directory, 'a.o')));
  });
}

/** Compiles C or C++ with the system's compiler, or another. */
export function compile(
  source: string,
  flags: readonly string[],
  language: 'c' | 'c++' = 'c',
  compiler = 'cc',
): Uint8Array {
  return withDirectory((directory) => {
    writeFileSync(join(directory, 'a.src'), source);
    run(compiler, ['-x', language, ...flags, '-c', '-o', 'a.o', 'a.src'], directory);
    return new Uint8Array(readFileSync(join(directory, 'a.o')));
  });
}

/** Every `llc` that Debian's packages install, by LLVM version. */
export const LLCS: ReadonlyMap<number, string> = findLLCs();

function findLLCs(): Map<number, string> {
  const found = new Map<number, string>();
  for (const name of readdirSync('/usr/lib').sort()) {
    const version = /^llvm-(\d+)$/.exec(name)?.[1];
    if (version === undefined) continue;
    const bin = `/usr/lib/${name}/bin`;
    try {
      if (readdirSync(bin).includes('llc')) found.set(Number(version), `${bin}/llc`);
    } catch {
      // A package without programs.
    }
  }
  return found;
}

/** Compiles IR with opaque pointers. */
export function compileIR(version: number, source: string, flags: readonly string[]): Uint8Array {
  const llc = LLCS.get(version);
  if (llc === undefined) throw new Error(`no llc of LLVM ${version}`);
  // LLVM 14 knows `ptr`, but not by default.
  const pointers = version < 15 ? ['-opaque-pointers'] : [];
  return withDirectory((directory) => {
    writeFileSync(join(directory, 'a.ll'), `target triple = "x86_64-unknown-linux-gnu"\n${source}`);
    run(llc, [...pointers, ...flags, '-filetype=obj', '-o', 'a.o', 'a.ll'], directory);
    return new Uint8Array(readFileSync(join(directory, 'a.o')));
  });
}

/** Where GNU ld is to put things. */
export interface GnuLinkRequest {
  readonly objects: readonly Uint8Array[];
  /** Address per section, or per `object:section` with the object's index when several have it. */
  readonly sections: ReadonlyMap<string, bigint>;
  /** Absolute symbols. */
  readonly symbols?: ReadonlyMap<string, bigint>;
  /** Start of the GOT and of what `_GLOBAL_OFFSET_TABLE_` names. */
  readonly got?: bigint;
  readonly flags?: readonly string[];
}

/** Flag for `llc` to emit R_X86_64_GOTPCRELX relocations, as clang does, or R_X86_64_GOTPCREL in their place. */
export function relaxableGOTLoads(version: number, enabled: boolean): string {
  return `-${version < 19 ? 'relax-elf-relocations' : 'x86-relax-relocations'}=${enabled}`;
}

/** Links with GNU ld; gives the bytes of the sections asked for and of `.got`. */
export function linkWithGnuLd(request: GnuLinkRequest): Map<string, Uint8Array> {
  return withDirectory((directory) => {
    const inputs = request.objects.map((object, i) => {
      writeFileSync(join(directory, `in${i}.o`), object);
      return `in${i}.o`;
    });
    const lines = [...request.sections].map(([section, address], i) => {
      const [file, name] = /^(\d+):(.*)$/.exec(section)?.slice(1) ?? ['*', section];
      const input = file === '*' ? '*' : `*in${file}.o`;
      return `.s${i} 0x${address.toString(16)} : { KEEP(${input}(${name})) }`;
    });
    const got = (request.got ?? 0x1000n).toString(16);
    // `_GLOBAL_OFFSET_TABLE_` is the start of .got.plt. Its three reserved words would be in the way of .got, but
    // only if anybody loaded the result.
    lines.push(`.got 0x${got} : { *(.got) }`, `.got.plt 0x${got} : { *(.got.plt) }`);
    for (const [name, address] of request.symbols ?? [])
      lines.unshift(`"${name}" = 0x${address.toString(16)};`);
    writeFileSync(
      join(directory, 'script.ld'),
      `SECTIONS {\n${lines.join('\n')}\n/DISCARD/ : { *(.note*) *(.comment) }\n}\n`,
    );
    run(
      'ld',
      [
        '-static',
        '-e',
        '0',
        '--no-check-sections',
        '-z',
        'max-page-size=4096',
        '-z',
        'norelro',
        '-T',
        'script.ld',
      ]
        .concat(request.flags ?? [])
        .concat('-o', 'out', inputs),
      directory,
    );
    const contents = new Map<string, Uint8Array>();
    for (const [i, section] of [...request.sections.keys(), '.got'].entries()) {
      const output = section === '.got' ? '.got' : `.s${i}`;
      try {
        run('objcopy', ['-O', 'binary', '-j', output, 'out', 'bytes'], directory);
        contents.set(section, readFileSync(join(directory, 'bytes')));
      } catch {
        // The linker left an empty section out.
      }
    }
    return contents;
  });
}
