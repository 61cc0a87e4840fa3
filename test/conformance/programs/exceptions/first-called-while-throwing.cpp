#include <cstdio>
#include <exception>
#include <string>
static int late(int n) { return n * 2; }
struct Late : std::exception {
  int n; mutable std::string words;
  explicit Late(int n) : n(late(n)) {}
  Late(const Late &other) : std::exception(other), n(other.n + late(1)) {}
  ~Late() override { std::printf("gone %d\n", n); }
  const char *what() const noexcept override { words = "late " + std::to_string(late(n)); return words.c_str(); }
};
template <int N> struct Cleanup { ~Cleanup() { std::printf("cleanup %d %d\n", N, late(N)); } };
template <int N> static void level() { Cleanup<N> c; level<N - 1>(); }
template <> void level<0>() { Late l(5); throw l; }
static bool wanted(const std::exception &e) { return e.what()[0] == 'l'; }
static void handle(Late e) { std::printf("%s %d\n", e.what(), wanted(e)); throw; }
int main() { try { try { level<9>(); } catch (Late &e) { handle(e); } } catch (std::exception &e) { std::puts(e.what()); } }
