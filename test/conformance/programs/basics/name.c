#define _GNU_SOURCE
#include <errno.h>
#include <err.h>
#include <stdio.h>
int main(void) {
  printf("%s %s\n", program_invocation_name, program_invocation_short_name);
  fflush(stdout);
  errno = ENOENT;
  warn("cannot do %d", 1);
  perror("perror");
  errx(6, "ends with %d", 6);
}
