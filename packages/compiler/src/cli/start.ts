import { LocalExecutor } from '../executor-client/local-executor.js';
import { describeError } from './describe-error.js';
import type { Ended } from './end-process.js';
import { OutputWatch } from './output-watch.js';

export { endProcess } from './end-process.js';

/** What the launcher puts before the user's arguments: `--adopt-executor=DESCRIPTOR:PROCESS`. */
const ADOPTION = /^--adopt-executor=(\d{1,9}):(\d{1,9})$/;

/**
 * `farjit`, from its first moment: the executor starts before anything else is looked at, since that takes as long as
 * to start this process did.
 * @param args without Node's and the script's path.
 */
export async function start(args: readonly string[]): Promise<Ended> {
  let local: LocalExecutor | undefined;
  const output = new OutputWatch(process.stdout);
  try {
    const [, socketFd, processId] = ADOPTION.exec(args[0] ?? '') ?? [];
    const isAdopted = socketFd !== undefined;
    const given = isAdopted ? args.slice(1) : args;
    if (isAdopted) local = LocalExecutor.adopt({ socketFd: Number(socketFd), processId: Number(processId) });
    else if (wantsExecutor(given)) local = LocalExecutor.start();
    const { main } = await import('./main.js');
    const exitCode = await output.exitCodeOf(await main(given, local), say);
    return { exitCode, isLoaded: local !== undefined };
  } catch (error) {
    say(describeError(error));
    return { exitCode: 1, isLoaded: false };
  } finally {
    await local?.stop();
  }
}

function say(words: string): void {
  process.stderr.write(`farjit: ${words}\n`);
}

/**
 * As the launcher decides it (`command_line.c`): not when the executor is told more than to start. One that turns out
 * not to be wanted is stopped again.
 */
function wantsExecutor([command, ...rest]: readonly string[]): boolean {
  if (command !== 'run' && command !== 'repl') return false;
  const options = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  return !options.some((arg) => /^(--(executor|sandbox|limit|preload)(=.*)?|--help|-h)$/s.test(arg));
}
