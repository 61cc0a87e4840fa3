#include <stdio.h>
static int sum(int n, int m, int a[n][m]) { int s = 0; for (int i = 0; i < n; i++) for (int j = 0; j < m; j++) s += a[i][j]; return s; }
int main(void) { int n = 3; int a[n][n + 1]; for (int i = 0; i < n; i++) for (int j = 0; j <= n; j++) a[i][j] = i * j; int (*p)[n + 1] = a; n = 99; printf("%d %zu %zu %d\n", sum(3, 4, a), sizeof a, sizeof *p, p[2][3]); return 0; }
