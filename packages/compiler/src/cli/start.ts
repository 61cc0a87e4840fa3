import { LocalExecutor } from '../executor-client/local-executor.js';
import { describeError } from './describe-error.js';

/** What the launcher puts before the user's arguments: `--adopt-executor=DESCRIPTOR:PROCESS`. */
const ADOPTION = /^--adopt-executor=(\d{1,9}):(\d{1,9})$/;

/**
 * `farjit`, from its first moment: the executor starts before anything else is looked at, since that takes as long as
 * to start this process did.
 * @param args without Node's and the script's path.
 * @returns the exit code; everything the command opened is closed.
 */
export async function start(args: readonly string[]): Promise<number> {
  let local: LocalExecutor | undefined;
  try {
    const [, socketFd, processId] = ADOPTION.exec(args[0] ?? '') ?? [];
    const isAdopted = socketFd !== undefined;
    const given = isAdopted ? args.slice(1) : args;
    if (isAdopted) local = LocalExecutor.adopt({ socketFd: Number(socketFd), processId: Number(processId) });
    else if (wantsExecutor(given)) local = LocalExecutor.start();
    const { main } = await import('./main.js');
    return await main(given, local);
  } catch (error) {
    process.stderr.write(`farjit: ${describeError(error)}\n`);
    return 1;
  } finally {
    await local?.stop();
  }
}

/** As the launcher decides it (`command_line.c`): one that turns out not to be wanted is stopped again. */
function wantsExecutor([command, ...rest]: readonly string[]): boolean {
  if (command !== 'run' && command !== 'repl') return false;
  const options = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  return !options.some((arg) => /^(--executor(=.*)?|--help|-h)$/s.test(arg));
}
