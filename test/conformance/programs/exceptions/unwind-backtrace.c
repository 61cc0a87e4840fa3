// flags: -fexceptions -fno-optimize-sibling-calls
#include <stdio.h>
#include <unwind.h>
static int count, sp_grows = 1; static _Unwind_Word last;
static _Unwind_Reason_Code step(struct _Unwind_Context *c, void *limit) { _Unwind_Word cfa = _Unwind_GetCFA(c); if (cfa < last) sp_grows = 0; last = cfa; if (cfa <= (_Unwind_Word)limit) count++; return _URC_NO_REASON; }
__attribute__((noinline)) static int c(int n, void *limit) { _Unwind_Backtrace(step, limit); return n + 1; }
__attribute__((noinline)) static int b(int n, void *limit) { return c(n, limit) + 1; }
__attribute__((noinline)) static int a(int n, void *limit) { return b(n, limit) + 1; }
int main(void) { printf("%d", a(1, __builtin_frame_address(0))); printf(" %d %d\n", count, sp_grows); return 0; }
