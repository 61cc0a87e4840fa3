#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) { char *p = malloc(10); strcpy(p, "nine char"); p = realloc(p, 100000); int *z = calloc(1000, 4); void *a = aligned_alloc(4096, 8192), *m; int r = posix_memalign(&m, 64, 100); printf("%s %d %d %d %d %d\n", p, z[999], (int)((uintptr_t)a % 4096), (int)((uintptr_t)m % 64), r, malloc_usable_size(p) >= 100000); free(p); free(z); free(a); free(m); char *d = strdup("dup"); puts(d); free(d); volatile size_t much = SIZE_MAX / 2; void *volatile none = malloc(much); return none != 0; }
