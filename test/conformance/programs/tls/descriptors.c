// objects: gcc -O2 -fPIC -mtls-dialect=gnu2 -ffunction-sections
#include <pthread.h>
#include <stdio.h>
__thread int a = 1, b = 2;
static __thread long c = 3;
static void *work(void *p) { a += 10; b += 20; c += 30; printf("%d %d %ld\n", a, b, c); return 0; }
int main(void) { pthread_t t; work(0); pthread_create(&t, 0, work, 0); pthread_join(t, 0); printf("%d %d %ld\n", a, b, c); return 0; }
