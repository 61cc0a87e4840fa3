__attribute__((visibility("hidden"))) int value = 4;
__attribute__((visibility("internal"))) int inside(int x) { return x + value; }
