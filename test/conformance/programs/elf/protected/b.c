#define PROTECTED __attribute__((visibility("protected")))
typedef int (*fn)(int);
PROTECTED int shared_count = 5;
PROTECTED int shown(int x) { return x + shared_count++; }
int call_shown(int x) { return shown(x); }
fn shown_address(void) { return shown; }
int *count_address(void) { return &shared_count; }
