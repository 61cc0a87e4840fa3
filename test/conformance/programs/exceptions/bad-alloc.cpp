#include <cstdio>
#include <new>
#include <typeinfo>
#include <vector>
int main() {
  try { std::vector<long> v; v.reserve(v.max_size() + 1); } catch (std::exception &e) { std::puts("length"); }
  try { volatile long n = -1; int *volatile p = new int[n]; delete[] p; } catch (std::bad_alloc &) { std::puts("bad alloc"); }
  volatile bool yes = true; struct P { virtual ~P() {} } *p = yes ? nullptr : new P; try { std::puts(typeid(*p).name()); } catch (std::bad_typeid &) { std::puts("bad typeid"); }
}
