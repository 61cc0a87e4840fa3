struct entry { const char *name; int (*run)(int); };
static int three(int x) { return -x; }
__attribute__((section("commands"), used)) static const struct entry third = {"third", three};
