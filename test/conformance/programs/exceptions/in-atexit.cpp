#include <cstdio>
#include <cstdlib>
#include <stdexcept>
static void fails(int n) { if (n) fails(n - 1); else throw std::runtime_error("late"); }
static void bye() { try { fails(3); } catch (std::exception &e) { std::printf("bye %s\n", e.what()); } }
struct Last { ~Last() { try { fails(5); } catch (std::exception &e) { std::printf("last %s\n", e.what()); } } };
static Last last;
int main() { std::atexit(bye); try { fails(1); } catch (std::exception &e) { std::printf("main %s\n", e.what()); } return 3; }
