#include <cstdio>
#include <exception>
#include <stdexcept>
static void inner() { try { throw std::runtime_error("first"); } catch (std::exception &e) { std::printf("inner %s\n", e.what()); throw; } }
static void other() { try { inner(); } catch (...) { try { throw 5; } catch (int n) { std::printf("nested %d\n", n); } throw; } }
int main() { try { other(); } catch (std::runtime_error &e) { std::printf("outer %s %d\n", e.what(), std::uncaught_exceptions()); } }
