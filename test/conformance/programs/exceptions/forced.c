// flags: -fexceptions
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <unwind.h>
static jmp_buf back; static void *limit; static struct _Unwind_Exception mine;
static void clean(int *p) { printf("clean %d\n", *p); }
static _Unwind_Reason_Code stop(int v, _Unwind_Action a, _Unwind_Exception_Class k, struct _Unwind_Exception *e, struct _Unwind_Context *c, void *p) { if (_Unwind_GetCFA(c) > (uintptr_t)limit || (a & _UA_END_OF_STACK)) longjmp(back, 1); return _URC_NO_REASON; }
__attribute__((noinline)) static int deep(int n) { __attribute__((cleanup(clean))) int x = n; if (!n) _Unwind_ForcedUnwind(&mine, stop, 0); return deep(n - 1) + 1; }
__attribute__((noinline)) static int start(void) { limit = __builtin_frame_address(0); return deep(4); }
int main(void) { if (!setjmp(back)) printf("%d\n", start()); else puts("stopped"); return 0; }
