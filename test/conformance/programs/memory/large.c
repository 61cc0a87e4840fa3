#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
int main(void) { char *p = malloc(64 << 20); p[0] = 1; p[(64 << 20) - 1] = 2; char *m = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); m[5] = 3; printf("%d %d %d\n", p[0] + p[(64 << 20) - 1], m[5], munmap(m, 1 << 20)); free(p); return 0; }
