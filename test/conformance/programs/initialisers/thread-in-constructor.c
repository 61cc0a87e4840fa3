#include <pthread.h>
#include <stdio.h>
static pthread_t t;
static _Thread_local int mine = 5;
static void *work(void *p) { mine += 1; printf("thread %d\n", mine); return 0; }
__attribute__((constructor)) static void starts(void) { pthread_create(&t, 0, work, 0); pthread_join(t, 0); }
int main(void) { printf("main %d\n", mine); return 0; }
