#include <cstdio>
#include <pthread.h>
struct Loud { int n; Loud() : n(1) { std::puts("made"); } ~Loud() { std::printf("ended %d\n", n); } };
static thread_local Loud loud;
static void *work(void *) { loud.n++; return 0; }
int main() { pthread_t t; pthread_create(&t, 0, work, 0); pthread_join(t, 0); loud.n = 9; std::puts("main ends"); }
