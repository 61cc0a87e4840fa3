#include <pthread.h>
#include <stdio.h>
static pthread_barrier_t barrier;
static _Thread_local int late = 41;
static int touch(void) { return ++late; }
static void *work(void *p) { pthread_barrier_wait(&barrier); int a = touch(), b = touch(); return (void *)(long)(a * 100 + b); }
int main(void) {
  pthread_t t[4];
  pthread_barrier_init(&barrier, 0, 5);
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0);
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < 4; i++) { void *r; pthread_join(t[i], &r); printf("%ld\n", (long)r); }
  printf("%d\n", touch());
  return 0;
}
