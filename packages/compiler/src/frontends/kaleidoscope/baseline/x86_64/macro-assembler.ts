import { X86_64_EDGES } from '../../../../jitlink/x86_64/edges.js';
import { x86_64 } from '../../../../jitlink/x86_64/x86_64.js';
import type { Counting } from '../../../../layers/front-end.js';
import type {
  Arithmetic,
  CodeReference,
  FrameSize,
  MachineCode,
  MacroAssembler,
  Place,
  Register,
} from '../macro-assembler.js';
import { Assembler, GPR, Label, type Scalar } from './assembler.js';
import { CIE, fdeOf } from './frames.js';

const { rax, rsp, rbp, rdi } = GPR;
const SLOT_BYTES = 8;
const STACK_ALIGNMENT = 16;
/** Of the first argument in memory from rbp: above the caller's rbp and the return address. */
const MEMORY_ARGUMENTS_OFFSET = 16;
const PAGE_BYTES = 4096;
/**
 * Frames of functions that people write have some hundred bytes. In a larger one each page is touched when it is entered, so
 * that a stack that is used up is noticed at its end; one larger than this is not worth the instructions for it.
 */
const MAX_FRAME_BYTES = 64 * 1024;
/** The field of an operand ends its instruction. */
const END_OF_FIELD = -4n;

const { Delta32, Pointer64, RequestStub } = X86_64_EDGES;
const SCALARS: Readonly<Record<Arithmetic, Scalar>> = { add: 'addsd', sub: 'subsd', mul: 'mulsd' };

/** Of the instructions of a count that are jumped over: those that call, and the one that stores. */
const TELL_BYTES = 21;
const STORE_BYTES = 6;

/**
 * Functions on SSE2, which every x86-64 has:
 *
 * ```text
 * 16(%rbp)          arguments in memory, the first lowest
 *  8(%rbp)          return address
 *  0(%rbp)          the caller's rbp
 * -8(%rbp)          slot 0, and further ones below it
 *  0(%rsp)          arguments in memory for calls, the first lowest
 * ```
 *
 * The body is made first, since only then the size of the frame is known, and put behind the prologue. xmm14 is the scratch
 * register, xmm15 and rax are for what one of these methods needs itself.
 * @see System V psABI for AMD64, 3.2
 */
export class X86_64MacroAssembler implements MacroAssembler<Label> {
  readonly architecture = x86_64;
  readonly delta32 = Delta32.kind;
  readonly registerCount = 14;
  readonly argumentRegisterCount = 8;
  readonly scratch = 14;
  readonly #own = 15;
  readonly #prologue: Assembler;
  readonly #body: Assembler;
  #symbol = '';
  #references: { -readonly [Field in keyof CodeReference]: CodeReference[Field] }[] = [];

  constructor({ prologue = new Assembler(), body = new Assembler() } = {}) {
    this.#prologue = prologue;
    this.#body = body;
  }

  begin(symbol: string): void {
    this.#symbol = symbol;
    this.#prologue.reset();
    this.#body.reset();
    this.#references = [];
  }

  end({ slotCount, memoryArgumentCount }: FrameSize): MachineCode | undefined {
    const usedBytes = SLOT_BYTES * (slotCount + memoryArgumentCount);
    const frameBytes = STACK_ALIGNMENT * Math.ceil(usedBytes / STACK_ALIGNMENT);
    if (frameBytes > MAX_FRAME_BYTES) return undefined;
    const body = this.#body;
    body.leave();
    body.ret();
    this.#emitPrologue(frameBytes);
    return this.#finish();
  }

  entry(symbol: string, callee: string): MachineCode {
    this.begin(symbol);
    const body = this.#body;
    body.movStore(rbp, -SLOT_BYTES, rdi);
    this.call(callee);
    body.movLoad(rax, rbp, -SLOT_BYTES);
    body.movsdStore(rax, 0, 0);
    body.leave();
    body.ret();
    this.#emitPrologue(STACK_ALIGNMENT);
    return this.#finish();
  }

  wrapper(symbol: string, parameterCount: number): MachineCode | undefined {
    this.begin(symbol);
    const body = this.#body;
    body.movStore(rbp, -SLOT_BYTES, rdi);
    for (let index = 0; index < parameterCount; index++) {
      const isInRegister = index < this.argumentRegisterCount;
      const register = isInRegister ? index : this.scratch;
      body.movsdLoad(register, rdi, SLOT_BYTES * (1 + index));
      if (!isInRegister) this.passInMemory(index - this.argumentRegisterCount, register);
    }
    body.movLoad(rax, rdi, 0);
    body.callRegister(rax);
    body.movLoad(rax, rbp, -SLOT_BYTES);
    body.movsdStore(rax, 0, 0);
    const memoryArgumentCount = Math.max(0, parameterCount - this.argumentRegisterCount);
    return this.end({ slotCount: 1, memoryArgumentCount });
  }

  move(to: Register, from: Register): void {
    if (to !== from) this.#body.movaps(to, from);
  }

  load(to: Register, from: Place): void {
    this.#body.movsdLoad(to, rbp, displacementOf(from));
  }

  store(to: Place, from: Register): void {
    this.#body.movsdStore(rbp, displacementOf(to), from);
  }

  constant(to: Register, value: number): void {
    if (Object.is(value, 0)) {
      this.#body.xorps(to, to);
      return;
    }
    this.#body.movDoubleBits(rax, value);
    this.#body.movqFromGpr(to, rax);
  }

  passInMemory(index: number, from: Register): void {
    this.#body.movsdStore(rsp, SLOT_BYTES * index, from);
  }

  call(symbol: string): void {
    this.#refer(RequestStub.kind, this.#body.call(), symbol);
  }

  arithmetic(operation: Arithmetic, to: Register, from: Register): void {
    this.#body.scalar(SCALARS[operation], to, from);
  }

  arithmeticWith(operation: Arithmetic, to: Register, from: Place): void {
    this.#body.scalarMemory(SCALARS[operation], to, rbp, displacementOf(from));
  }

  setIfLess(to: Register, left: Register, right: Register): void {
    const body = this.#body;
    body.ucomisd(left, right);
    body.setbAl();
    body.movzxAl();
    // Before it, `to` may depend on anything.
    body.xorps(to, to);
    body.cvtsi2sd(to, rax);
  }

  newLabel(): Label {
    return new Label();
  }

  bind(label: Label): void {
    this.#body.bind(label);
  }

  jump(label: Label): void {
    this.#body.jmp(label);
  }

  jumpIfLess(left: Register, right: Register, label: Label): void {
    this.#body.ucomisd(left, right);
    this.#body.jcc('b', label);
  }

  jumpUnlessLess(left: Register, right: Register, label: Label): void {
    this.#body.ucomisd(left, right);
    this.#body.jcc('ae', label);
  }

  jumpIfTrue(value: Register, label: Label): void {
    this.#compareWithZero(value);
    this.#body.jcc('ne', label);
  }

  jumpUnlessTrue(value: Register, label: Label): void {
    this.#compareWithZero(value);
    this.#body.jcc('e', label);
  }

  /**
   * As the runner's `farjit_count` does it, which is called by who finds that the count would be the threshold: it counts, and tells.
   * It is called once, and through no stub of its own.
   */
  count({ counter, threshold, function: callee }: Counting): void {
    const body = this.#body;
    this.#refer(Delta32.kind, body.mov32LoadRip(rax), counter);
    body.inc32(rax);
    this.#refer(Delta32.kind, body.cmp32Rip(rax), threshold);
    body.jccOver('ne', TELL_BYTES);
    this.#refer(Delta32.kind, body.leaRip(rdi), counter);
    this.#references.push({ kind: Pointer64.kind, offset: body.movAddress(rax), addend: 0n, symbol: callee });
    body.callRegister(rax);
    body.jmpOver(STORE_BYTES);
    this.#refer(Delta32.kind, body.mov32StoreRip(rax), counter);
  }

  #emitPrologue(frameBytes: number): void {
    const prologue = this.#prologue;
    prologue.push(rbp);
    prologue.mov(rbp, rsp);
    for (let touched = PAGE_BYTES; touched <= frameBytes; touched += PAGE_BYTES)
      prologue.testMemory(rbp, -touched, rax);
    if (frameBytes > 0) prologue.subRsp(frameBytes);
  }

  #finish(): MachineCode {
    const prologueBytes = this.#prologue.length;
    const sizeBytes = prologueBytes + this.#body.length;
    const bytes = Buffer.allocUnsafe(sizeBytes);
    this.#prologue.copyTo(bytes, 0);
    this.#body.copyTo(bytes, prologueBytes);
    const references = this.#references;
    for (const reference of references) reference.offset += prologueBytes;
    return { symbol: this.#symbol, bytes, references, cie: CIE, fde: fdeOf(sizeBytes) };
  }

  /** Equal or unordered shows as equal. */
  #compareWithZero(value: Register): void {
    this.#body.xorps(this.#own, this.#own);
    this.#body.ucomisd(value, this.#own);
  }

  #refer(kind: number, offset: number, symbol: string): void {
    this.#references.push({ kind, offset, addend: END_OF_FIELD, symbol });
  }
}

function displacementOf(place: Place): number {
  return place >= 0 ? -SLOT_BYTES * (1 + place) : MEMORY_ARGUMENTS_OFFSET + SLOT_BYTES * (-1 - place);
}
