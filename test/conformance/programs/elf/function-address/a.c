#include <stdio.h>
#include <stdlib.h>
int f(int x) { return x; }
typedef int (*F)(int);
F fromB(void); extern F const tableB[]; int isSame(F);
static F local[] = {f, f};
int main(void) { printf("%d %d %d %d %d\n", fromB() == f, tableB[0] == f, isSame(f), local[0] == local[1], (void *)abs == (void *)tableB[1]); return 0; }
