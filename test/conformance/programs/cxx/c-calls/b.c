int cxx_mul(int, int); int c_value = 6; int c_add(int a, int b) { return cxx_mul(a, 10) + b; }
int c_call(int (*f)(void *, int), void *p) { return f(p, 2); }
