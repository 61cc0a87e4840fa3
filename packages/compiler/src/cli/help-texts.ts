/** What stands at the end of `--help`, by command. */
export const RUN_HELP = `
FILE is a Kaleidoscope program, or - for standard input. What it prints, and a line "Evaluated to 3.000000" for each of
its expressions, go to standard output; errors go to standard error.

Or FILES are a program with a main: C and C++ (.c .cc .cpp .cxx), assembly (.s .S), LLVM assembly (.ll), bitcode, objects and
archives, known by their content. main is run with ARGS; input, output and exit code are the program's. With a Kaleidoscope
program among them, that is run, linked with the others.

Exit code: 0 when every expression was evaluated, 1 when the program has errors or an expression failed, 2 for a wrong
command line, 128 + N after signal N (130 after Ctrl-C).`;

export const REPL_HELP = `
Type :help at the prompt for its commands. Input that is complete at the end of a line is evaluated at once.`;

export const MAP_HELP = `
FILES are a Kaleidoscope program, or - for standard input; or C, C++ and the other files that run takes: then the function is one
of doubles, and columns are taken in order.

Input ends in .f64 (little-endian doubles, a row of them for each element) or .csv (numbers; a first line that is not
names the columns), or is - for CSV on standard input. Output ends in .f64 or .csv; without it, results go to standard
output, a line each. On a terminal a bar shows how far it is.

Exit code: 0 when there is a result for every element, 1 when the program or the data has errors or the function failed, 2
for a wrong command line, 128 + N after signal N.`;

export const EXECUTOR_HELP = `

An executor at ws:// or wss:// wants a token, which FARJIT_TOKEN may hold where there is no --token-file, or, at wss://,
a certificate.`;
