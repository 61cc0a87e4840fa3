#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void clean(void *p) { printf("clean %s\n", (char *)p); }
static int state; static void inner(void) { pthread_cleanup_push(clean, "inner"); state = 1; for (;;) pause(); pthread_cleanup_pop(0); }
static void *work(void *p) { pthread_cleanup_push(clean, "outer"); inner(); pthread_cleanup_pop(0); return 0; }
int main(void) { pthread_t t; void *r; pthread_create(&t, 0, work, 0); usleep(10000); pthread_cancel(t); pthread_join(t, &r); printf("%d\n", r == PTHREAD_CANCELED); return 0; }
