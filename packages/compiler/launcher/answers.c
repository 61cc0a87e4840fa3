// What is the same each time, and was written down when FarJIT was built: its version, and the help of its commands. To ask
// Node takes fifty times as long.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "launcher.h"

/// Of `farjit doctor --help`, the longest there is, and some.
enum { MAX_ANSWER_BYTES = 32 * 1024 };
/// Help is wrapped at this width, and narrower only where a terminal is.
enum { HELP_COLUMNS = 80 };

static const char COMPILER[] = "bin/farjit.js";
static const char ANSWERS[] = "dist/bundle/answers/";

static bool is_one_of(const char *arg, const char *one, const char *other) {
  return strcmp(arg, one) == 0 || strcmp(arg, other) == 0;
}

// The command that help is asked about, "" for `farjit` itself; NULL when it is something else that is asked.
static const char *helped_command(char *const *args) {
  const bool is_alone = args[1] == NULL;
  if (is_one_of(args[0], "--help", "-h") || strcmp(args[0], "help") == 0) {
    if (is_alone) return "";
    return strcmp(args[0], "help") == 0 && args[2] == NULL ? args[1] : NULL;
  }
  return !is_alone && args[2] == NULL && is_one_of(args[1], "--help", "-h") ? args[0] : NULL;
}

static bool is_set(const char *name) {
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0';
}

/// Whether help is printed as it is written down, and with what behind its name; as `wantsColors` of colors.ts has it.
static bool find_form(const char **form) {
  if (is_set("FORCE_COLOR")) return false;
  *form = "";
  if (!isatty(STDOUT_FILENO)) return true;
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < HELP_COLUMNS) return false;
  const char *terminal = getenv("TERM");
  const bool is_dumb = terminal != NULL && strcmp(terminal, "dumb") == 0;
  if (!is_set("NO_COLOR") && !is_dumb) *form = ".bold";
  return true;
}

// The file that has the answer. False: there is none.
static bool find_answer(char path[PATH_MAX], const char *compiler, char *const *args) {
  const size_t length = strlen(compiler);
  if (args[0] == NULL || length < strlen(COMPILER)) return false;
  const int folder = (int)(length - strlen(COMPILER));
  if (args[1] == NULL && is_one_of(args[0], "--version", "-V"))
    return snprintf(path, PATH_MAX, "%.*s%sversion", folder, compiler, ANSWERS) < PATH_MAX;
  const char *command = helped_command(args);
  const char *form;
  if (command == NULL || strspn(command, "abcdefghijklmnopqrstuvwxyz") != strlen(command) || !find_form(&form)) return false;
  const char *separator = command[0] == '\0' ? "" : "-";
  return snprintf(path, PATH_MAX, "%.*s%shelp%s%s%s", folder, compiler, ANSWERS, separator, command, form) < PATH_MAX;
}

bool answer(const char *compiler, char *const *args) {
  static char text[MAX_ANSWER_BYTES];
  char path[PATH_MAX];
  if (!find_answer(path, compiler, args)) return false;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t length = read(file, text, sizeof text);
  close(file);
  if (length <= 0 || length == sizeof text) return false;
  // Where it cannot be written, the compiler says so.
  void (*const before)(int) = signal(SIGPIPE, SIG_IGN);
  const ssize_t written = write(STDOUT_FILENO, text, (size_t)length);
  signal(SIGPIPE, before);
  return written == length;
}
