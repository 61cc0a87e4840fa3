#include <stdio.h>
extern int puts(const char *) __attribute__((weak));
extern int no_such_function(int) __attribute__((weak));
int main(void) { if (puts) puts("there"); if (!no_such_function) printf("not there\n"); return 0; }
