#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
static void ends() { try { throw; } catch (std::exception &e) { std::printf("ended by %s\n", e.what()); } std::exit(8); }
int main() { std::set_terminate(ends); throw std::logic_error("logic"); }
