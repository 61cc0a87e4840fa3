/* A recording's bytes, which may say anything: nothing outside of them is read. */
#include "recording.h"

#include <string.h>

size_t farjit_recording_rest(const struct farjit_recording *recording)
{
	return (size_t)(recording->end - recording->at);
}

/* Points to `length` bytes, or breaks the recording off. */
static const char *take(struct farjit_recording *recording, size_t length)
{
	static const char nothing[8];
	if (length > farjit_recording_rest(recording)) {
		recording->is_broken = true;
		recording->at = recording->end;
		return nothing;
	}
	recording->at += length;
	return recording->at - length;
}

uint8_t farjit_read_u8(struct farjit_recording *recording)
{
	return (uint8_t)*take(recording, 1);
}

uint32_t farjit_read_u32(struct farjit_recording *recording)
{
	uint32_t value;
	memcpy(&value, take(recording, sizeof value), sizeof value);
	return value;
}

uint64_t farjit_read_u64(struct farjit_recording *recording)
{
	uint64_t value;
	memcpy(&value, take(recording, sizeof value), sizeof value);
	return value;
}

double farjit_read_f64(struct farjit_recording *recording)
{
	double value;
	memcpy(&value, take(recording, sizeof value), sizeof value);
	return value;
}

const char *farjit_read_text(struct farjit_recording *recording)
{
	uint32_t length = farjit_read_u32(recording);
	const char *text = take(recording, (size_t)length + 1);
	if (!recording->is_broken && memchr(text, 0, (size_t)length + 1) == text + length)
		return text;
	recording->is_broken = true;
	return "";
}
