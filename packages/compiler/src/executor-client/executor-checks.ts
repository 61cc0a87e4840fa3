import type { RemoteInfo, RunnerMemory, RunnerStarted } from '@farjit/protocol';
import { ProtocolError } from '@farjit/protocol/errors';
import { formatAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';

/** Widest stub or trampoline that makes sense on any target. */
const MAX_STUB_BYTES = 256;
/** What a 32-bit displacement reaches. */
const MAX_SPAN = 0x7fff_ffffn;
/** What thread-local memory is aligned to. */
const THREAD_ALIGNMENT = 64;
/** Largest page of any target. */
const MAX_PAGE_BYTES = 1 << 20;

/** @throws {ProtocolError} when memory that was asked for has another length. */
export function checkSize(content: Uint8Array, sizeBytes: number): void {
  if (content.byteLength !== sizeBytes)
    throw new ProtocolError(`${content.byteLength} bytes of memory where ${sizeBytes} were asked for`);
}

/**
 * Sizes that addresses are computed from.
 * @throws {ProtocolError} for those that no target has.
 */
export function checkInfo(info: RemoteInfo): RemoteInfo {
  const { pointerBytes, pageBytes, trampolineBytes, stubBytes } = info;
  const isStub = (sizeBytes: number) => sizeBytes > 0 && sizeBytes <= MAX_STUB_BYTES;
  if (
    pointerBytes !== 8 ||
    pageBytes < 4096 ||
    pageBytes > MAX_PAGE_BYTES ||
    !isPowerOfTwo(pageBytes) ||
    ![trampolineBytes, stubBytes].every(isStub)
  )
    throw new ProtocolError(
      `the executor reports pointers of ${pointerBytes}, pages of ${pageBytes}, trampolines of ${trampolineBytes} ` +
        `and stubs of ${stubBytes} bytes`,
    );
  return info;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

/**
 * The parts of a runner's memory, and what its threads begin with, must be sane, beside each other and within reach.
 * @throws {ProtocolError} when they are not.
 */
export function checkRunner(runner: RunnerStarted, { pageBytes }: RemoteInfo): RunnerStarted {
  const { code, constant, data } = runner.memory;
  const { threadLocals } = runner;
  if (threadLocals && threadLocals.offset % THREAD_ALIGNMENT !== 0)
    throw new ProtocolError(`the executor reports thread-local memory at ${threadLocals.offset}`);
  const parts = [code, constant, data, ...(threadLocals ? [threadLocals] : [])];
  for (const part of parts)
    if (part.address % BigInt(pageBytes) !== 0n || part.address + BigInt(part.sizeBytes) > 1n << 47n)
      throw new ProtocolError(`the executor reports memory at ${formatAddr(part.address)}`);
  parts.sort((a, b) => Number(a.address - b.address));
  const low = parts[0]?.address ?? code.address;
  let end = low;
  for (const { address, sizeBytes } of parts) {
    if (address < end)
      throw new ProtocolError(`the executor reports memory at ${formatAddr(address)} for two uses`);
    end = toExecutorAddr(address + BigInt(sizeBytes));
    if (end - low > MAX_SPAN)
      throw new ProtocolError('the executor reports memory that spans more than 2 GiB');
  }
  return runner;
}

/**
 * Stubs and trampolines are code beside the compiler's, and pointers lie in constant memory: all in reach of it, and in
 * nothing that the compiler allots itself.
 * @throws {ProtocolError} when they are elsewhere, or not as many as were asked for.
 */
export function checkStubs(
  { memory, stubs: block }: Pick<RunnerStarted, 'memory' | 'stubs'>,
  { stubBytes, pointerBytes, trampolineBytes }: RemoteInfo,
  stubCount: number,
): void {
  if (block.count !== stubCount)
    throw new ProtocolError(`the executor emitted ${block.count} stubs where ${stubCount} were asked for`);
  const parts = Object.values(memory);
  for (const [what, address, entryBytes] of [
    ['stubs', block.stubs, stubBytes],
    ['trampolines', block.trampolines, trampolineBytes],
    ['pointers', block.pointers, pointerBytes],
  ] as const) {
    const end = address + BigInt(stubCount * entryBytes);
    const overlaps = parts.some(
      (part) => address < part.address + BigInt(part.sizeBytes) && end > part.address,
    );
    const isFar = parts.some((part) => distance(part, address, end) > MAX_SPAN);
    if (overlaps || isFar)
      throw new ProtocolError(
        `the executor emitted ${what} at ${formatAddr(address)}, ${overlaps ? 'in the memory of the compiler' : 'out of its reach'}`,
      );
  }
}

/** Bytes from the lowest to the highest address of both. */
function distance(part: RunnerMemory['code'], start: bigint, end: bigint): bigint {
  const partEnd = part.address + BigInt(part.sizeBytes);
  return (partEnd > end ? partEnd : end) - (part.address < start ? part.address : start);
}
