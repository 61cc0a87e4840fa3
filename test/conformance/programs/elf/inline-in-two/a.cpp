#include <cstdio>
template <class T> struct Holder { static int count; static int next() { static int n = 100; count++; return n++; } };
template <class T> int Holder<T>::count = 0;
inline int shared() { static int n; return ++n; }
int fromB(); const void *addressInB();
template <class T> inline T twice(T x) { return x + x; }
int main() { shared(); int r = fromB(); std::printf("%d %d %d %d %d\n", r, shared(), Holder<int>::next(), Holder<int>::count, (const void *)&twice<int> == addressInB()); return twice(0); }
