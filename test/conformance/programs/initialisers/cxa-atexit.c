#include <stdio.h>
int __cxa_atexit(void (*)(void *), void *, void *);
extern void *__dso_handle;
static void say(void *p) { puts(p); }
int main(void) {
  __cxa_atexit(say, "last", &__dso_handle);
  __cxa_atexit(say, "middle", 0);
  __cxa_atexit(say, "first", &__dso_handle);
  return 0;
}
