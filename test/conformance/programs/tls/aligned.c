#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
static _Thread_local _Alignas(64) char line[64] = {1};
static _Thread_local char odd = 3;
static _Thread_local _Alignas(32) double vector[4];
static void *work(void *p) { printf("%d %d %d %d\n", (int)((uintptr_t)line % 64), (int)((uintptr_t)vector % 32), line[0], odd); return 0; }
int main(void) { pthread_t t; work(0); pthread_create(&t, 0, work, 0); pthread_join(t, 0); return 0; }
