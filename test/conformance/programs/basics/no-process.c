// differs: a confined program starts no process; fork, system and popen fail in its hands
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/wait.h>
int main(void) {
  pid_t child = fork();
  if (child == 0) _exit(3);
  int status = -1;
  if (child > 0) waitpid(child, &status, 0);
  printf("%s %d\n", child < 0 ? "no fork" : "forked", WEXITSTATUS(status));
  return 0;
}
