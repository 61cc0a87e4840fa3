#include <cstdio>
struct Loud { const char *name; Loud(const char *n) : name(n) { std::printf("+%s\n", n); } ~Loud() { std::printf("-%s\n", name); } };
static Loud first("first");
Loud second("second");
static int counted() { static Loud inside("inside"); return 1; }
static int value = counted() + 1;
int main() { Loud local("local"); std::printf("main %d\n", value); return 0; }
