#include <cstdio>
#include <pthread.h>
struct D { const char *n; ~D() { std::printf("~%s\n", n); } };
static void deep(int n) { D d{n ? "outer" : "inner"}; if (n) deep(n - 1); else for (;;) pthread_testcancel(); }
static void *work(void *) { D d{"thread"}; try { deep(1); } catch (...) { std::puts("passing"); throw; } return 0; }
int main() { pthread_t t; void *r; pthread_create(&t, 0, work, 0); pthread_cancel(t); pthread_join(t, &r); std::printf("%d\n", r == PTHREAD_CANCELED); }
