// objects: gcc -O2 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2
#include <stdio.h>
#include <string.h>
static volatile int n = 5;
int main(void) { char b[16]; memset(b, 'y', n); b[n] = 0; printf("%s\n", b); return 0; }
