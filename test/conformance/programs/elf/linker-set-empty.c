#include <stdio.h>
extern char __start_nothing[] __attribute__((weak)), __stop_nothing[] __attribute__((weak));
int main(void) { printf("%d\n", (int)(__stop_nothing - __start_nothing)); return 0; }
