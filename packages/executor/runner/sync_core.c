/* Instructions written where others were. */
#include "runner.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

void farjit_sync_core(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) != 0)
		farjit_fault("membarrier failed with errno %d: stale instructions could run", errno);
}
