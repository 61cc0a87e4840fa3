#include <cstdio>
#include <exception>
#include <stdexcept>
static void show(const std::exception &e, int depth = 0) { std::printf("%*s%s\n", depth * 2, "", e.what()); try { std::rethrow_if_nested(e); } catch (const std::exception &n) { show(n, depth + 1); } }
static void a() { throw std::runtime_error("a"); }
static void b() { try { a(); } catch (...) { std::throw_with_nested(std::logic_error("b")); } }
int main() { try { b(); } catch (const std::exception &e) { show(e); } }
