#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"

static const char OWN_COMPILER[] = "bin/farjit.js";
static const char COMPILER[] = "node_modules/@farjit/compiler/bin/farjit.js";
static const char EXECUTOR[] = "node_modules/@farjit/executor/bin/farjit-executor.js";

/// Takes the last component off a path; "/" and "" stay.
static bool to_parent(char *path) {
  char *slash = strrchr(path, '/');
  if (slash == NULL || slash[1] == '\0') return false;
  slash[slash == path ? 1 : 0] = '\0';
  return true;
}

static bool join(char out[PATH_MAX], const char *folder, const char *name) {
  const char *separator = strcmp(folder, "/") == 0 ? "" : "/";
  return snprintf(out, PATH_MAX, "%s%s%s", folder, separator, name) < PATH_MAX;
}

/// `node_modules` in the package's folder and in each above it, as `require` looks.
static void find_in_node_modules(char out[PATH_MAX], const char *package, const char *name) {
  char folder[PATH_MAX];
  strcpy(folder, package);
  do {
    if (join(out, folder, name) && access(out, R_OK) == 0) return;
  } while (to_parent(folder));
  out[0] = '\0';
}

/// The folder of the package that the launcher was built in.
static bool find_package(char package[PATH_MAX]) {
  const ssize_t length = readlink("/proc/self/exe", package, PATH_MAX - 1);
  if (length < 0) {
    fprintf(stderr, "farjit: error: cannot tell where it is installed (/proc/self/exe: %s); ", strerror(errno));
    fprintf(stderr, "start it as node packages/compiler/bin/farjit.js\n");
    return false;
  }
  package[length] = '\0';
  // <package>/dist/launcher/farjit
  for (int level = 0; level < 3; level++) to_parent(package);
  return true;
}

bool find_programs(struct programs *programs, const char *from) {
  char package[PATH_MAX];
  const bool is_installed = from != NULL && realpath(from, package) != NULL;
  if (!is_installed && !find_package(package)) return false;
  // A package that is there to be installed has one, too, which would have Node look for the compiler's.
  if (is_installed || !join(programs->compiler, package, OWN_COMPILER) || access(programs->compiler, R_OK) != 0)
    find_in_node_modules(programs->compiler, package, COMPILER);
  if (programs->compiler[0] == '\0') {
    fprintf(stderr, "farjit: error: there is no %s in %s; install FarJIT as a whole, and run it where it was built\n",
            OWN_COMPILER, package);
    return false;
  }
  find_in_node_modules(programs->executor, package, EXECUTOR);
  return true;
}
