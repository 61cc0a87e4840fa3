#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
static jmp_buf env; static int n;
static int compare(const void *a, const void *b) { if (++n == 4) longjmp(env, n); return *(const char *)a - *(const char *)b; }
int main(void) { char text[] = "qwerty"; int r = setjmp(env); if (r == 0) qsort(text, 6, 1, compare); printf("%d\n", r); return 0; }
