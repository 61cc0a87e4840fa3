template <class T> struct Holder { static int count; static int next() { static int n = 100; count++; return n++; } };
template <class T> int Holder<T>::count = 0;
inline int shared() { static int n; return ++n; }
template <class T> inline T twice(T x) { return x + x; }
int fromB() { return shared() * 10 + Holder<int>::next() + twice(1); }
const void *addressInB() { return (const void *)&twice<int>; }
