#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; static pthread_cond_t c = PTHREAD_COND_INITIALIZER; static int turn;
static void *work(void *p) { long id = (long)p; for (int i = 0; i < 3; i++) { pthread_mutex_lock(&m); while (turn % 3 != id) pthread_cond_wait(&c, &m); printf("%ld%c", id, i == 2 ? '\n' : ' '); turn++; pthread_cond_broadcast(&c); pthread_mutex_unlock(&m); } return 0; }
int main(void) { pthread_t t[3]; for (long i = 0; i < 3; i++) pthread_create(&t[i], 0, work, (void *)i); for (int i = 0; i < 3; i++) pthread_join(t[i], 0); return 0; }
