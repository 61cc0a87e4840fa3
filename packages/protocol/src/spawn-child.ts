import { ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * A program that was started, or could not be: then it has no process id, `kill` does nothing and answers false, and `error` is
 * emitted in a moment.
 */
export interface SpawnedChild {
  readonly child: ChildProcess;
  /** What its descriptors lead to that are pipes; a socket that leads nowhere where there is none. */
  pipe(descriptor: number): Socket;
}

/**
 * Starts a program. Node says in three ways that it cannot: by an event, by throwing where there is no memory, and where there
 * are no descriptors left by an event about a child without pipes. Here it is always the event, so nobody has to look first.
 */
export function spawnChild(program: string, args: readonly string[], options: SpawnOptions): SpawnedChild {
  const child = started(() => spawn(program, args, options));
  // Node would signal process 0, which to kill(2) is the caller's own group: this process and those that it belongs to.
  if (child.pid === undefined) child.kill = () => false;
  const nowhere = new Map<number, Socket>();
  return {
    child,
    pipe: (descriptor) => {
      const socket = (child.stdio?.[descriptor] ?? nowhere.get(descriptor) ?? new Socket()) as Socket;
      nowhere.set(descriptor, socket);
      return socket;
    },
  };
}

function started(start: () => ChildProcess): ChildProcess {
  try {
    return start();
  } catch (error) {
    // What is wrong with the arguments is our own mistake.
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    const child = new ChildProcess();
    process.nextTick(() => child.emit('error', error));
    return child;
  }
}
