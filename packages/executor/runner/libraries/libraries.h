/* Functions in the runner that JIT'd code finds by name. Each file here is a library: one table, which lookup.c knows. */
#ifndef FARJIT_LIBRARIES_H
#define FARJIT_LIBRARIES_H

struct farjit_symbol {
	const char *name; /* NULL behind the last */
	void (*address)(void);
};

#define FARJIT_SYMBOL(name, function) {name, (void (*)(void))(function)}

extern const struct farjit_symbol farjit_kaleidoscope_symbols[];
/* replace.c: `void farjit$replace$NAME(uintptr_t function)` has libraries call that instead of their NAME. On the thread of a program,
 * before the first function of it. */
extern const struct farjit_symbol farjit_replacing_symbols[];

#endif
