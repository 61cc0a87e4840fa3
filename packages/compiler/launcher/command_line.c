#include <string.h>

#include "launcher.h"

static bool begins_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

const char *launched_from(char *const *args) {
  static const char OPTION[] = "--launched-from=";
  if (args[0] == NULL || args[1] == NULL || !begins_with(args[1], OPTION)) return NULL;
  return args[1] + strlen(OPTION);
}

// Options of the executor, which is started by whoever has read them.
static const char *const EXECUTOR_OPTIONS[] = {"--executor", "--sandbox", "--limit", "--preload"};

// `name` or `name=...`.
static bool is_option(const char *arg, const char *name) {
  return begins_with(arg, name) && (arg[strlen(name)] == '\0' || arg[strlen(name)] == '=');
}

bool wants_executor(char *const *args) {
  if (args[0] == NULL || args[1] == NULL) return false;
  if (strcmp(args[1], "run") != 0 && strcmp(args[1], "repl") != 0) return false;
  for (char *const *arg = args + 2; *arg != NULL && strcmp(*arg, "--") != 0; arg++) {
    for (size_t index = 0; index < sizeof EXECUTOR_OPTIONS / sizeof EXECUTOR_OPTIONS[0]; index++)
      if (is_option(*arg, EXECUTOR_OPTIONS[index])) return false;
    if (strcmp(*arg, "--help") == 0 || strcmp(*arg, "-h") == 0) return false;
  }
  return true;
}
