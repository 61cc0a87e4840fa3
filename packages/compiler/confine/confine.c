/* What is given up, in an order in which each step still can be taken. */
#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void farjit_note_missing(struct farjit_confinement_result *result, const char *name, int error)
{
	size_t length = strlen(result->missing);
	snprintf(result->missing + length, sizeof result->missing - length, "%s%s (%s)", length ? ", " : "", name,
		 strerror(error));
}

/* Has no network: its namespace has not even a loopback interface that is up. */
static void enter_namespaces(struct farjit_confinement_result *result)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0)
		result->confined |= FARJIT_CONFINED_NAMESPACES;
	else
		farjit_note_missing(result, "namespaces", errno);
}

/* What was handed down by accident; the standard streams stay. */
static void close_descriptors(void)
{
	if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0)
		return;
	struct rlimit limit;
	long most = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (long)limit.rlim_cur : sysconf(_SC_OPEN_MAX);
	for (int descriptor = 3; descriptor < most; descriptor++)
		close(descriptor);
}

/* A root that stays root keeps its number only; no program that it starts gets them back under no_new_privs. */
static bool drop_capabilities(struct farjit_confinement_result *result)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	if (syscall(SYS_capset, &header, none) != 0) {
		farjit_note_missing(result, "dropping capabilities", errno);
		return false;
	}
	result->confined |= FARJIT_CONFINED_CAPABILITIES;
	return true;
}

static bool set_limit(int resource, uint64_t value)
{
	struct rlimit limit;
	if (value == FARJIT_UNLIMITED)
		return true;
	if (getrlimit(resource, &limit) != 0)
		return false;
	if (value < limit.rlim_max)
		limit.rlim_max = value;
	if (limit.rlim_max < limit.rlim_cur)
		limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) == 0;
}

static bool set_limits(const struct farjit_limits *limits, struct farjit_confinement_result *result)
{
	/* A core file would hold what was read. */
	if (set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_AS, limits->address_space_bytes) &&
	    set_limit(RLIMIT_DATA, limits->data_bytes) && set_limit(RLIMIT_CPU, limits->cpu_seconds) &&
	    set_limit(RLIMIT_FSIZE, limits->file_bytes) && set_limit(RLIMIT_NOFILE, limits->descriptors) &&
	    set_limit(RLIMIT_NPROC, limits->processes))
		return true;
	farjit_note_missing(result, "limits", errno);
	return false;
}

bool farjit_confine(const struct farjit_confinement *wanted, struct farjit_confinement_result *result)
{
	*result = (struct farjit_confinement_result){0};
	close_descriptors();
	if (wanted->wants_namespaces)
		enter_namespaces(result);
	if (!drop_capabilities(result))
		return false;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		farjit_note_missing(result, "no_new_privs", errno);
		return false;
	}
	result->confined |= FARJIT_CONFINED_NO_NEW_PRIVS;
	if (!farjit_restrict_paths(wanted, result))
		return false;
	if (prctl(PR_SET_DUMPABLE, 0) != 0) {
		farjit_note_missing(result, "undumpable", errno);
		return false;
	}
	result->confined |= FARJIT_CONFINED_UNDUMPABLE;
	return set_limits(&wanted->limits, result) && farjit_filter_system_calls(wanted->activity, result);
}

void farjit_print_confinement(const struct farjit_confinement_result *result)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} features[] = {
		{"noNewPrivs", FARJIT_CONFINED_NO_NEW_PRIVS}, {"seccomp", FARJIT_CONFINED_SECCOMP},
		{"undumpable", FARJIT_CONFINED_UNDUMPABLE},   {"capabilitiesDropped", FARJIT_CONFINED_CAPABILITIES},
		{"namespaces", FARJIT_CONFINED_NAMESPACES},
	};
	char line[1024];
	int length = snprintf(line, sizeof line, "{\"landlock\":%u", result->landlock_version);
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++)
		length += snprintf(line + length, sizeof line - (size_t)length, ",\"%s\":%s", features[i].name,
				   result->confined & features[i].bit ? "true" : "false");
	length += snprintf(line + length, sizeof line - (size_t)length, ",\"missing\":\"%s\"}\n", result->missing);
	/* stdio would ask what standard output is. */
	for (int done = 0; done < length;) {
		ssize_t written = write(STDOUT_FILENO, line + done, (size_t)(length - done));
		if (written < 0 && errno != EINTR)
			return;
		done += written > 0 ? (int)written : 0;
	}
}
