#include <stdio.h>
#include <unistd.h>
int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  printf("a"); write(1, "b", 1); putchar('c'); fputs("d\n", stdout);
  setvbuf(stderr, NULL, _IOFBF, 64);
  fputs("late ", stderr); write(2, "early ", 6); fflush(stderr);
  return 0;
}
