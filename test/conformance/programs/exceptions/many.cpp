#include <cstdio>
template <int N> __attribute__((noinline)) int level(int x) { struct D { int &r; ~D() { r++; } }; static int left; D d{left}; if (x % 64 == N) throw N; return level<N - 1>(x) + 1; }
template <> int level<0>(int x) { if (x % 64 == 0) throw 0; return 0; }
int main() { long sum = 0; for (int i = 0; i < 10000; i++) try { sum += level<63>(i); } catch (int n) { sum += n; } std::printf("%ld\n", sum); }
