// objects: gcc -O1 -g3 -fPIC -ffunction-sections -gdwarf-5
#include <stdio.h>
static int f(int x) { return x + 1; }
int main(void) { printf("%d\n", f(1)); return 0; }
