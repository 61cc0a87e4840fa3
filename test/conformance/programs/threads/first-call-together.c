#include <pthread.h>
#include <stdio.h>
static pthread_barrier_t b; static int shared(int x) { return x * x; } static int second(int x) { return shared(x) + 1; }
static void *work(void *p) { pthread_barrier_wait(&b); return (void *)(long)second((int)(long)p); }
int main(void) { pthread_t t[12]; long s = 0; pthread_barrier_init(&b, 0, 12); for (long i = 0; i < 12; i++) pthread_create(&t[i], 0, work, (void *)i); for (int i = 0; i < 12; i++) { void *r; pthread_join(t[i], &r); s += (long)r; } printf("%ld\n", s); return 0; }
