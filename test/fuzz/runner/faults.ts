import type { SourceMutation } from './mutate-sources.js';
import type { SeedName } from './seeds.js';

/** A piece of the native runner's sources, and what stands there instead. */
export interface NativeMutation {
  /** In packages/executor/runner. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A mistake in host or runner that a hostile program can make something of. */
export interface Fault {
  readonly host?: readonly SourceMutation[];
  readonly runner?: readonly NativeMutation[];
  /** The seed that finds it. */
  readonly seed: SeedName;
}

const NEVER = 'if (false)';
const host = (file: string, from: string, to: string): SourceMutation => ({
  file: `/executor/dist/src/${file}.js`,
  from,
  to,
});

/** What keeps an exception of one session's from ending the host. */
const NO_GUARD = [
  host('guard', 'this.fault(place, error);\n            return undefined;', 'throw error;'),
  host('turns', 'this.#owner.fault(error);', 'throw error;'),
];

/** A slot beyond the last is beyond the control area, and not where a runner may write what it likes. */
const NOTHING_BEHIND_SLOTS = host(
  'control-area',
  'return CONTROL.reentry + slot * REENTRY_SLOT_BYTES;',
  'return slot < 256 ? CONTROL.reentry + slot * REENTRY_SLOT_BYTES : 2 ** 24;',
);

/** What a runner floods its host with is bells that mean something: HOT, if there were no end to it. */
const HOT_AGAIN = host(
  'hot-counters',
  "return this.#options.fault('the runner rang with HOT before anybody had looked');",
  'return;',
);

/** What lets threads wait by priority inheritance, for which a wake of the host's is an error. */
const ANY_WAIT: NativeMutation = {
  file: 'system_calls.c',
  from: 'NO_FUTEX(FUTEX_WAIT_REQUEUE_PI)',
  to: 'FUTEX(FUTEX_WAIT_REQUEUE_PI, "")',
};

/** Each is what host or runner would be without one of its checks or bounds. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'what throws ends the host': {
    host: [
      ...NO_GUARD,
      NOTHING_BEHIND_SLOTS,
      host(
        'runner-process',
        'kind === BellKind.reenter && slot < REENTRY_SLOT_COUNT',
        'kind === BellKind.reenter',
      ),
    ],
    seed: 'REENTER of a slot far beyond the last',
  },
  'bells of no kind are passed over': {
    host: [
      host(
        'runner-process',
        "this.kill({\n            kind: 'fault',\n            message: `the runner rang with kind",
        "void ({\n            kind: 'fault',\n            message: `the runner rang with kind",
      ),
    ],
    seed: 'a bell of no kind',
  },
  'the number of a reentry slot is not checked': {
    host: [
      NOTHING_BEHIND_SLOTS,
      host(
        'runner-process',
        'kind === BellKind.reenter && slot < REENTRY_SLOT_COUNT',
        'kind === BellKind.reenter',
      ),
    ],
    seed: 'REENTER of a slot far beyond the last',
  },
  'the state of a reentry slot is not checked': {
    host: [host('reentry', 'if (state !== ReentryState.posted)', NEVER)],
    seed: 'REENTER of a slot that has been released',
  },
  'a reentry slot may be posted twice': {
    host: [host('reentry', 'if (this.#blocked.has(slot))', NEVER)],
    seed: 'a reentry slot posted twice',
  },
  'the words of a host call are not checked': {
    host: [host('host-calls', 'if (wrong !== undefined)', NEVER)],
    seed: 'a host call with what is of another type',
  },
  'a host call need not be posted': {
    host: [host('host-calls', 'if (!hasLeft || !last?.entered)', NEVER)],
    seed: 'a host call that comes back from nowhere',
  },
  'the kind of a reentry is not checked': {
    host: [host('reentry', 'if (kind !== ReentryKind.compile)', NEVER)],
    seed: 'a reentry of no kind',
  },
  'the trampoline of a reentry is not checked': {
    host: [host('reentry', 'if (trampoline === undefined)', NEVER)],
    seed: 'a reentry from no trampoline',
  },
  'CALL_DONE is believed without a call': {
    host: [host('calls', 'if (!call)\n            return false;', 'if (!call)\n            return true;')],
    seed: 'CALL_DONE without a call',
  },
  'CALL_DONE throws without a call': {
    host: [host('calls', 'if (!call)\n            return false;', '')],
    seed: 'CALL_DONE of a slot that says it is done',
  },
  'the state of a call slot is not checked': {
    host: [host('calls', 'if (state !== CallState.returned && state !== CallState.unwound)', NEVER)],
    seed: 'CALL_DONE of a call that runs',
  },
  'DONE is believed without work': {
    host: [
      host('control-work', 'if (!job)\n            return false;', 'if (!job)\n            return true;'),
    ],
    seed: 'DONE without work',
  },
  'whether there is a counter is not checked': {
    host: [host('memory', 'if (!contains(data, data.offset + dataOffset, COUNTER_BYTES))', NEVER)],
    seed: 'HOT where no counter is',
  },
  'which words are counters is not checked': {
    host: [host('hot-bits', 'if (word < FIRST_COUNTER || word >= AFTER_COUNTERS)', NEVER)],
    seed: 'HOT of what is no counter',
  },
  'HOT may be rung again and again': {
    host: [HOT_AGAIN],
    seed: 'HOT again before anybody has looked',
  },
  'the name of a limit is not checked': {
    host: [
      host(
        'reached-limits',
        "if (name === undefined || typeof value !== 'number' || this.#kinds.has(kind))",
        NEVER,
      ),
    ],
    seed: 'a limit of no name',
  },
  'a limit may be reached twice': {
    host: [host('reached-limits', ' || this.#kinds.has(kind)', '')],
    seed: 'a limit reached twice',
  },
  'the length of a trap report is not checked': {
    host: [
      host(
        'control-area',
        'Math.min(end.readUInt32LE(END.frameCount), TRAP_FRAME_COUNT)',
        'end.readUInt32LE(END.frameCount)',
      ),
    ],
    seed: 'a trap report beyond its bounds',
  },
  'one thread lands of those that wait together': {
    host: [
      host(
        'reentry',
        'this.#control.wakeReentry(slot, ReentryState.released);',
        'this.#control.wakeReentry(slot, ReentryState.released);\n            break;',
      ),
    ],
    seed: 'first calls of many threads at one stub',
  },
  'bells have no turns': {
    host: [HOT_AGAIN, host('doorbell', 'at > 0 && this.#turns?.hasTimeLeft === false', 'false')],
    seed: 'a flood of HOT',
  },
  'output has no limit': {
    host: [host('calls', 'if (most > output)', NEVER)],
    seed: 'more output than is allowed',
  },
  'a call that is stopped goes on': {
    host: [host('calls', 'return this.#runner.kill(end);', 'return;')],
    seed: 'a runner that stops itself',
  },
  'nobody expects a runner to be gone': {
    host: [host('mappings-meter', ".catch(() => '')", '')],
    seed: 'a trap while much is asked',
  },
  'a session that is closed leaves its runner': {
    host: [host('session-runners', 'runner?.kill(end);', '')],
    seed: 'first calls',
  },
  'a file of a runner is not closed': {
    host: [host('mappings-meter', '!this.#isClosed && this.#readCount === 0', 'false')],
    seed: 'first calls',
  },
  'a user is not given back': {
    host: [host('runner-pool', 'users.giveBack(userId);', '')],
    seed: 'first calls',
  },
  'a reservation is not given back': {
    host: [host('runner-pool', 'reservation.release();', '')],
    seed: 'first calls',
  },
  'a figure that is missing counts as nothing': {
    host: [host('process-files', '?? Number.NaN', '?? 0')],
    seed: 'memory after the first thread has ended',
  },
  'what is not mapped is not counted': {
    host: [host('runner-watch', 'Math.max(this.#allocatedBytes, sharedBytes)', 'sharedBytes')],
    seed: 'session memory dropped from view',
  },

  'threads may wait for what the host wakes in any way': {
    runner: [ANY_WAIT],
    seed: 'a call slot waited for with a PI operation',
  },
  'a wake that fails ends the host': {
    host: NO_GUARD,
    runner: [ANY_WAIT],
    seed: 'a call slot waited for with a PI operation',
  },
  'memory may be shared': {
    runner: [
      {
        file: 'system_calls.c',
        from: 'SCMP_CMP(3, SCMP_CMP_MASKED_EQ, ~(uint64_t)PRIVATE_FLAGS | MAP_PRIVATE | MAP_ANONYMOUS,\n\t\t\t\tMAP_PRIVATE | MAP_ANONYMOUS)',
        to: 'SCMP_CMP(3, SCMP_CMP_GE, 0)',
      },
    ],
    seed: 'memory that is shared with nobody',
  },
  'signals come while a thread has a reentry slot': {
    runner: [{ file: 'signal_mask.h', from: 'blocked = UINT64_MAX', to: 'blocked = 0' }],
    seed: 'threads cancelled at once in their first call',
  },
  'a thread that has a reentry slot rings where it can be cancelled': {
    runner: [
      {
        file: 'bell.c',
        from: 'syscall(SYS_write, FARJIT_FD_DOORBELL, &bell, sizeof bell)',
        to: 'write(FARJIT_FD_DOORBELL, &bell, sizeof bell)',
      },
    ],
    seed: 'threads cancelled before their first call',
  },
  'a call may end its own thread': {
    runner: [
      { file: 'threads.c', from: 'thread->call_slot != FARJIT_NO_CALL_SLOT && !is_main', to: 'false' },
    ],
    seed: 'a call that ends its own thread',
  },
};
