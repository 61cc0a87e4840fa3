#include <stdio.h>
#include <stdlib.h>
static int n; static int compare(const void *a, const void *b) { n++; return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b; }
int main(void) { static int v[20000]; unsigned x = 7; for (int i = 0; i < 20000; i++) v[i] = (int)((x = x * 1103515245 + 12345) >> 8); qsort(v, 20000, 4, compare); int ok = 1; for (int i = 1; i < 20000; i++) ok &= v[i - 1] <= v[i]; int key = v[777], *found = bsearch(&key, v, 20000, 4, compare); printf("%d %d %d\n", ok, *found == key, n > 20000); return 0; }
