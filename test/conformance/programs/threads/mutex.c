#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static long total; static void add(long x) { pthread_mutex_lock(&m); total += x; pthread_mutex_unlock(&m); }
static void *work(void *p) { for (long i = 0; i < 2000; i++) add((long)p); return 0; }
int main(void) { pthread_t t[8]; for (long i = 0; i < 8; i++) pthread_create(&t[i], 0, work, (void *)i); for (int i = 0; i < 8; i++) pthread_join(t[i], 0); printf("%ld\n", total); return 0; }
