/*
 * The files that a runner is given: a root of its own, made of the host's image, in which it sees nothing else. The old root
 * is gone before the first of them is made, so that no path of theirs can lead out of it. Main thread, before the filter.
 */
#include "runner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Where the tree of all that is writable is while the root is made; the host gives no such name. */
#define STAGE "/.farjit"

static const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/* Devices of the host that a program finds, by their numbers below 1, that of memory: each gives or takes bytes, and does nothing
 * else. */
static const struct {
	const char *path;
	unsigned minor;
	bool is_writable;
} devices[] = {
	{"/dev/null", 3, true}, {"/dev/zero", 5, true}, {"/dev/full", 7, true},
	{"/dev/random", 8, false}, {"/dev/urandom", 9, false},
};
#define DEVICES (sizeof devices / sizeof devices[0])

/* An entry of the image. */
struct entry {
	struct farjit_file file;
	const char *path; /* not terminated, as the content */
	const char *content;
};

static const char *image;
static size_t image_bytes;

/* The entry that begins at `offset`, which it moves behind it; false at the end. */
static bool next_entry(size_t *offset, struct entry *entry)
{
	size_t left = image_bytes - *offset;
	if (left == 0)
		return false;
	if (left < sizeof entry->file)
		farjit_fault("the image of files ends in an entry");
	memcpy(&entry->file, image + *offset, sizeof entry->file);
	left -= sizeof entry->file;
	if (entry->file.path_bytes > left || entry->file.size_bytes > left - entry->file.path_bytes)
		farjit_fault("the image of files ends in an entry");
	entry->path = image + *offset + sizeof entry->file;
	entry->content = entry->path + entry->file.path_bytes;
	*offset += sizeof entry->file + entry->file.path_bytes + entry->file.size_bytes;
	return true;
}

/* A copy of a text of the image, behind a slash where it is a path. */
static const char *text_of(const char *text, size_t bytes, const char *before)
{
	static char copies[2][PATH_MAX + 1];
	static unsigned turn;
	char *copy = copies[turn++ % 2];
	if (bytes >= PATH_MAX)
		farjit_fault("a path of %zu bytes in the image of files", bytes);
	snprintf(copy, PATH_MAX + 1, "%s%.*s", before, (int)bytes, text);
	return copy;
}

static const char *path_of(const struct entry *entry)
{
	return text_of(entry->path, entry->file.path_bytes, "/");
}

static void map_image(void)
{
	struct stat status;
	if (fstat(FARJIT_FD_IMAGE, &status) != 0)
		farjit_fault("there is no image of files: %s", strerror(errno));
	image_bytes = (size_t)status.st_size;
	void *map = mmap(NULL, image_bytes, PROT_READ, MAP_PRIVATE, FARJIT_FD_IMAGE, 0);
	if (map == MAP_FAILED)
		farjit_fault("cannot map the image of files: %s", strerror(errno));
	image = map;
	close(FARJIT_FD_IMAGE);
}

/* A folder that is open already leads out of any root. Only what was preloaded can have opened one. */
static void refuse_open_folders(void)
{
	struct stat status;
	DIR *list = opendir("/proc/self/fd");
	if (!list)
		farjit_fault("cannot list open descriptors: %s", strerror(errno));
	for (struct dirent *one; (one = readdir(list));) {
		int descriptor = atoi(one->d_name);
		if (one->d_name[0] != '.' && descriptor != dirfd(list) && fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode))
			farjit_fault("a preloaded library has a folder open, so there can be no files");
	}
	closedir(list);
}

static void check(int result, const char *what, const char *path)
{
	if (result < 0)
		farjit_fault("cannot %s %s: %s", what, path, strerror(errno));
}

/* Input that is at its end, and nobody's: whoever owns the host's /dev/null could change its rights by its descriptor. */
static void leave_null(void)
{
	int ends[2];
	check(pipe(ends), "make", "an empty input");
	check(dup2(ends[0], STDIN_FILENO), "take", "an empty input");
	close(ends[0]);
	close(ends[1]);
}

/* Mounts an empty tree of at most so many bytes and files. */
static int mount_tree(const char *path, uint64_t bytes, uint64_t count, const char *mode)
{
	char options[128];
	/* The kernel takes 0 for no limit, which none of these is, and needs a file for the tree itself. */
	snprintf(options, sizeof options, "size=%llu,nr_inodes=%llu,mode=%s", (unsigned long long)bytes,
		 (unsigned long long)count + 1, mode);
	return mount("none", path, "tmpfs", flags, options);
}

static bool gives_devices(void)
{
	struct entry entry;
	size_t offset = 0;
	while (next_entry(&offset, &entry)) {
		size_t bytes = entry.file.path_bytes;
		if (bytes >= 3 && memcmp(entry.path, "dev", 3) == 0 && (bytes == 3 || entry.path[3] == '/'))
			return true;
	}
	return false;
}

/* Where the host's devices are bound, unless something is given there: in the folder that is the root in a moment. They cannot be
 * changed there: the mount is read-only, which for a device means its rights and its times. One that the host has not, or does not
 * let be bound, is not there. */
static void bind_devices(void)
{
	struct stat status;
	if (gives_devices())
		return;
	check(mkdir("dev", 0755), "make", "/dev");
	for (size_t i = 0; i < DEVICES; i++) {
		const char *path = devices[i].path, *place = path + 1;
		if (stat(path, &status) != 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, devices[i].minor))
			continue;
		int descriptor = open(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
		check(descriptor, "make", path);
		close(descriptor);
		bool bound = mount(path, place, NULL, MS_BIND, NULL) == 0;
		if (bound && mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL) == 0)
			continue;
		if (bound)
			check(umount2(place, MNT_DETACH), "unmount", path);
		check(unlink(place), "remove", path);
	}
}

static void write_file(const char *path, const struct entry *entry)
{
	int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	check(descriptor, "make", path);
	for (size_t done = 0; done < entry->file.size_bytes;) {
		ssize_t count = write(descriptor, entry->content + done, entry->file.size_bytes - done);
		check(count < 0 ? -1 : 0, "write", path);
		done += (size_t)count;
	}
	check(fchmod(descriptor, entry->file.mode & 0777), "set the rights of", path);
	close(descriptor);
}

static void make_writable(const char *path, unsigned number)
{
	char part[sizeof STAGE + 16];
	snprintf(part, sizeof part, STAGE "/%u", number);
	check(mkdir(part, 0777), "make", part);
	check(mkdir(path, 0755), "make", path);
	check(mount(part, path, NULL, MS_BIND, NULL), "mount", path);
	/* Of a mount that is bound they are its own. */
	check(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL), "mount", path);
}

static void make_entry(const struct entry *entry, unsigned *trees)
{
	const char *path = path_of(entry);
	switch (entry->file.kind) {
	case FARJIT_FILE_REGULAR:
		write_file(path, entry);
		break;
	case FARJIT_FILE_DIRECTORY:
		check(mkdir(path, entry->file.mode & 0777), "make", path);
		break;
	case FARJIT_FILE_LINK:
		check(symlink(text_of(entry->content, entry->file.size_bytes, ""), path), "make", path);
		break;
	case FARJIT_FILE_WRITABLE:
		make_writable(path, (*trees)++);
		break;
	default:
		farjit_fault("the image of files has an entry of the unknown kind %u", entry->file.kind);
	}
}

/* Hands over a folder, which the host then reads through when this process is gone. */
static void give_tree(int descriptor)
{
	char byte = 0;
	struct iovec content = {&byte, 1};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof descriptor)];
	} control = {0};
	struct msghdr message = {
		.msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	control.header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof descriptor), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
	check(sendmsg(FARJIT_FD_TREE, &message, 0) == 1 ? 0 : -1, "hand over", "the writable tree");
	close(FARJIT_FD_TREE);
}

static void fill(void)
{
	struct entry entry, first;
	unsigned trees = 0;
	size_t offset = 0;
	if (!next_entry(&offset, &first) || first.file.kind != FARJIT_FILE_LINK)
		farjit_fault("the image of files does not say where the program begins");
	while (next_entry(&offset, &entry))
		make_entry(&entry, &trees);
	const char *begin = text_of(first.content, first.file.size_bytes, "");
	check(chdir(begin), "begin in", begin);
}

bool farjit_enter_files(void)
{
	const struct farjit_confine *confine = &farjit_control->confine;
	mode_t mask = umask(0);
	map_image();
	leave_null();
	refuse_open_folders();
	/* What is given takes no more than its image and a page for each entry, of which none is smaller than its header. */
	uint64_t entries = image_bytes / sizeof(struct farjit_file) + DEVICES + 1;
	uint64_t bytes = image_bytes + (entries + 1) * 4096;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount_tree("/proc", bytes, entries + 1, "755") != 0 ||
	    chdir("/proc") != 0)
		return false;
	bind_devices();
	if (syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
		return false;
	check(mkdir(STAGE, 0700), "make", STAGE);
	check(mount_tree(STAGE, confine->file_space_bytes, confine->file_count, "755"), "mount", STAGE);
	int tree = open(STAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(tree, "open", STAGE);
	fill();
	check(umount2(STAGE, MNT_DETACH), "unmount", STAGE);
	check(rmdir(STAGE), "remove", STAGE);
	check(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL), "close", "the root");
	give_tree(tree);
	close(tree);
	umask(mask);
	return true;
}

void farjit_each_writable(void (*found)(int descriptor))
{
	struct entry entry;
	size_t offset = 0;
	while (next_entry(&offset, &entry)) {
		if (entry.file.kind != FARJIT_FILE_WRITABLE)
			continue;
		const char *path = path_of(&entry);
		int descriptor = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		check(descriptor, "open", path);
		found(descriptor);
		close(descriptor);
	}
}

void farjit_each_device(void (*found)(int descriptor))
{
	struct stat status;
	for (size_t i = 0; i < DEVICES; i++) {
		int descriptor = devices[i].is_writable ? open(devices[i].path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
		if (descriptor < 0)
			continue;
		/* What is given in its place is read-only. */
		if (fstat(descriptor, &status) == 0 && S_ISCHR(status.st_mode))
			found(descriptor);
		close(descriptor);
	}
}

void farjit_forget_image(void)
{
	if (image)
		munmap((void *)image, image_bytes);
	image = NULL;
}
