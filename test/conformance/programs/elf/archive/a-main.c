// archived: b-used.c c-needed.c d-unused.c
#include <stdio.h>
int used(int); extern int never(void) __attribute__((weak));
int main(void) { printf("%d %d\n", used(1), never != 0); return 0; }
