#include <alloca.h>
#include <stdio.h>
#include <string.h>
static int fill(char *p, int n) { memset(p, n, n); return p[n - 1]; }
static int f(int n) { int sum = 0; for (int i = 1; i < n; i++) sum += fill(alloca(i * 3), i); int v[n]; v[n - 1] = sum; { char w[n * n]; fill(w, n); sum += w[0]; } return v[n - 1] + sum; }
int main(void) { printf("%d %d\n", f(5), f(40)); return 0; }
