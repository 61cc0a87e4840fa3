// differs: a confined program opens no file
#include <stdio.h>
#include <errno.h>
#include <string.h>
int main(void) {
  FILE *file = fopen("/etc/passwd", "r");
  puts(file ? "opened" : strerror(errno));
  return 0;
}
