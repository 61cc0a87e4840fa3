#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
static pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER; static sem_t s; static int v; static void *work(void *p) { sem_wait(&s); pthread_rwlock_wrlock(&l); v += 3; pthread_rwlock_unlock(&l); sem_post(&s); return 0; }
int main(void) { pthread_t t[6]; sem_init(&s, 0, 2); for (int i = 0; i < 6; i++) pthread_create(&t[i], 0, work, 0); for (int i = 0; i < 6; i++) pthread_join(t[i], 0); pthread_rwlock_rdlock(&l); printf("%d\n", v); return 0; }
