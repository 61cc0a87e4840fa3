#include <cstdio>
#include <cstdlib>
#include <new>
struct P { static void *operator new(std::size_t n) { std::printf("new %zu\n", n); return std::malloc(n); } static void operator delete(void *p, std::size_t n) { std::printf("delete %zu\n", n); std::free(p); } virtual ~P() {} long a; };
struct Q : P { long b[4]; };
int main() { P *p = new Q; delete p; alignas(Q) char room[sizeof(Q)]; Q *q = ::new (room) Q; q->b[3] = 4; std::printf("%ld\n", q->b[3]); q->~Q(); int *n = new (std::nothrow) int[10](); std::printf("%d\n", n[9]); delete[] n; }
