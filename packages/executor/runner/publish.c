/* Publish work: what must be done in this process before new code may run. */
#include "runner.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

/* libgcc_s; not in a public header. __deregister_frame aborts on what was never registered. */
extern void __register_frame(void *eh_frame);
extern void __deregister_frame(void *eh_frame);

void farjit_publish(void)
{
	const struct farjit_publish *publish = &farjit_control->publish;
	uint32_t count = publish->count;
	if (count > FARJIT_PUBLISH_ENTRIES)
		count = FARJIT_PUBLISH_ENTRIES;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t value = publish->entries[i].value;
		switch (publish->entries[i].kind) {
		case FARJIT_PUBLISH_REGISTER_FRAME:
			__register_frame((void *)value);
			break;
		case FARJIT_PUBLISH_DEREGISTER_FRAME:
			__deregister_frame((void *)value);
			break;
		case FARJIT_PUBLISH_SYNC_CORE:
			if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0)
				farjit_fault("membarrier failed with errno %d: stale instructions could run", errno);
			break;
		default:
			break;
		}
	}
}
