#include <cstdio>
#include <pthread.h>
extern thread_local int counter;
int bump();
static void *work(void *) { bump(); std::printf("%d\n", counter); return 0; }
int main() { bump(); bump(); pthread_t t; pthread_create(&t, 0, work, 0); pthread_join(t, 0); std::printf("%d\n", counter); }
