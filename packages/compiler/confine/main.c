/* farjit-confine [OPTION]... -- PROGRAM [ARGUMENT]...: runs a program that will read what nobody vouches for. */
#include "confine.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	EXIT_NOT_CONFINED = 125, /* the program was not started */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
	MAX_PATHS = 64,
};

static const char usage[] =
	"usage: farjit-confine [OPTION]... -- PROGRAM [ARGUMENT]...\n"
	"  --ro PATH            the program may read and execute what is there; may be given again\n"
	"  --rw PATH            it may read, write, make and remove what is there; may be given again\n"
	"  --limit NAME=VALUE   address-space, data, file-size (bytes, or with K, M, G), cpu (seconds), descriptors,\n"
	"                       processes (0: it starts none)\n"
	"  --namespaces         namespaces of its own for users, network and IPC\n"
	"  --best-effort        goes on without what the kernel has not got, but never without no_new_privs\n"
	"  --report             says as JSON what is in force, instead of starting a program\n"
	"  --system-calls       says as JSON what a program may do\n"
	"PROGRAM is a path. It can be read only if --ro says so, as its libraries can.\n";

struct options {
	const char *read_only[MAX_PATHS + 1], *writable[MAX_PATHS + 1];
	size_t read_only_count, writable_count;
	struct farjit_limits limits;
	bool wants_namespaces, is_best_effort, reports;
};

/* A compiler's needs, with room; of processes none, counted by the filter. */
static const struct farjit_limits default_limits = {
	.address_space_bytes = FARJIT_UNLIMITED,
	.data_bytes = UINT64_C(4) << 30,
	.cpu_seconds = 600,
	.file_bytes = UINT64_C(1) << 30,
	.descriptors = 256,
	.processes = 0,
};

static _Noreturn void refuse(const char *what, const char *which)
{
	fprintf(stderr, "farjit-confine: %s%s\n%s", what, which, usage);
	exit(EXIT_NOT_CONFINED);
}

static uint64_t parse_value(const char *text)
{
	static const char suffixes[] = "KMG";
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	const char *suffix = *end ? strchr(suffixes, *end) : NULL;
	unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
	if (end == text || *text == '-' || errno != 0 || (*end && (!suffix || end[1])) || value > (UINT64_MAX >> shift))
		refuse("this is no value of a limit: ", text);
	return (uint64_t)value << shift;
}

static void set_limit(struct farjit_limits *limits, const char *text)
{
	const struct {
		const char *name;
		uint64_t *value;
	} known[] = {
		{"address-space=", &limits->address_space_bytes}, {"data=", &limits->data_bytes},
		{"cpu=", &limits->cpu_seconds},			  {"file-size=", &limits->file_bytes},
		{"descriptors=", &limits->descriptors},		  {"processes=", &limits->processes},
	};
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strncmp(text, known[i].name, strlen(known[i].name)) == 0) {
			*known[i].value = parse_value(text + strlen(known[i].name));
			return;
		}
	refuse("there is no such limit: ", text);
}

static void add_path(const char **paths, size_t *count, const char *path)
{
	if (*count == MAX_PATHS)
		refuse("too many paths: ", path);
	paths[(*count)++] = path;
}

/* Answers the index of the program in the arguments. */
static int parse(int count, char **arguments, struct options *options)
{
	static const struct option known[] = {
		{"ro", required_argument, NULL, 'r'},	  {"rw", required_argument, NULL, 'w'},
		{"limit", required_argument, NULL, 'l'},  {"namespaces", no_argument, NULL, 'n'},
		{"best-effort", no_argument, NULL, 'b'},  {"report", no_argument, NULL, 'p'},
		{"system-calls", no_argument, NULL, 's'}, {NULL, 0, NULL, 0},
	};
	*options = (struct options){.limits = default_limits};
	add_path(options->writable, &options->writable_count, "/dev/null");
	for (int option; (option = getopt_long(count, arguments, "+", known, NULL)) != -1;)
		switch (option) {
		case 'r':
			add_path(options->read_only, &options->read_only_count, optarg);
			break;
		case 'w':
			add_path(options->writable, &options->writable_count, optarg);
			break;
		case 'l':
			set_limit(&options->limits, optarg);
			break;
		case 'n':
			options->wants_namespaces = true;
			break;
		case 'b':
			options->is_best_effort = true;
			break;
		case 'p':
			options->reports = true;
			break;
		case 's':
			farjit_print_system_calls(FARJIT_ACTIVITY_TOOL);
			exit(0);
		default:
			refuse("", "");
		}
	if (!options->reports && optind == count)
		refuse("there is no program to start", "");
	return optind;
}

int main(int count, char **arguments)
{
	struct options options;
	struct farjit_confinement_result result;
	int program = parse(count, arguments, &options);
	struct farjit_confinement wanted = {
		.activity = options.limits.processes > 0 ? FARJIT_ACTIVITY_TOOLS : FARJIT_ACTIVITY_TOOL,
		.read_only = options.read_only,
		.writable = options.writable,
		.limits = options.limits,
		.wants_namespaces = options.wants_namespaces,
	};
	/* The filter sees to it; the kernel would count what else this user runs, and refuse threads too. */
	if (options.limits.processes == 0)
		wanted.limits.processes = FARJIT_UNLIMITED;
	pid_t parent = getppid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The parent may have died before the kernel knew that we care. */
	if (getppid() != parent)
		return EXIT_NOT_CONFINED;
	bool is_confined = farjit_confine(&wanted, &result);
	if (!is_confined || (result.missing[0] && !options.is_best_effort)) {
		fprintf(stderr, "farjit-confine: cannot confine a program here: %s\n", result.missing);
		return EXIT_NOT_CONFINED;
	}
	if (options.reports) {
		farjit_print_confinement(&result);
		return 0;
	}
	execv(arguments[program], arguments + program);
	fprintf(stderr, "farjit-confine: cannot start %s: %s\n", arguments[program], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}
