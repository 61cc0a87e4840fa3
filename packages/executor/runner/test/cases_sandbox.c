/* Rights: memory, system calls, user. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern const char x32_getpid[], add_one[];

/* One line of /proc/<pid>/maps. */
struct mapping {
	uint64_t start, end;
	char rights[5];
};

/* Rights of the mapping at `address`; ends the test when any mapping is writable and executable. */
static void check_rights(FILE *maps, uint64_t address, const char *rights)
{
	char line[512];
	bool found = false;
	rewind(maps);
	while (fgets(line, sizeof line, maps)) {
		struct mapping mapping;
		unsigned long start, end;
		CHECK(sscanf(line, "%lx-%lx %4s", &start, &end, mapping.rights) == 3);
		CHECK(!(strchr(mapping.rights, 'w') && strchr(mapping.rights, 'x')));
		if (address < start || address >= end)
			continue;
		found = true;
		if (strcmp(mapping.rights, rights) != 0)
			fail(__FILE__, __LINE__, line);
	}
	CHECK(found);
}

static void nothing_is_writable_and_executable(void)
{
	struct host host;
	char path[64];
	host_start(&host, (struct host_options){0});
	host_expect(&host, FARJIT_BELL_HELLO);
	/* Opened while the runner can still be inspected, read when it cannot. */
	snprintf(path, sizeof path, "/proc/%d/maps", host.pid);
	FILE *maps = fopen(path, "r");
	CHECK(maps);
	strcpy(host.control->names, "libm.so.6");
	host_ring(&host, FARJIT_BELL_PRELOAD, 0, 1);
	host_expect(&host, FARJIT_BELL_DONE);
	host_confine(&host, 0);
	CHECK_EQUAL(host_call(&host, payload(&host, add_one), ARGUMENTS(1), NULL), 2);
	check_rights(maps, host.control->base, "r-xs");
	check_rights(maps, host.control->base + CODE_BYTES - 1, "r-xs");
	check_rights(maps, host.control->base + CODE_BYTES, "r--s");
	check_rights(maps, control_address(&host, host.control), "rw-s");
	check_rights(maps, data_address(&host, DATA_BYTES - 1), "rw-s");
	/* The check would notice one. */
	void *bad = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bad != MAP_FAILED) {
		pid_t child = fork();
		int status;
		if (child == 0) {
			fclose(stderr);
			maps = freopen("/proc/self/maps", "r", maps);
			CHECK(maps);
			check_rights(maps, (uint64_t)bad, "rwxp");
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	}
	/* Descriptors of the memory are gone, and what looked at a library's; there is nothing but the input of a program that has
	 * not begun. */
	for (int descriptor = FARJIT_FD_SEALED; descriptor < 10; descriptor++) {
		int error;
		if (descriptor == FARJIT_FD_INPUT)
			continue;
		CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "close"), ARGUMENTS((uint64_t)descriptor), &error),
			    -1);
		CHECK_EQUAL(error, EBADF);
	}
	fclose(maps);
	host_close(&host);
}

static void code_and_constants_stay_read_only(void)
{
	struct host host;
	int error;
	host_open(&host);
	uint64_t mprotect_address = host_lookup(&host, "mprotect");
	const uint64_t read_write = PROT_READ | PROT_WRITE;
	uint64_t base = host.control->base;
	CHECK_EQUAL((int)host_call(&host, mprotect_address, ARGUMENTS(base, 4096, read_write), &error), -1);
	CHECK_EQUAL(error, EACCES);
	CHECK_EQUAL((int)host_call(&host, mprotect_address, ARGUMENTS(base + CODE_BYTES, 4096, read_write), &error),
		    -1);
	CHECK_EQUAL(error, EACCES);
	/* Punching a hole would empty the host's copy. */
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "madvise"), ARGUMENTS(base, 4096, MADV_REMOVE), &error),
		    -1);
	CHECK_EQUAL(error, EPERM);
	CHECK_EQUAL(host_call(&host, payload(&host, add_one), ARGUMENTS(1), NULL), 2);
	host_close(&host);
}

/* What the program may not write it may not put something else in the place of, either, where the kernel has seals. */
static void nothing_can_be_mapped_over_code_and_constants(void)
{
	const uint64_t read_write = PROT_READ | PROT_WRITE, fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	struct host host;
	host_start(&host, (struct host_options){0});
	host_expect(&host, FARJIT_BELL_HELLO);
	bool sealed = host_confine(&host, 0) & FARJIT_CONFINED_SEALED_MEMORY;
	CHECK_EQUAL(!sealed, strstr(host.control->confine.missing, "sealed memory (") != NULL);
	if (!sealed) {
		host_close(&host);
		return;
	}
	uint64_t map = host_lookup(&host, "mmap"), unmap = host_lookup(&host, "munmap"), remap = host_lookup(&host, "mremap");
	uint64_t protect = host_lookup(&host, "mprotect");
	/* The payload is at the start of the code: not that page. */
	const uint64_t parts[] = {host.control->base + CODE_BYTES - 4096, host.control->base + CODE_BYTES,
				  control_address(&host, host.control), data_address(&host, 0) - 4096};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		int error;
		CHECK_EQUAL(host_call(&host, map, ARGUMENTS(parts[i], 4096, read_write, fixed, (uint64_t)-1, 0), &error),
			    UINT64_MAX);
		CHECK_EQUAL(error, EPERM);
		CHECK_EQUAL((int)host_call(&host, unmap, ARGUMENTS(parts[i], 4096), &error), -1);
		CHECK_EQUAL(error, EPERM);
		CHECK_EQUAL(host_call(&host, remap, ARGUMENTS(parts[i], 4096, 8192, MREMAP_MAYMOVE), &error), UINT64_MAX);
		CHECK_EQUAL(error, EPERM);
		CHECK_EQUAL((int)host_call(&host, protect, ARGUMENTS(parts[i], 4096, PROT_NONE), &error), -1);
		CHECK_EQUAL(error, EPERM);
	}
	/* Data is the program's own. */
	uint64_t data = data_address(&host, 4 * DATA_SCRATCH);
	CHECK_EQUAL(host_call(&host, map, ARGUMENTS(data, 4096, read_write, fixed, (uint64_t)-1, 0), NULL), data);
	host_close(&host);
}

static void data_never_becomes_executable(void)
{
	struct host host;
	int error;
	host_open(&host);
	uint64_t data = data_address(&host, 0);
	const uint64_t read_execute = PROT_READ | PROT_EXEC;
	const uint64_t private_memory = MAP_PRIVATE | MAP_ANONYMOUS;
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "mprotect"), ARGUMENTS(data, 4096, read_execute), &error),
		    -1);
	CHECK_EQUAL(error, EPERM);
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "pkey_mprotect"),
				   ARGUMENTS(data, 4096, read_execute, (uint64_t)-1), &error),
		    -1);
	/* glibc's pkey_mprotect with key -1 is mprotect. */
	CHECK_EQUAL(error, EPERM);
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "mmap"),
			      ARGUMENTS(0, 4096, read_execute, private_memory, (uint64_t)-1, 0), &error),
		    UINT64_MAX);
	CHECK_EQUAL(error, EPERM);
	CHECK(host_call(&host, host_lookup(&host, "mmap"),
			ARGUMENTS(0, 4096, PROT_READ, private_memory, (uint64_t)-1, 0), &error) != UINT64_MAX);
	host_close(&host);
}

struct refusal {
	const char *what;
	long number;
	uint64_t argument[5];
	int error;
};

static void refuses_system_calls_with_their_errno(void)
{
	const uint64_t here = (uint64_t)AT_FDCWD;
	const struct refusal refusals[] = {
		{"open", SYS_open, {0}, EPERM},
		{"openat", SYS_openat, {here}, EPERM},
		{"socket", SYS_socket, {AF_INET, SOCK_STREAM}, EPERM},
		{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM}, EPERM},
		{"pipe", SYS_pipe, {0}, EPERM},
		{"dup", SYS_dup, {1}, EPERM},
		{"memfd_create", SYS_memfd_create, {0}, EPERM},
		{"fork", SYS_fork, {0}, EPERM},
		{"vfork", SYS_vfork, {0}, EPERM},
		{"clone without CLONE_THREAD", SYS_clone, {SIGCHLD}, EPERM},
		{"clone3", SYS_clone3, {0}, ENOSYS},
		{"execve", SYS_execve, {0}, EPERM},
		{"execveat", SYS_execveat, {here}, EPERM},
		{"ptrace", SYS_ptrace, {0}, EPERM},
		{"process_vm_writev", SYS_process_vm_writev, {(uint64_t)getpid()}, EPERM},
		{"kill of the host", SYS_kill, {(uint64_t)getpid(), 0}, EPERM},
		{"kill of everyone", SYS_kill, {(uint64_t)-1, 0}, EPERM},
		{"tgkill of the host", SYS_tgkill, {(uint64_t)getpid(), (uint64_t)getpid(), 0}, EPERM},
		{"tkill", SYS_tkill, {(uint64_t)getpid(), 0}, EPERM},
		{"prctl: forget the host", SYS_prctl, {PR_SET_PDEATHSIG, 0}, EPERM},
		{"prctl: dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1}, EPERM},
		{"setuid", SYS_setuid, {0}, EPERM},
		{"setrlimit", SYS_setrlimit, {RLIMIT_CORE}, EPERM},
		{"prlimit that sets", SYS_prlimit64, {0, RLIMIT_CORE, 1}, EPERM},
		{"stat", SYS_stat, {0}, EPERM},
		{"newfstatat", SYS_newfstatat, {here}, EPERM},
		{"unlink", SYS_unlink, {0}, EPERM},
		{"mkdir", SYS_mkdir, {0}, EPERM},
		{"chdir", SYS_chdir, {0}, EPERM},
		{"sendmsg", SYS_sendmsg, {3}, EPERM},
		{"recvmsg", SYS_recvmsg, {3}, EPERM},
		{"remap_file_pages", SYS_remap_file_pages, {0}, EPERM},
		{"shmat", SYS_shmat, {0}, EPERM},
		{"io_uring_setup", SYS_io_uring_setup, {1}, EPERM},
		{"userfaultfd", SYS_userfaultfd, {0}, EPERM},
		{"personality", SYS_personality, {0x0400000}, EPERM},
		{"unshare", SYS_unshare, {CLONE_NEWUSER}, EPERM},
		{"bpf", SYS_bpf, {0}, EPERM},
		{"ioctl", SYS_ioctl, {1, 0x5412}, EPERM},
	};
	struct host host;
	host_open(&host);
	uint64_t syscall_address = host_lookup(&host, "syscall");
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		const struct refusal *refusal = &refusals[i];
		uint64_t argument[6] = {(uint64_t)refusal->number};
		int error;
		memcpy(argument + 1, refusal->argument, sizeof refusal->argument);
		uint64_t answer = host_call(&host, syscall_address, argument, &error);
		if (answer != UINT64_MAX || error != refusal->error) {
			fprintf(stderr, "%s answered %lld, errno %d\n", refusal->what, (long long)answer, error);
			exit(1);
		}
	}
	/* The same through libc. */
	int error;
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "fork"), ARGUMENTS(0), &error), -1);
	CHECK_EQUAL(error, EPERM);
	strcpy((char *)host.data + DATA_SCRATCH, "/etc/passwd");
	CHECK_EQUAL(host_call(&host, host_lookup(&host, "fopen"),
			      ARGUMENTS(data_address(&host, DATA_SCRATCH), data_address(&host, DATA_SCRATCH + 8)),
			      &error),
		    0);
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "system"), ARGUMENTS(data_address(&host, DATA_SCRATCH)),
				   NULL),
		    127 << 8);
	host_close(&host);
}

static void memory_threads_time_and_output_work(void)
{
	struct host host;
	int error;
	host_open(&host);
	for (uint64_t bytes = 16; bytes <= 64 * 1024 * 1024; bytes *= 16) {
		uint64_t block = host_call(&host, host_lookup(&host, "calloc"), ARGUMENTS(1, bytes), NULL);
		CHECK(block != 0);
		block = host_call(&host, host_lookup(&host, "realloc"), ARGUMENTS(block, 2 * bytes), NULL);
		CHECK(block != 0);
		host_call(&host, host_lookup(&host, "free"), ARGUMENTS(block), NULL);
	}
	char *scratch = (char *)host.data + DATA_SCRATCH;
	strcpy(scratch, "%d and %s\n");
	strcpy(scratch + 32, "more");
	host_call(&host, host_lookup(&host, "printf"),
		  ARGUMENTS(data_address(&host, DATA_SCRATCH), 42, data_address(&host, DATA_SCRATCH + 32)), NULL);
	host_drain_output(&host);
	CHECK(strcmp(host.printed, "42 and more\n") == 0);
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "getchar"), ARGUMENTS(0), NULL), EOF);
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "usleep"), ARGUMENTS(1), &error), 0);
	CHECK(host_call(&host, host_lookup(&host, "time"), ARGUMENTS(0), NULL) > 1000000000);
	memset(scratch, 0, 64);
	CHECK(host_call(&host, host_lookup(&host, "localtime"), ARGUMENTS(data_address(&host, DATA_SCRATCH)), NULL));
	CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "getpid"), ARGUMENTS(0), NULL), host.pid);
	host_close(&host);
}

static void a_foreign_architecture_kills_the_process(void)
{
	struct host host;
	host_open(&host);
	host_post_call(&host, 0, payload(&host, x32_getpid), ARGUMENTS(0));
	int status = host_wait_end(&host);
	CHECK(WIFSIGNALED(status));
	CHECK_EQUAL(WTERMSIG(status), SIGSYS);
}

/* Number after `field` in /proc/<pid>/status, in hexadecimal for capabilities. */
static uint64_t status_of(pid_t pid, const char *field, int radix)
{
	char path[64], line[256];
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	FILE *file = fopen(path, "r");
	CHECK(file);
	while (fgets(line, sizeof line, file)) {
		if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':') {
			fclose(file);
			return strtoull(line + strlen(field) + 1, NULL, radix);
		}
	}
	fail(__FILE__, __LINE__, field);
}

enum {
	OWN_FEATURES = FARJIT_CONFINED_NO_NEW_PRIVS | FARJIT_CONFINED_SECCOMP | FARJIT_CONFINED_UNDUMPABLE |
		       FARJIT_CONFINED_LIMITS | FARJIT_CONFINED_OWN_USER,
	KERNEL_FEATURES = FARJIT_CONFINED_LANDLOCK | FARJIT_CONFINED_USER_NAMESPACE | FARJIT_CONFINED_NETWORK_NAMESPACE |
			  FARJIT_CONFINED_MOUNT_NAMESPACE | FARJIT_CONFINED_IPC_NAMESPACE,
};

static void check_confinement(uint32_t user_id, uint32_t bits)
{
	struct host host;
	int error;
	host_start(&host, (struct host_options){0});
	host_expect(&host, FARJIT_BELL_HELLO);
	/* What the kernel has of the rest is in force too; what it has not is named. */
	uint32_t confined = host_confine(&host, user_id);
	CHECK_EQUAL(confined & OWN_FEATURES, bits);
	CHECK_EQUAL((confined & KERNEL_FEATURES) == KERNEL_FEATURES, host.control->confine.missing[0] == 0);
	CHECK_EQUAL(status_of(host.pid, "NoNewPrivs", 10), 1);
	CHECK_EQUAL(status_of(host.pid, "Seccomp", 10), 2);
	CHECK_EQUAL(status_of(host.pid, "CapEff", 16), 0);
	CHECK_EQUAL(status_of(host.pid, "CapPrm", 16), 0);
	CHECK_EQUAL(status_of(host.pid, "Uid", 10), user_id ? user_id : getuid());
	CHECK_EQUAL(status_of(host.pid, "Gid", 10), user_id ? user_id : getgid());
	CHECK_EQUAL((uint32_t)host_call(&host, host_lookup(&host, "getuid"), ARGUMENTS(0), &error),
		    user_id ? user_id : getuid());
	host_close(&host);
}

static void confinement_is_in_force(void)
{
	const uint32_t always = FARJIT_CONFINED_NO_NEW_PRIVS | FARJIT_CONFINED_SECCOMP | FARJIT_CONFINED_UNDUMPABLE |
				FARJIT_CONFINED_LIMITS;
	if (getuid() != 0)
		check_confinement(0, always);
	if (getuid() == 0)
		check_confinement(NOBODY, always | FARJIT_CONFINED_OWN_USER);
}

/* Whoever has started the host may have left it descriptors of any number, which nothing closes on the way. */
static void what_the_host_left_open_is_closed(void)
{
	const int left = FARJIT_FD_INPUT + 1, far = 300;
	struct host host;
	int opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(opened >= 0);
	CHECK(dup2(opened, left) == left && dup2(opened, far) == far);
	host_open(&host);
	for (int i = 0; i < 2; i++) {
		uint64_t descriptor = (uint64_t)(i ? far : left);
		int error;
		CHECK_EQUAL((int)host_call(&host, host_lookup(&host, "close"), ARGUMENTS(descriptor), &error), -1);
		CHECK_EQUAL(error, EBADF);
	}
	host_close(&host);
}

const struct test_case sandbox_cases[] = {
	{"nothing-is-writable-and-executable", nothing_is_writable_and_executable},
	{"what-the-host-left-open-is-closed", what_the_host_left_open_is_closed},
	{"code-and-constants-stay-read-only", code_and_constants_stay_read_only},
	{"nothing-can-be-mapped-over-code-and-constants", nothing_can_be_mapped_over_code_and_constants},
	{"data-never-becomes-executable", data_never_becomes_executable},
	{"refuses-system-calls-with-their-errno", refuses_system_calls_with_their_errno},
	{"memory-threads-time-and-output-work", memory_threads_time_and_output_work},
	{"a-foreign-architecture-kills-the-process", a_foreign_architecture_kills_the_process},
	{"confinement-is-in-force", confinement_is_in_force},
	{0},
};
