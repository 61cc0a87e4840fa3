#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static volatile int done; static void *work(void *p) { done = 1; return 0; }
int main(void) { pthread_attr_t a; pthread_attr_init(&a); pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED); pthread_attr_setstacksize(&a, 1 << 20); pthread_t t; printf("%d\n", pthread_create(&t, &a, work, 0)); for (int i = 0; i < 500 && !done; i++) usleep(1000); printf("%d\n", done); return 0; }
