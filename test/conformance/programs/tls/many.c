#include <pthread.h>
#include <stdio.h>
#define V(n) static _Thread_local long v##n = n;
#define E(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)
E(V)
static _Thread_local char big[4096];
#define S(n) sum += v##n++;
static void *work(void *p) { long sum = 0; E(S) E(S) big[4095]++; printf("%ld %d\n", sum, big[4095]); return 0; }
int main(void) { pthread_t t; work(0); pthread_create(&t, 0, work, 0); pthread_join(t, 0); work(0); return 0; }
