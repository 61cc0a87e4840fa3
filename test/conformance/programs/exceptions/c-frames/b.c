int apply(int (*f)(int), int x) { int y = f(x); return y * 2; }
