/* A library to preload: it opens a file when it is loaded. With STARTS_THREAD it does what such a library must not. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

static int first_byte;

int farjit_test_first_byte(void);

/* The first byte of the runner's file, which begins with 0x7f, read at load time. */
int farjit_test_first_byte(void)
{
	return first_byte;
}

static void *wait(void *ignored)
{
	for (;;)
		pause();
	return ignored;
}

__attribute__((constructor)) static void load(void)
{
	unsigned char byte = 0;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (file >= 0 && read(file, &byte, 1) == 1)
		first_byte = byte;
	close(file);
#ifdef STARTS_THREAD
	pthread_t thread;
	pthread_create(&thread, NULL, wait, NULL);
#else
	(void)wait;
#endif
}
