import { addrAdd, type ExecutorAddr, toExecutorAddr } from '@farjit/protocol/executor-addr';
import type { ExecutionContext } from 'ava';
import { X86_64 } from '../src/abi/x86-64.js';
import { Indirection } from '../src/indirection.js';
import { SessionMemory } from '../src/memory.js';
import { ReservationPool } from '../src/reservation.js';
import { layoutReservation } from '../src/reservation-layout.js';

export const MIB = 1024 * 1024;
export const BASE = toExecutorAddr(0x7000_0000_0000n);
export const RESOLVER = toExecutorAddr(0x5555_0000_1234n);
export const pool = new ReservationPool(
  layoutReservation(4096, { codeBytes: MIB, constantBytes: MIB, dataBytes: MIB }),
);

export interface Prepared {
  memory: SessionMemory;
  indirection: Indirection;
  code: ExecutorAddr;
  constant: ExecutorAddr;
  data: ExecutorAddr;
}

export function prepare(t: ExecutionContext, from = pool): Prepared {
  const reservation = from.take();
  t.teardown(() => reservation.release());
  const memory = new SessionMemory(reservation, BASE);
  const { code, constant, data } = memory.describe();
  return {
    memory,
    indirection: new Indirection(memory, RESOLVER, X86_64),
    code: code.address,
    constant: constant.address,
    data: data.address,
  };
}

/** An end of EH frames, which is all of a section that is empty. */
export const TERMINATOR = new Uint8Array(4);
/** Address just behind what is allotted to the compiler. */
export const endOf = ({ memory }: Prepared, prot: 'code' | 'constant' | 'data') => {
  const { address, sizeBytes } = memory.describe()[prot];
  return addrAdd(address, sizeBytes);
};

export const roomy = new ReservationPool(
  layoutReservation(4096, { codeBytes: 32 * MIB, constantBytes: 32 * MIB, dataBytes: MIB }),
);
