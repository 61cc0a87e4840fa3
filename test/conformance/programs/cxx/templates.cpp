// flags: -std=c++17
#include <cstdio>
#include <tuple>
#include <type_traits>
#include <utility>
template <int N> struct Fib { static constexpr long v = Fib<N - 1>::v + Fib<N - 2>::v; }; template <> struct Fib<1> { static constexpr long v = 1; }; template <> struct Fib<0> { static constexpr long v = 0; };
template <class... A> auto sum(A... a) { return (a + ... + 0); } template <class T> const char *kind(T) { if constexpr (std::is_pointer_v<T>) return "pointer"; else return "value"; }
template <class F, class T, std::size_t... I> auto apply(F f, T t, std::index_sequence<I...>) { return f(std::get<I>(t)...); }
struct V { template <class T> void operator()(T x) const { std::printf("%zu ", sizeof x); } };
int main() { std::printf("%ld %g %s %d\n", Fib<40>::v, sum(1, 2.5, 3), kind("x"), apply([](int a, int b) { return a * b; }, std::make_tuple(6, 7), std::make_index_sequence<2>())); V v; v('c'); v(1.0); std::puts(""); }
