#include <cstdio>
struct Part { int n; Part(int n) : n(n) { std::printf("+%d\n", n); if (n == 3) throw n; } ~Part() { std::printf("-%d\n", n); } };
struct Whole { Part a{1}, b{2}; Part c; Whole(int n) try : c(n) { std::puts("whole"); } catch (int) { std::puts("function try"); } ~Whole() { std::puts("~whole"); } };
int main() { try { Whole w(4); } catch (...) {} try { Whole w(3); } catch (int n) { std::printf("caught %d\n", n); } try { Part *p = new Part[2]{1, 3}; delete[] p; } catch (int) { std::puts("array"); } }
