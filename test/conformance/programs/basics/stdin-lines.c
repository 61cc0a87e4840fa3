// stdin: first\nsecond line\n\nlast without end
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  char *line = NULL;
  size_t size = 0;
  ssize_t length;
  while ((length = getline(&line, &size, stdin)) >= 0) printf("%zd %zu\n", length, strcspn(line, "\n"));
  free(line);
  return 0;
}
