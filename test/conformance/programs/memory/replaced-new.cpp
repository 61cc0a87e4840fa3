#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
static int news, deletes;
void *operator new(std::size_t n) { news++; if (void *p = std::malloc(n)) return p; throw std::bad_alloc(); }
void operator delete(void *p) noexcept { deletes++; std::free(p); }
void operator delete(void *p, std::size_t) noexcept { deletes++; std::free(p); }
int main() { { std::string s(100, 'x'); s += std::string(200, 'y'); int *p = new int(3); delete p; } std::printf("%d %d\n", news > 1, news == deletes); }
