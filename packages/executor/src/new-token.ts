import { Command, CommanderError } from 'commander';
import { wrappedHelp } from './help-text.js';
import { sayError, sayUsage } from './say-error.js';
import { SettingsError } from './settings.js';
import { parseTokenFile } from './token-file.js';
import { hashToken, makeToken } from './tokens.js';

const HELP = `
The token goes to standard error, once, and is kept nowhere: give it to the client, as FARJIT_TOKEN or in a file of its own. Its \
entry for the executor's token file, with the hash, goes to standard output.

Examples:
  farjit-executor new-token build-farm >> tokens.yaml 2> build-farm.token`;

/** `farjit-executor new-token NAME`: a token, and its entry for the token file. */
export async function newToken(argv: readonly string[]): Promise<{ readonly exitCode: number }> {
  const command = new Command('farjit-executor new-token')
    .description('Makes a token that lets clients connect.')
    .argument('<name>', 'what errors, logs and metrics call whoever has it')
    .option('--expires <date>', 'from when on it is refused, as in 2030-12-31 or 2030-12-31T18:00:00Z')
    .addHelpText('after', wrappedHelp(HELP))
    .configureOutput({ outputError: sayUsage })
    .exitOverride();
  try {
    command.parse([...argv], { from: 'user' });
    const [name = ''] = command.args;
    const { expires } = command.opts<{ expires?: string }>();
    const token = makeToken();
    const entry = [
      `- name: ${JSON.stringify(name)}`,
      `  sha256: ${Buffer.from(hashToken(token)).toString('hex')}`,
      ...(expires === undefined ? [] : [`  expires: ${JSON.stringify(expires)}`]),
      '',
    ].join('\n');
    // What the executor would say of it.
    await parseTokenFile(entry, 'the entry');
    process.stdout.write(entry);
    process.stderr.write(`${token}\n`);
    return { exitCode: 0 };
  } catch (error) {
    if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : 2 };
    if (!(error instanceof SettingsError)) throw error;
    sayError(error.message);
    return { exitCode: 2 };
  }
}
