// objects: gcc -O2 -fPIE
#include <pthread.h>
#include <stdio.h>
__thread int a = 1;
static __thread int b = 2;
extern __thread int a;
static void *work(void *p) { printf("%d %d\n", a++, b++); return 0; }
int main(void) { pthread_t t; a = 7; pthread_create(&t, 0, work, 0); pthread_join(t, 0); work(0); work(0); return 0; }
