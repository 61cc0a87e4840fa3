// flags: -std=c++17
#include <cstdio>
static int next() { static int n; return ++n; }
template <class T> struct Counter { static inline int id = next(); };
inline int shared = next();
int main() { std::printf("%d %d %d\n", Counter<int>::id != Counter<char>::id, Counter<int>::id == Counter<int>::id, shared > 0); }
