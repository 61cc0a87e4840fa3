// objects: gcc -O3 -fPIC
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct item { const char *name; int value; };
static struct item items[] = {{"pear", 3}, {"apple", 1}, {"fig", 2}}; static int calls;
static int compare(const void *a, const void *b) { calls++; return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name); }
static long sum(const int *v, int n) { long s = 0; for (int i = 0; i < n; i++) s += v[i] * (i & 3); return s; }
int main(void) { int v[100]; for (int i = 0; i < 100; i++) v[i] = i ^ 21; qsort(items, 3, sizeof *items, compare); for (int i = 0; i < 3; i++) printf("%s %d\n", items[i].name, items[i].value); fprintf(stderr, "%ld %d %g\n", sum(v, 100), calls > 1, atof("2.5")); return items[0].value; }
