#include <stdio.h>
__attribute__((constructor)) static void never_runs(void) { puts("wrong"); }
int never(void) { return 1; }
