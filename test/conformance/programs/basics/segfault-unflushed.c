#include <stdio.h>
static int *nothing(void) { return 0; }
int main(void) {
  printf("lost, with what stands before it\n");
  *(volatile int *)nothing() = 1;
  return 0;
}
