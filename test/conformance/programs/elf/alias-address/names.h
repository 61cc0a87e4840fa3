typedef int (*fn)(int);
int real(int), other(int), soft(int), overridden(int), shared(int);
int same(fn, int);
extern fn kept[4];
extern const fn table_of_static[2];
