// libraries: atomic
#include <stdio.h>
struct big { long a, b, c; }; static _Atomic struct big shared; struct pair { long a, b; }; static _Atomic struct pair two;
int main(void) { struct big v = {1, 2, 3}; __c11_atomic_store(&shared, v, 5); struct big r = __c11_atomic_load(&shared, 5); struct pair p = {4, 5}; __c11_atomic_store(&two, p, 5); p = __c11_atomic_exchange(&two, ((struct pair){6, 7}), 5); printf("%ld %ld %ld\n", r.c, p.b, ({ struct pair l = __c11_atomic_load(&two, 5); l.a; })); return 0; }
