#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static void bye(void) { puts("handlers run"); }
static void *leave(void *code) { exit((int)(long)code); }
int main(void) {
  pthread_t t;
  atexit(bye);
  pthread_create(&t, 0, leave, (void *)21);
  pthread_join(t, 0);
  return 1;
}
