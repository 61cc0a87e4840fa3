// flags: -fexceptions
// differs: the address of a function is its stub's, and an unwinder that is asked for a frame's function answers where its code is
#include <stdio.h>
#include <unwind.h>
int main(void) { printf("%d\n", _Unwind_FindEnclosingFunction(__builtin_return_address(0)) != (void *)main && _Unwind_FindEnclosingFunction(({ here: (char *)&&here + 1; })) == (void *)main); return 0; }
