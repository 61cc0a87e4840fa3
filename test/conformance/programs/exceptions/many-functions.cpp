// flags: -std=c++17
#include <cstdio>
#include <utility>
// Each function is linked by the first throw that goes through it.
static long sum;
struct Mark { int by; ~Mark() { sum += by; } };
template <int N> static void leaf(int x) { Mark m{N % 7}; if (x % 3 == 0) throw N; if (x % 3 == 1) throw static_cast<long>(N); throw static_cast<short>(N % 100); }
template <int N> static int middle(int x) { Mark m{1}; try { leaf<N>(x); } catch (long n) { return static_cast<int>(n); } return 0; }
using Function = int (*)(int);
template <int... N> static Function pick(int i, std::integer_sequence<int, N...>) { static const Function all[] = {middle<N>...}; return all[i]; }
int main() { for (int i = 0; i < 10000; i++) try { sum += pick(i % 100, std::make_integer_sequence<int, 100>())(i); } catch (int n) { sum += n; } catch (short n) { sum -= n; } std::printf("%ld\n", sum); }
