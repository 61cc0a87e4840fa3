#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *last(void *p) { usleep(20000); puts(p); return 0; }
int main(void) {
  pthread_t t;
  pthread_create(&t, 0, last, "after main");
  pthread_exit(0);
}
