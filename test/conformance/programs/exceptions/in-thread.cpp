#include <cstdio>
#include <exception>
#include <pthread.h>
#include <stdexcept>
static std::exception_ptr kept;
static void deep(int n) { if (!n) throw std::runtime_error("of a thread"); deep(n - 1); }
static void *work(void *) { try { deep(10); } catch (...) { kept = std::current_exception(); } return 0; }
int main() { pthread_t t; pthread_create(&t, 0, work, 0); pthread_join(t, 0); try { std::rethrow_exception(kept); } catch (std::exception &e) { std::puts(e.what()); } }
