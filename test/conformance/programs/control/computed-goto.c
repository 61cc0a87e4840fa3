#include <stdio.h>
static int run(const char *code) { static const void *const ops[] = {&&add, &&twice, &&negate, &&end}; static const int offsets[] = {&&add - &&add, &&twice - &&add, &&negate - &&add, &&end - &&add}; int acc = 1;
#define NEXT goto *ops[*code++ - '0']
  NEXT; add: acc += 3; NEXT; twice: acc *= 2; goto *(&&add + offsets[*code++ - '0']); negate: acc = -acc; NEXT; end: return acc; }
int main(void) { printf("%d %d\n", run("0112013"), run("3")); return 0; }
