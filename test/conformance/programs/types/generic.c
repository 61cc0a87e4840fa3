// flags: -std=c17
#include <stdio.h>
#include <tgmath.h>
#include <stdalign.h>
#include <stddef.h>
#define NAME(x) _Generic((x), int: "int", double: "double", char *: "chars", default: "other")
_Static_assert(sizeof(int) == 4, "int"); struct flex { int n; int v[]; };
static struct flex fixed = {3, {1, 2, 3}};
int main(void) { int *p = (int[]){[3] = 7, [1] = 5}; struct { int x, y[2]; } d = {.y[1] = 4, .x = 2}; printf("%s %s %s %d %d %d %d %g %zu\n", NAME(1), NAME(1.0), NAME("x"), p[1] + p[3], d.x, d.y[1], fixed.v[2], sqrt(2.25f), alignof(max_align_t)); return 0; }
