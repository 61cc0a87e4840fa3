// flags: -ftls-model=local-exec
#include <pthread.h>
#include <stdio.h>
static __thread int zeroed;
__thread int set = 5;
static __thread char text[] = "initial";
static __thread struct { long a; double b; } pair = {1, 2.5};
static void *work(void *p) {
  zeroed += (int)(long)p; set *= 2; text[0] = 'I'; pair.b += zeroed;
  printf("%d %d %s %ld %g\n", zeroed, set, text, pair.a, pair.b);
  return &set;
}
int main(void) {
  for (long i = 1; i <= 3; i++) { pthread_t t; void *at; pthread_create(&t, 0, work, (void *)i); pthread_join(t, &at); printf("%d\n", at == &set); }
  printf("%d %d %s %ld %g\n", zeroed, set, text, pair.a, pair.b);
  return 0;
}
