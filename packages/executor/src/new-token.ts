import { Command, CommanderError } from 'commander';
import { wrappedHelp } from './help-text.js';
import { complaints } from './say-error.js';
import { SettingsError } from './settings.js';
import { parseTokenFile } from './token-file.js';
import { hashToken, makeToken } from './tokens.js';

const HELP = `
The token goes to standard error, once, and is kept nowhere: give it to the client, as FARJIT_TOKEN or in a file of its own. Its \
entry for the executor's token file, with the hash, goes to standard output. With --json, {"token":"…","entry":{"name":"…",\
"sha256":"…"}} goes to standard output, and nothing to standard error.

Examples:
  farjit-executor new-token build-farm >> tokens.yaml 2> build-farm.token`;

/** `farjit-executor new-token NAME`: a token, and its entry for the token file. */
export async function newToken(argv: readonly string[]): Promise<{ readonly exitCode: number }> {
  const say = complaints(argv.includes('--json'));
  const command = new Command('farjit-executor new-token')
    .description('Makes a token that lets clients connect.')
    .argument('<name>', 'what errors, logs and metrics call whoever has it')
    .option('--expires <date>', 'from when on it is refused, as in 2030-12-31 or 2030-12-31T18:00:00Z')
    .option('--json', 'token, entry and errors in JSON')
    .addHelpText('after', wrappedHelp(HELP))
    .configureOutput({ outputError: say.usage })
    .exitOverride();
  try {
    command.parse([...argv], { from: 'user' });
    const [name = ''] = command.args;
    const { expires, json } = command.opts<{ expires?: string; json?: boolean }>();
    const token = makeToken();
    const sha256 = Buffer.from(hashToken(token)).toString('hex');
    const entry = { name, sha256, ...(expires === undefined ? {} : { expires }) };
    const text = [
      `- name: ${JSON.stringify(name)}`,
      `  sha256: ${sha256}`,
      ...(expires === undefined ? [] : [`  expires: ${JSON.stringify(expires)}`]),
      '',
    ].join('\n');
    // What the executor would say of it.
    await parseTokenFile(text, 'the entry');
    // Nobody should be let in by a token that nobody has.
    if (json || (await isWritten(process.stderr, `${token}\n`)))
      process.stdout.write(json ? `${JSON.stringify({ token, entry })}\n` : text);
    return { exitCode: 0 };
  } catch (error) {
    if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : 2 };
    if (!(error instanceof SettingsError)) throw error;
    say.error(error.message);
    return { exitCode: 2 };
  }
}

function isWritten(stream: NodeJS.WriteStream, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    stream.write(text, (error) => resolve(!error));
  });
}
