#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *work(void *p) { printf("%d\n", errno); errno = 99; return 0; }
int main(void) { close(-1); pthread_t t; pthread_create(&t, 0, work, 0); pthread_join(t, 0); printf("%d\n", errno == EBADF); return 0; }
