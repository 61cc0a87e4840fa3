/* What the kernel's features do by themselves, in processes without the seccomp filter that would hide it. */
#include "host.h"

#include "../runner.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What landlock.c and namespaces.c need of the runner. */
static char missing[FARJIT_MISSING_BYTES];

void farjit_note_missing(const char *feature, const char *reason)
{
	size_t length = strlen(missing);
	snprintf(missing + length, sizeof missing - length, "%s (%s) ", feature, reason);
}

_Noreturn void farjit_end(enum farjit_end_kind kind, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "ended with kind %d: ", (int)kind);
	vfprintf(stderr, format, arguments);
	exit(1);
}

bool farjit_has_files(void)
{
	return false;
}

bool farjit_enter_files(void)
{
	return false;
}

void farjit_each_writable(void (*found)(int descriptor))
{
	(void)found;
}

void farjit_each_device(void (*found)(int descriptor))
{
	(void)found;
}

static void in_child(void (*run)(void))
{
	int status;
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		run();
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQUAL(status, 0);
}

static int connect_error(void)
{
	/* Nobody listens on port 1. */
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(descriptor >= 0);
	CHECK(connect(descriptor, (const struct sockaddr *)&address, sizeof address) != 0);
	int error = errno;
	close(descriptor);
	return error;
}

static int bind_error(void)
{
	const struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(descriptor >= 0);
	int error = bind(descriptor, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
	close(descriptor);
	return error;
}

/* An abstract socket of this process's parent, or its own. */
static struct sockaddr_un abstract_address(pid_t owner)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "farjit-landlock-%d", owner);
	return address;
}

static int listen_abstract(void)
{
	const struct sockaddr_un address = abstract_address(getpid());
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(descriptor >= 0 && bind(descriptor, (const struct sockaddr *)&address, sizeof address) == 0);
	CHECK(listen(descriptor, 8) == 0);
	return descriptor;
}

static int abstract_socket_error(void)
{
	const struct sockaddr_un address = abstract_address(getppid());
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(descriptor >= 0);
	int error = connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
	close(descriptor);
	return error;
}

static void landlock_child(void)
{
	CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
	CHECK(connect_error() != EACCES);
	CHECK_EQUAL(bind_error(), 0);
	CHECK_EQUAL(abstract_socket_error(), 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	uint32_t abi = farjit_restrict_with_landlock(false);
	CHECK((abi == 0) == (missing[0] != 0));
	CHECK_EQUAL(abi, farjit_landlock_abi() < 1 ? 0 : farjit_landlock_abi());
	if (abi == 0) {
		printf("not here: %s\n", missing);
		return;
	}
	CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("/", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(execl("/bin/true", "true", (char *)NULL) < 0 && errno == EACCES);
	/* In a folder of its own, with a file, a folder and a pipe. */
	CHECK(open("file", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("file", O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EACCES);
	CHECK(mkdir("new", 0700) < 0 && errno == EACCES);
	CHECK(symlink("file", "new") < 0 && errno == EACCES);
	CHECK(mkfifo("new", 0600) < 0 && errno == EACCES);
	CHECK(mknod("new", S_IFSOCK | 0600, 0) < 0 && errno == EACCES);
	CHECK(unlink("file") < 0 && errno == EACCES);
	CHECK(rmdir("folder") < 0 && errno == EACCES);
	CHECK(rename("file", "new") < 0 && errno == EACCES);
	/* From one folder to another, which early kernels refuse in another way. */
	CHECK(rename("file", "folder/file") < 0 && (errno == EACCES || errno == EXDEV));
	CHECK(link("file", "folder/file") < 0 && (errno == EACCES || errno == EXDEV));
	if (abi >= 3)
		CHECK(truncate("file", 0) < 0 && errno == EACCES);
	if (abi >= 4) {
		CHECK_EQUAL(connect_error(), EACCES);
		CHECK_EQUAL(bind_error(), EACCES);
	}
	if (abi >= 6) {
		CHECK_EQUAL(abstract_socket_error(), EPERM);
		CHECK(kill(getppid(), 0) < 0 && errno == EPERM);
	}
	CHECK(kill(getpid(), 0) == 0);
}

static void landlock_takes_files_network_and_signals_away(void)
{
	char folder[] = "/tmp/farjit-landlock-XXXXXX";
	int file, listening = listen_abstract();
	CHECK(mkdtemp(folder) && chdir(folder) == 0 && mkdir("folder", 0700) == 0);
	CHECK((file = open("file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0);
	CHECK(write(file, "x", 1) == 1 && close(file) == 0);
	in_child(landlock_child);
	struct stat status;
	CHECK(stat("file", &status) == 0 && status.st_size == 1);
	CHECK(unlink("file") == 0 && rmdir("folder") == 0 && chdir("/") == 0 && rmdir(folder) == 0);
	close(listening);
}

static void namespaces_child(void)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} kinds[] = {
		{"user", FARJIT_CONFINED_USER_NAMESPACE},
		{"net", FARJIT_CONFINED_NETWORK_NAMESPACE},
		{"mnt", FARJIT_CONFINED_MOUNT_NAMESPACE},
		{"ipc", FARJIT_CONFINED_IPC_NAMESPACE},
	};
	enum { KINDS = sizeof kinds / sizeof kinds[0], NAME_BYTES = 64 };
	char before[KINDS][NAME_BYTES] = {{0}}, after[KINDS][NAME_BYTES] = {{0}};
	uid_t user = getuid();
	gid_t group = getgid();
	int directory = open("/proc/self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(directory >= 0);
	for (int i = 0; i < KINDS; i++)
		CHECK(readlinkat(directory, kinds[i].name, before[i], NAME_BYTES - 1) > 0);
	uint32_t entered = farjit_enter_namespaces();
	for (int i = 0; i < KINDS; i++) {
		CHECK(readlinkat(directory, kinds[i].name, after[i], NAME_BYTES - 1) > 0);
		if (entered & kinds[i].bit)
			CHECK(strcmp(before[i], after[i]) != 0);
		else
			printf("not here: %s\n", missing);
	}
	/* It is who it was, inside too. */
	CHECK_EQUAL(getuid(), user);
	CHECK_EQUAL(getgid(), group);
	if (entered & FARJIT_CONFINED_NETWORK_NAMESPACE)
		CHECK_EQUAL(connect_error(), ENETUNREACH);
	if (!(entered & FARJIT_CONFINED_MOUNT_NAMESPACE))
		return;
	CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == ENOENT);
	CHECK(mkdir("/new", 0700) < 0 && errno == EROFS);
	int count = 0;
	DIR *root = opendir("/");
	CHECK(root);
	for (struct dirent *entry; (entry = readdir(root));)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	CHECK_EQUAL(count, 0);
}

static void namespaces_are_its_own_and_its_root_is_empty(void)
{
	in_child(namespaces_child);
}

const struct test_case feature_cases[] = {
	{"landlock-takes-files-network-and-signals-away", landlock_takes_files_network_and_signals_away},
	{"namespaces-are-its-own-and-its-root-is-empty", namespaces_are_its_own_and_its_root_is_empty},
	{0},
};
