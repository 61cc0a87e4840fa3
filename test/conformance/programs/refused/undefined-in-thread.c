// refused: MATERIALIZATION_FAILED|LINK_ERROR no definition of "nowhere"
#include <pthread.h>
#include <stdio.h>
int nowhere(int);
static void *work(void *unused) { return nowhere(1) ? unused : 0; }
int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, work, 0);
  pthread_join(thread, 0);
  puts("went on");
  return 0;
}
