// flags: -pthread
#include <pthread.h>
#include <stdexcept>
static int deep(int n) { if (!n) throw std::out_of_range("in a thread"); return deep(n - 1) + 1; }
static void *work(void *) { return (void *)(long)deep(20); }
int main() { pthread_t t; pthread_create(&t, nullptr, work, nullptr); pthread_join(t, nullptr); }
