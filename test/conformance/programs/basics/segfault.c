#include <stdio.h>
static int *nothing(void) { return 0; }
int main(void) { fputs("before\n", stderr); *(volatile int *)nothing() = 1; return 0; }
