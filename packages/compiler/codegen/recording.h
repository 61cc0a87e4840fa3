/* Reading a recording, as `enum farjit_ir` of codegen.h lays it out: numbers are little-endian. */
#ifndef FARJIT_RECORDING_H
#define FARJIT_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct farjit_recording {
	const char *at, *end;
	/* It has turned out not to be one; what is read from now on means nothing. */
	bool is_broken;
};

/* Bytes that have not been read. */
size_t farjit_recording_rest(const struct farjit_recording *recording);

/* What is next; without so many bytes it is 0 and the recording broken. */
uint8_t farjit_read_u8(struct farjit_recording *recording);
uint32_t farjit_read_u32(struct farjit_recording *recording);
uint64_t farjit_read_u64(struct farjit_recording *recording);
double farjit_read_f64(struct farjit_recording *recording);
/* A text that ends at its first NUL, as LLVM's C API takes names; another one is empty and the recording broken. */
const char *farjit_read_text(struct farjit_recording *recording);

#endif
