// objects: gcc -O2 -fPIC -ffunction-sections -freorder-blocks-and-partition
#include <stdio.h>
#include <stdlib.h>
__attribute__((cold, noinline)) static void rare(const char *w) { printf("rare %s\n", w); }
__attribute__((noinline)) static int leaf(int *v, int n) { int s = 0; for (int i = 0; i < n; i++) { if (__builtin_expect(v[i] < 0, 0)) { rare("negative"); s -= v[i] * 2; if (s > 100) { rare("large"); abort(); } } else s += v[i]; } return s; }
int main(void) { int v[] = {1, -2, 3, 4}; printf("%d %d\n", leaf(v, 1), leaf(v, 4)); return 0; }
