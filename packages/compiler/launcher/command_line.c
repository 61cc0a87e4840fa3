#include <string.h>

#include "launcher.h"

static bool begins_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool wants_executor(char *const *args) {
  if (args[0] == NULL || args[1] == NULL) return false;
  if (strcmp(args[1], "run") != 0 && strcmp(args[1], "repl") != 0) return false;
  for (char *const *arg = args + 2; *arg != NULL && strcmp(*arg, "--") != 0; arg++) {
    if (strcmp(*arg, "--executor") == 0 || begins_with(*arg, "--executor=")) return false;
    if (strcmp(*arg, "--help") == 0 || strcmp(*arg, "-h") == 0) return false;
  }
  return true;
}
