// flags: -fstack-protector-all
#include <stdio.h>
#include <string.h>
__attribute__((noinline)) static int fill(char *to, int n) { memset(to, 'x', n); return to[n - 1]; }
__attribute__((noinline)) static int guarded(int n) { char buffer[16]; return fill(buffer, n); }
int main(void) { printf("%d\n", guarded(16)); fflush(stdout); return guarded(64); }
