/** Variables by which programs and functions of the C library talk to each other, and the functions. */
const VARIABLES: readonly (readonly [names: readonly string[], functions: string])[] = [
  [['optarg', 'opterr', 'optind', 'optopt'], 'getopt'],
  [
    ['argp_err_exit_status', 'argp_program_bug_address', 'argp_program_version', 'argp_program_version_hook'],
    'argp_parse',
  ],
  [['error_message_count', 'error_one_per_line', 'error_print_progname'], 'error'],
  [['signgam'], 'lgamma'],
  [['getdate_err'], 'getdate'],
  [['re_syntax_options'], 're_compile_pattern'],
  [['obstack_alloc_failed_handler', 'obstack_exit_failure'], 'obstacks'],
  [['program_invocation_name', 'program_invocation_short_name'], 'error'],
  [['stderr', 'stdin', 'stdout'], 'stdio'],
];

/**
 * What a linker would have the C library share with a program, and is not shared here, in words: variables that the program
 * defines itself, and does not only declare.
 */
export function unsharedVariables(definedNames: readonly string[]): string[] {
  const defined = new Set(definedNames);
  return VARIABLES.flatMap(([names, functions]) =>
    names
      .filter((name) => defined.has(name))
      .map((name) => `${name} is the program's own, which ${functions} does not see here: declare it extern`),
  );
}
