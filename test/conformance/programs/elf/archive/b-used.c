#include <stdio.h>
int needed(int);
__attribute__((constructor)) static void early(void) { puts("constructor of a member"); }
int used(int x) { return needed(x) + 1; }
