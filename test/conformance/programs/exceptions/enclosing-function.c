// flags: -fexceptions
#include <stdio.h>
#include <unwind.h>
static int depth;
static void *found[3];
static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *unused) {
  if (depth < 3) found[depth++] = _Unwind_FindEnclosingFunction((void *)_Unwind_GetIP(context));
  return _URC_NO_REASON;
}
__attribute__((noinline)) static int inner(int n) { _Unwind_Backtrace(note, 0); return n + depth; }
__attribute__((noinline)) int outer(int n) { return inner(n) + 1; }
int main(void) {
  printf("%d ", outer(1));
  printf("%d%d%d ", found[0] == (void *)inner, found[1] == (void *)outer, found[2] == (void *)main);
  printf("%d ", _Unwind_FindEnclosingFunction(__builtin_return_address(0)) != (void *)main);
  printf("%d ", _Unwind_FindEnclosingFunction(({ here: (char *)&&here + 1; })) == (void *)main);
  printf("%d ", _Unwind_FindEnclosingFunction((char *)&outer + 1) == (void *)outer);
  printf("%d\n", _Unwind_FindEnclosingFunction(&depth) == 0);
  return 0;
}
