#include <stdexcept>
static void deep(int n) { if (n == 0) throw std::runtime_error("nobody catches"); deep(n - 1); }
int main() { deep(5); }
