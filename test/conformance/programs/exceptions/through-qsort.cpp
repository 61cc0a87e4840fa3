#include <cstdio>
#include <cstdlib>
static int calls;
static int compare(const void *a, const void *b) { if (++calls == 5) throw *(const int *)a; return *(const int *)a - *(const int *)b; }
int main() { int v[] = {5, 3, 9, 1, 7, 2, 8}; try { std::qsort(v, 7, sizeof *v, compare); std::puts("sorted"); } catch (int) { std::printf("after %d\n", calls); } }
