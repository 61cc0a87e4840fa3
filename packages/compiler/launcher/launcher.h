// The launcher: `farjit`, which starts the compiler and, for commands that want one, its executor host beside it. Both
// are Node, and to start Node takes as long as all the rest of a short program.

#ifndef FARJIT_LAUNCHER_H
#define FARJIT_LAUNCHER_H

#include <limits.h>
#include <stdbool.h>

/// The two programs Node is started with; absolute paths.
struct programs {
  char compiler[PATH_MAX];
  /// Empty when @farjit/executor is not installed: the compiler says what to do.
  char executor[PATH_MAX];
};

/// Finds them as Node finds packages.
/// @param from the folder of the package that wants them; NULL for the launcher's own, of `<package>/dist/launcher/farjit`.
/// @returns false, with words on standard error, when there is no compiler.
bool find_programs(struct programs *programs, const char *from);

/// The folder in `--launched-from=FOLDER`, which `bin/farjit` of the package farjit puts before the user's arguments; NULL
/// when it is not the first of them.
const char *launched_from(char *const *args);

/// Answers a command line whose answer was written down.
/// @param compiler its path; the answers are in its package.
/// @param args behind the program's name.
/// @returns false, and has mostly written nothing, when the compiler is to answer.
bool answer(const char *compiler, char *const *args);

/// Whether a command line's command runs code in an executor of its own. What this gets wrong costs time only: an
/// executor that the compiler does not want ends when its socket is closed, and one it misses it starts itself.
/// @param args as `main` gets them, the program's name first.
bool wants_executor(char *const *args);

#endif
