#include <cstdio>
#include <pthread.h>
#include <unistd.h>
struct Slow { int value; Slow() { usleep(3000); std::puts("made"); value = 7; } };
static Slow &get() { static Slow s; return s; }
static void *work(void *) { return (void *)(long)get().value; }
int main() { pthread_t t[6]; long sum = 0; void *r; for (auto &x : t) pthread_create(&x, 0, work, 0); for (auto x : t) { pthread_join(x, &r); sum += (long)r; } std::printf("%ld\n", sum); }
