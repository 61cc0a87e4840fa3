#include <pthread.h>
#include <stdio.h>
static pthread_once_t once = PTHREAD_ONCE_INIT; static int made; static void make(void) { made++; }
static void *work(void *p) { pthread_once(&once, make); return 0; }
int main(void) { pthread_t t[5]; for (int i = 0; i < 5; i++) pthread_create(&t[i], 0, work, 0); for (int i = 0; i < 5; i++) pthread_join(t[i], 0); printf("%d\n", made); return 0; }
