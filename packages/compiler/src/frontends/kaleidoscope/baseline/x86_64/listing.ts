import type { MachineCode } from '../macro-assembler.js';
import { Assembler, GPR, type Gpr, type Label, type Xmm } from './assembler.js';
import { X86_64MacroAssembler } from './macro-assembler.js';

type Instruction = Exclude<keyof Assembler, 'length' | 'copyTo' | 'reset' | 'bind'>;

/** Stands for a symbol that the linker will put there. */
const SYMBOL = '{symbol}';

const NAMES: readonly string[] = Object.keys(GPR);
const r64 = (register: Gpr) => `%${NAMES[register]}`;
const r32 = (register: Gpr) => `%e${NAMES[register]?.slice(1)}`;
const xmm = (register: Xmm) => `%xmm${register}`;
const at = (base: Gpr, displacement: number) => `${displacement === 0 ? '' : displacement}(${r64(base)})`;
const RIP = `${SYMBOL}(%rip)`;

/** Each instruction as LLVM's assembler reads it. */
const TEXTS: { readonly [Name in Instruction]: (...operands: Parameters<Assembler[Name]>) => string } = {
  push: (register) => `pushq ${r64(register)}`,
  leave: () => 'leave',
  ret: () => 'retq',
  mov: (to, from) => `movq ${r64(from)}, ${r64(to)}`,
  movLoad: (to, base, displacement) => `movq ${at(base, displacement)}, ${r64(to)}`,
  movStore: (base, displacement, from) => `movq ${r64(from)}, ${at(base, displacement)}`,
  movDoubleBits: (to, value) => `movabsq $${bitsOf(value)}, ${r64(to)} # ${value}`,
  subRsp: (bytes) => `subq $${bytes}, %rsp`,
  testMemory: (base, displacement, register) => `testl ${r32(register)}, ${at(base, displacement)}`,
  inc32: (register) => `incl ${r32(register)}`,
  mov32LoadRip: (to) => `movl ${RIP}, ${r32(to)}`,
  mov32StoreRip: (from) => `movl ${r32(from)}, ${RIP}`,
  cmp32Rip: (register) => `cmpl ${RIP}, ${r32(register)}`,
  leaRip: (to) => `leaq ${RIP}, ${r64(to)}`,
  call: () => `callq ${SYMBOL}@PLT`,
  movAddress: (to) => `movabsq $${SYMBOL}, ${r64(to)}`,
  callRegister: (register) => `callq *${r64(register)}`,
  jmpOver: (bytes) => `jmp .+${2 + bytes}`,
  jccOver: (condition, bytes) => `j${condition} .+${2 + bytes}`,
  jmp: () => `jmp ${SYMBOL}`,
  jcc: (condition) => `j${condition} ${SYMBOL}`,
  setbAl: () => 'setb %al',
  movzxAl: () => 'movzbl %al, %eax',
  cvtsi2sd: (to, from) => `cvtsi2sdl ${r32(from)}, ${xmm(to)}`,
  movqFromGpr: (to, from) => `movq ${r64(from)}, ${xmm(to)}`,
  movsdLoad: (to, base, displacement) => `movsd ${at(base, displacement)}, ${xmm(to)}`,
  movsdStore: (base, displacement, from) => `movsd ${xmm(from)}, ${at(base, displacement)}`,
  movaps: (to, from) => `movaps ${xmm(from)}, ${xmm(to)}`,
  xorps: (to, from) => `xorps ${xmm(from)}, ${xmm(to)}`,
  scalar: (operation, to, from) => `${operation} ${xmm(from)}, ${xmm(to)}`,
  scalarMemory: (operation, to, base, displacement) => `${operation} ${at(base, displacement)}, ${xmm(to)}`,
  ucomisd: (left, right) => `ucomisd ${xmm(right)}, ${xmm(left)}`,
};

/** An instruction, or a label, whose bytes are none. */
interface Line {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What an assembler encodes, as text. */
export class Listing {
  readonly assembler: Assembler;
  readonly #lines: Line[] = [];
  readonly #labels = new Map<Label, string>();

  /** @param assembler that is to be listed; `Listing.assembler` is the one to use in its place. */
  constructor(assembler: Assembler) {
    const hook = (name: string, operands: readonly unknown[]) => {
      const start = assembler.length;
      const result = (Reflect.get(assembler, name) as (...given: unknown[]) => unknown).apply(assembler, [
        ...operands,
      ]);
      this.#note(name, operands, start, assembler.length);
      return result;
    };
    this.assembler = new Proxy(assembler, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === 'function'
          ? (...operands: unknown[]) => hook(String(name), operands)
          : member;
      },
    });
  }

  /** @param symbolAt of what the linker puts between two places in the code. */
  text(symbolAt: (start: number, end: number) => string): string {
    return this.#lines
      .map(({ start, end, text }) => `${text.replace(SYMBOL, symbolAt(start, end))}\n`)
      .join('');
  }

  #note(name: string, operands: readonly unknown[], start: number, end: number): void {
    const [first, second] = operands;
    if (name === 'reset') this.#lines.length = 0;
    else if (name === 'bind') this.#lines.push({ start, end, text: `${this.#labelName(first as Label)}:` });
    else if (name in TEXTS) {
      const text = (TEXTS[name as Instruction] as (...given: readonly unknown[]) => string)(...operands);
      const label = name === 'jmp' ? first : name === 'jcc' ? second : undefined;
      const named = label === undefined ? text : text.replace(SYMBOL, this.#labelName(label as Label));
      this.#lines.push({ start, end, text: `\t${named}` });
    }
  }

  #labelName(label: Label): string {
    const name = this.#labels.get(label) ?? `.L${this.#labels.size}`;
    this.#labels.set(label, name);
    return name;
  }
}

function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return `0x${view.getBigUint64(0).toString(16)}`;
}

/** Assemblers take what is no word in quotation marks. */
function symbolText(name: string): string {
  return /^[\w.$]+$/.test(name) ? name : JSON.stringify(name);
}

/** Lists a function as it is made, for people. @returns undefined for one that is not. */
export function listFunction(
  make: (assembler: X86_64MacroAssembler) => MachineCode | undefined,
): string | undefined {
  const prologue = new Listing(new Assembler());
  const body = new Listing(new Assembler());
  const code = make(new X86_64MacroAssembler({ prologue: prologue.assembler, body: body.assembler }));
  if (!code) return undefined;
  const bodyStart = prologue.assembler.length;
  const symbolAt = (start: number, end: number) => {
    const reference = code.references.find(
      ({ offset }) => offset >= bodyStart + start && offset < bodyStart + end,
    );
    return reference ? symbolText(reference.symbol) : '';
  };
  return `${symbolText(code.symbol)}:\n${prologue.text(() => '')}${body.text(symbolAt)}`;
}
