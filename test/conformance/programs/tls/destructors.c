#include <pthread.h>
#include <stdio.h>
static pthread_key_t key;
static void end(void *p) { printf("key %s\n", (char *)p); }
static void *work(void *p) { pthread_setspecific(key, p); return 0; }
int main(void) { pthread_key_create(&key, end); pthread_t t; pthread_create(&t, 0, work, "one"); pthread_join(t, 0); pthread_create(&t, 0, work, "two"); pthread_join(t, 0); return 0; }
