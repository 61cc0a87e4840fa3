// flags: -fexceptions
#include <pthread.h>
#include <stdio.h>
static void clean(int *p) { printf("clean %d\n", *p); }
static void deep(int n) { __attribute__((cleanup(clean))) int x = n; if (n == 0) pthread_exit((void *)5); deep(n - 1); }
static void *work(void *p) { deep(3); return 0; }
int main(void) { pthread_t t; void *r; pthread_create(&t, 0, work, 0); pthread_join(t, &r); printf("%ld\n", (long)r); return 0; }
