// `farjit`: becomes the compiler, after starting its executor host at the other end of a socket pair, so that both
// boot side by side. What node packages/compiler/bin/farjit.js does alone, sooner.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher.h"

/// Where the executor finds its end of the socket pair.
enum { INHERITED_FD = 3 };

/// What a shell answers for a program that it cannot start.
enum { CANNOT_START = 127 };

/// Certificates that Node would read at every start, for 40 ms where a whole system's are named. Without
/// `--executor` nothing here speaks TLS.
static const char EXTRA_CERTIFICATES[] = "NODE_EXTRA_CA_CERTS";

/// Where the caller has closed a standard descriptor, the socket pair would take its place, and be read, or written results
/// to. Node itself does the same, too late.
static void open_standard_descriptors(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) _exit(CANNOT_START);
}

/// Becomes the executor host. Its session is its own, so that Ctrl-C in the terminal is for the compiler to handle.
static _Noreturn void become_executor(const char *program, int socket) {
  const int null = open("/dev/null", O_RDWR);
  setsid();
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0) _exit(CANNOT_START);
  if (socket == INHERITED_FD ? fcntl(socket, F_SETFD, 0) < 0 : dup2(socket, INHERITED_FD) < 0) _exit(CANNOT_START);
  if (null > INHERITED_FD) close(null);
  char fd[16];
  snprintf(fd, sizeof fd, "%d", INHERITED_FD);
  execlp("node", "node", program, "--inherit-fd", fd, (char *)NULL);
  // The compiler's own attempt fails in the same way and says so.
  _exit(CANNOT_START);
}

/// @returns the compiler's end of the socket pair, inherited by the next program, or -1.
static int start_executor(const char *program, pid_t *process) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -1;
  *process = fork();
  if (*process == 0) become_executor(program, ends[1]);
  close(ends[1]);
  if (*process > 0 && fcntl(ends[0], F_SETFD, 0) == 0) return ends[0];
  close(ends[0]);
  return -1;
}

/// Becomes `node compiler <adopted> args...`. Returns only when that fails.
static void become_compiler(const char *compiler, char *adopted, int count, char **args) {
  char **command = calloc((size_t)count + 4, sizeof *command);
  if (command == NULL) return;
  int length = 0;
  command[length++] = "node";
  command[length++] = (char *)compiler;
  if (adopted != NULL) command[length++] = adopted;
  for (int index = 1; index < count; index++) command[length++] = args[index];
  execvp(command[0], command);
  free(command);
}

int main(int count, char **args) {
  struct programs programs;
  open_standard_descriptors();
  const char *from = launched_from(args);
  if (from != NULL) {
    args++;
    count--;
  }
  if (!find_programs(&programs, from)) return CANNOT_START;
  if (count > 0 && answer(programs.compiler, args + 1)) return 0;
  char option[64];
  char *adopted = NULL;
  if (programs.executor[0] != '\0' && wants_executor(args)) {
    unsetenv(EXTRA_CERTIFICATES);
    pid_t process = 0;
    const int socket = start_executor(programs.executor, &process);
    if (socket >= 0) {
      snprintf(option, sizeof option, "--adopt-executor=%d:%d", socket, (int)process);
      adopted = option;
    }
  }
  become_compiler(programs.compiler, adopted, count, args);
  fprintf(stderr, "farjit: error: cannot start node: %s; FarJIT needs Node 20 or later in PATH\n", strerror(errno));
  return CANNOT_START;
}
