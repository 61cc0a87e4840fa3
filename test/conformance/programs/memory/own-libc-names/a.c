// flags: -fno-builtin
#include <stdio.h>
#include <string.h>
int abs(int x) { return x < 0 ? -x * 100 : x; }
size_t strlen(const char *s) { size_t n = 0; while (s[n]) n++; return n + 1000; }
int helper(const char *);
int main(void) { volatile int x = -2; printf("%d %d\n", abs(x), helper("four")); return 0; }
