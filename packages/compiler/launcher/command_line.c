#include <string.h>
#include <unistd.h>

#include "launcher.h"

static bool begins_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

const char *launched_from(char *const *args) {
  static const char OPTION[] = "--launched-from=";
  if (args[0] == NULL || args[1] == NULL || !begins_with(args[1], OPTION)) return NULL;
  return args[1] + strlen(OPTION);
}

static const char *const RUNNING_COMMANDS[] = {"run", "repl"};
static const char *const OTHER_COMMANDS[] = {"map",  "cache", "recording", "doctor", "completion", "complete",
                                             "help", "-h",    "--help",    "-V",     "--version"};
// Options of the executor, which is started by whoever has read them.
static const char *const EXECUTOR_OPTIONS[] = {"--executor", "--sandbox", "--limit", "--preload"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static bool is_among(const char *arg, const char *const *names, size_t count) {
  for (size_t index = 0; index < count; index++)
    if (strcmp(arg, names[index]) == 0) return true;
  return false;
}

// `name` or `name=...`.
static bool is_option(const char *arg, const char *name) {
  return begins_with(arg, name) && (arg[strlen(name)] == '\0' || arg[strlen(name)] == '=');
}

// Where the arguments of a command that runs code begin, NULL for another one. Without a command it is `run` for a file, `-`, and
// an option; as `withCommand` of command-names.ts has it.
static char *const *running_arguments(char *const *args) {
  const char *first = *args;
  if (first != NULL && strcmp(first, "--json") == 0) first = *++args;
  if (first == NULL || is_among(first, OTHER_COMMANDS, COUNT(OTHER_COMMANDS))) return NULL;
  if (is_among(first, RUNNING_COMMANDS, COUNT(RUNNING_COMMANDS))) return args + 1;
  const bool is_program = first[0] == '-' || strpbrk(first, "./") != NULL || access(first, F_OK) == 0;
  return is_program ? args : NULL;
}

bool wants_executor(char *const *args) {
  if (args[0] == NULL) return false;
  char *const *arg = running_arguments(args + 1);
  if (arg == NULL) return false;
  for (; *arg != NULL && strcmp(*arg, "--") != 0; arg++) {
    for (size_t index = 0; index < COUNT(EXECUTOR_OPTIONS); index++)
      if (is_option(*arg, EXECUTOR_OPTIONS[index])) return false;
    if (strcmp(*arg, "--help") == 0 || strcmp(*arg, "-h") == 0) return false;
  }
  return true;
}
