struct entry { const char *name; int (*run)(int); };
static int one(int x) { return x + 1; }
static int two(int x) { return x * 2; }
__attribute__((section("commands"), used)) static const struct entry first = {"first", one};
__attribute__((section("commands"), used)) static const struct entry second = {"second", two};
