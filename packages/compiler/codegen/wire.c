/* Requests in, answers out. */
#include "codegen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { REQUEST_HEADER_BYTES = 20, ANSWER_HEADER_BYTES = 4 + 4 + 4 + 3 * 8 };

static bool read_whole(char *target, size_t length)
{
	while (length > 0) {
		ssize_t got = read(STDIN_FILENO, target, length);
		if (got == 0 || (got < 0 && errno != EINTR))
			return false;
		if (got > 0) {
			target += got;
			length -= (size_t)got;
		}
	}
	return true;
}

struct farjit_bytes farjit_next_bytes(const char **at)
{
	uint32_t length;
	memcpy(&length, *at, sizeof length);
	struct farjit_bytes bytes = {.start = *at + sizeof length, .length = length};
	*at = bytes.start + length + 1;
	return bytes;
}

/* Whether `count` byte strings, each with its NUL, fill [at, end) exactly. */
static bool holds_strings(const char *at, const char *end, size_t count)
{
	for (; count > 0; count--) {
		uint32_t length;
		if ((size_t)(end - at) < sizeof length + 1)
			return false;
		memcpy(&length, at, sizeof length);
		at += sizeof length;
		if ((size_t)(end - at) < (size_t)length + 1 || at[length] != 0)
			return false;
		at += (size_t)length + 1;
	}
	return at == end;
}

bool farjit_read_request(struct farjit_request *request)
{
	uint32_t length;
	if (!read_whole((char *)&length, sizeof length) || length < REQUEST_HEADER_BYTES ||
	    length > FARJIT_MAX_REQUEST_BYTES)
		return false;
	/* Cleared: no earlier module's bytes are in it, whatever comes of the reading. */
	char *storage = calloc(1, length);
	if (!storage)
		return false;
	const char *at = storage + REQUEST_HEADER_BYTES;
	if (read_whole(storage, length)) {
		memcpy(&request->id, storage, 4);
		request->product = (uint8_t)storage[4];
		request->opt_level = (uint8_t)storage[5];
		memcpy(&request->form, storage + 6, 2);
		memcpy(&request->program_defined_count, storage + 8, 2);
		memcpy(&request->piece, storage + 10, 2);
		memcpy(&request->most_functions, storage + 12, 4);
		memcpy(&request->module_key, storage + 16, 4);
		if (request->product < FARJIT_PRODUCT_COUNT && request->form < FARJIT_FORM_COUNT &&
		    request->piece < FARJIT_PIECE_COUNT &&
		    (request->piece == FARJIT_PIECE_WHOLE) == (request->module_key == 0) &&
		    (request->module_key == 0 || request->form == FARJIT_FORM_BITCODE) &&
		    holds_strings(at, storage + length, 8u + request->program_defined_count)) {
			request->storage = storage;
			request->name = farjit_next_bytes(&at);
			request->triple = farjit_next_bytes(&at);
			request->cpu = farjit_next_bytes(&at);
			request->features = farjit_next_bytes(&at);
			request->passes = farjit_next_bytes(&at);
			request->program_defined = at;
			for (uint16_t i = 0; i < request->program_defined_count; i++)
				farjit_next_bytes(&at);
			request->asked = farjit_next_bytes(&at);
			request->compiled = farjit_next_bytes(&at);
			request->module = farjit_next_bytes(&at);
			return true;
		}
	}
	free(storage);
	return false;
}

void farjit_answer(uint32_t id, enum farjit_status status, const struct farjit_timings *timings, const char *content,
		   size_t content_bytes)
{
	char header[ANSWER_HEADER_BYTES];
	uint32_t length = (uint32_t)(ANSWER_HEADER_BYTES - 4 + content_bytes);
	uint32_t status_word = status;
	struct farjit_timings none = {0};
	memcpy(header, &length, 4);
	memcpy(header + 4, &id, 4);
	memcpy(header + 8, &status_word, 4);
	memcpy(header + 12, timings ? timings : &none, sizeof none);
	struct iovec parts[] = {{header, sizeof header}, {(char *)content, content_bytes}};
	for (size_t part = 0; part < 2;) {
		ssize_t written = writev(STDOUT_FILENO, parts + part, (int)(2 - part));
		if (written < 0 && errno != EINTR)
			_exit(0); /* The parent is gone: nobody is left to tell. */
		for (size_t left = written > 0 ? (size_t)written : 0; part < 2;) {
			size_t taken = left < parts[part].iov_len ? left : parts[part].iov_len;
			parts[part].iov_base = (char *)parts[part].iov_base + taken;
			parts[part].iov_len -= taken;
			left -= taken;
			if (parts[part].iov_len > 0)
				break;
			part++;
		}
	}
}
