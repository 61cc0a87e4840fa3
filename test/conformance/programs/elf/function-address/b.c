#include <stdlib.h>
typedef int (*F)(int);
int f(int);
F fromB(void) { return f; }
F const tableB[] = {f, abs};
int isSame(F g) { return g == f; }
