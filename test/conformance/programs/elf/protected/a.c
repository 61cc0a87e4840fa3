#include <stdio.h>
typedef int (*fn)(int);
extern int shared_count;
int shown(int), call_shown(int);
fn shown_address(void);
int *count_address(void);
static fn volatile own = shown;
int main(void) {
  shared_count += 2;
  printf("%d %d %d\n", shown(1), call_shown(2), shared_count);
  printf("%d %d %d\n", own == shown_address(), own(3), &shared_count == count_address());
  return 0;
}
