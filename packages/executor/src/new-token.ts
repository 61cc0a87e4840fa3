import { writeFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { wrappedHelp } from './help-text.js';
import { complaints } from './say-error.js';
import { SettingsError } from './settings.js';
import { parseTokenFile } from './token-file.js';
import { hashToken, makeToken } from './tokens.js';

const HELP = `
The token goes to standard error, once, and is kept nowhere: give it to the client, as FARJIT_TOKEN or in a file of its own. Its \
entry for the executor's token file, with the hash, goes to standard output. With --json, {"token":"…","entry":{"name":"…",\
"sha256":"…"}} goes to standard output, and nothing to standard error. With --out, the token goes into a new file that this user alone \
can read, and nowhere else.

Examples:
  farjit-executor new-token build-farm --out build-farm.token >> tokens.yaml`;

const TOKEN_FILE_MODE = 0o600;

/** `farjit-executor new-token NAME`: a token, and its entry for the token file. */
export async function newToken(argv: readonly string[]): Promise<{ readonly exitCode: number }> {
  const say = complaints(argv.includes('--json'));
  const command = new Command('farjit-executor new-token')
    .description('Makes a token that lets clients connect.')
    .argument('<name>', 'what errors, logs and metrics call whoever has it')
    .option('--expires <date>', 'from when on it is refused, as in 2030-12-31 or 2030-12-31T18:00:00Z')
    .option('--out <file>', 'write the token to a new file, with mode 0600, and not to standard error')
    .option('--json', 'token, entry and errors in JSON')
    .addHelpText('after', wrappedHelp(HELP))
    .configureOutput({ outputError: say.usage })
    .exitOverride();
  try {
    command.parse([...argv], { from: 'user' });
    const [name = ''] = command.args;
    const { expires, out, json } = command.opts<{ expires?: string; out?: string; json?: boolean }>();
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
    if (out !== undefined) writeToken(out, token);
    // Nobody should be let in by a token that nobody has.
    else if (!json && !(await isWritten(process.stderr, `${token}\n`))) return { exitCode: 0 };
    const told = out === undefined ? { token, entry } : { entry };
    process.stdout.write(json ? `${JSON.stringify(told)}\n` : text);
    return { exitCode: 0 };
  } catch (error) {
    if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : 2 };
    if (!(error instanceof SettingsError)) throw error;
    say.error(error.message);
    return { exitCode: 2 };
  }
}

/**
 * Makes the file: what is there stays as it is, and so does what a link leads to.
 * @throws {SettingsError} that says what to do.
 */
function writeToken(path: string, token: string): void {
  try {
    writeFileSync(path, `${token}\n`, { flag: 'wx', mode: TOKEN_FILE_MODE, flush: true });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new SettingsError(
      code === 'EEXIST'
        ? `--out: ${path} is there already, and may be somebody's token: remove it, or name another file`
        : `--out: cannot write the token: ${message}`,
    );
  }
}

function isWritten(stream: NodeJS.WriteStream, text: string): Promise<boolean> {
  return new Promise((resolve) => {
    stream.write(text, (error) => resolve(!error));
  });
}
