import { formatLimit } from '@farjit/protocol/limits';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type * as v from 'valibot';
import { mergeLayers, type OptionLayer, readConfiguration } from './configuration.js';
import { wrappedHelp } from './help-text.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import {
  flagOf,
  GROUPS,
  OPTION_NAMES,
  OPTIONS,
  type OptionDeclaration,
  type OptionValues,
  valueOfText,
  variableOf,
} from './options.js';
import { complaints } from './say-error.js';
import { checkSettings, SettingsError } from './settings.js';
import { refuseUnusedInherited, refuseUnusedListening } from './unused-options.js';
import { VERSION } from './version.js';

const HELP = `
Each of these, except for --config, --check-config and --inherit-fd, is also a variable (FARJIT_MAX_SESSIONS) and a key of the \
configuration file, which is YAML or JSON (maxSessions: 10). The command line counts most, then variables, then the file. With \
--inherit-fd, variables are not looked at.

Limits and their defaults, per session:
${Object.entries(DEFAULT_LIMITS)
  .map(([name, value]) => `  ${formatLimit({ name: name as keyof Limits, value: value ?? 0 })}`)
  .join('\n')}

Times of calls are in milliseconds, CPU time is in seconds. docs/security.md says what each of them does.

SIGHUP reads certificates, keys and tokens again.

Exit code: 0 when a signal ended it, 1 when it could not start or serve, 2 for a wrong command line, variable or configuration file. \
With --check-config: 0 when it would start, 1 when an address, a certificate or the tokens keep it from that, 2 as otherwise.

Examples:
  farjit-executor --listen ws+unix:/run/farjit.sock
      Serve this user on this machine.
  farjit-executor new-token build-farm --out build-farm.token >> tokens.yaml
      Make a token.
  farjit-executor --listen wss://0.0.0.0:9000 --tls-cert cert.pem --tls-key key.pem --token-file tokens.yaml
      Serve whoever has a token.`;

/** What `farjit-executor` was asked to do. */
export interface ExecutorOptions extends OptionValues {
  readonly listen: readonly string[];
  readonly inheritFd?: number;
  /** Only say what has been read, and see whether all is right: what each place says, the one that counts most last. */
  readonly checkConfig?: readonly OptionLayer[];
  /** What it has to say to its one compiler's user, or of the configuration that it checks, is in JSON. */
  readonly json?: boolean;
}

/** What only the command line has. */
interface OwnOptions {
  readonly config: string | undefined;
  readonly checkConfig: boolean | undefined;
  readonly inheritFd: number | undefined;
}

/**
 * Reads the command line, variables and configuration. `--help`, `--version`, `new-token` and mistakes are answered here.
 * @returns the options, or the exit code when there is nothing left to do.
 */
export async function parseCommandLine(
  argv: readonly string[],
  variables: NodeJS.ProcessEnv = process.env,
): Promise<ExecutorOptions | { readonly exitCode: number }> {
  if (argv[0] === 'new-token') return (await import('./new-token.js')).newToken(argv.slice(1));
  const json = argv.includes('--json');
  const say = complaints(json);
  try {
    const { config, checkConfig, inheritFd, ...given } = parse(argv, json);
    if (json && inheritFd === undefined && !checkConfig)
      throw new SettingsError(
        '--json is for --version, --check-config, --inherit-fd and new-token; what is logged is in JSON with --log-format=json',
      );
    if (inheritFd !== undefined) refuseUnusedInherited({ config, checkConfig, ...given });
    // Whoever starts it for himself says all there is to say.
    const configured =
      inheritFd === undefined
        ? await readConfiguration(config ?? (variables.FARJIT_CONFIG?.trim() || undefined), variables)
        : [];
    const layers = [...configured, { values: given, placeOf: flagOf }];
    const options = {
      listen: [],
      ...mergeLayers(layers),
      ...(checkConfig ? { checkConfig: layers } : {}),
      ...(inheritFd === undefined ? {} : { inheritFd }),
      ...(json ? { json } : {}),
    };
    // Of a file that is to be checked, all is looked at.
    if (!checkConfig) refuseUnusedListening(given, options);
    if (options.listen.length > 0 || inheritFd !== undefined) return options;
    say.error('nowhere to listen: give --listen ws+unix:PATH');
    return { exitCode: 2 };
  } catch (error) {
    if (error instanceof CommanderError) return { exitCode: error.exitCode === 0 ? 0 : 2 };
    if (!(error instanceof SettingsError)) throw error;
    say.error(error.message);
    return { exitCode: 2 };
  }
}

function parse(argv: readonly string[], json: boolean): OptionValues & OwnOptions {
  const program = createProgram(json);
  program.parse([...argv], { from: 'user' });
  const {
    config,
    checkConfig,
    inheritFd,
    json: _,
    ...raw
  } = program.opts<Partial<OwnOptions> & Record<string, unknown>>();
  const values = Object.entries(raw).map(([name, value]) => {
    const { schema } = OPTIONS[name as keyof typeof OPTIONS];
    return [name, checkSettings(value, schema as v.GenericSchema, () => flagOf(name))];
  });
  return { ...Object.fromEntries(values), config, checkConfig, inheritFd };
}

function createProgram(json: boolean): Command {
  const program = new Command('farjit-executor').description(
    'Runs code that a FarJIT compiler sends, each session in a sandboxed process of its own.',
  );
  for (const name of OPTION_NAMES) program.addOption(optionOf(name, OPTIONS[name]));
  return program
    .option(
      '--config <file>',
      `read options from a YAML or JSON file (default: ${variableOf('config')})`,
      parsePath,
    )
    .option(
      '--check-config',
      'say what each option is and where that stands, see whether certificates and tokens are right, and exit',
    )
    .option('--inherit-fd <number>', 'serve one connection over this open socket, then exit', parseDescriptor)
    .option('--json', 'with --version, --check-config or --inherit-fd: say it in JSON')
    .addHelpText('after', wrappedHelp(HELP))
    .version(json ? JSON.stringify({ 'farjit-executor': VERSION, node: process.versions.node }) : VERSION)
    .configureOutput({ outputError: complaints(json).usage })
    .exitOverride();
}

function optionOf(name: string, { group, form, argument, description, fallback }: OptionDeclaration): Option {
  const words = fallback === undefined ? description : `${description} (default: ${fallback})`;
  const option = new Option(argument === undefined ? flagOf(name) : `${flagOf(name)} ${argument}`, words);
  option.helpGroup(GROUPS[group]);
  return form === 'flag' ? option : option.argParser((text, before) => valueOfText(form, text, before));
}

function parsePath(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It is empty.');
  return text.trim();
}

function parseDescriptor(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It is not a descriptor number.');
  return Number(text);
}
