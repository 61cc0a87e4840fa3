// The system calls that the executor's container needs beyond those of the runner's own filter: for Node, for the host's
// memory and sockets, for confining a runner, and for what starts the container.

const CLONE_NEW_ANYTHING = 0x7e020000;
const CLONE_NEWNS = 0x20000;
const CLONE_NEWIPC = 0x8000000;
const CLONE_NEWUSER = 0x10000000;
const CLONE_NEWNET = 0x40000000;
const MS_REC_PRIVATE = 0x44000;
const MS_RDONLY_NOSUID_NODEV_NOEXEC = 0xf;
const MS_NOSUID_NODEV_NOEXEC = 0xe;
const MS_BIND = 0x1000;
const MS_REMOUNT = 0x20;
const MNT_DETACH = 2;

/** An argument that must be one value. */
const is = (index, value) => ({ index, value, op: 'SCMP_CMP_EQ' });
/** An argument of which no bit of `mask` may be set. */
const without = (index, mask) => ({ index, value: mask, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' });

/**
 * Calls by what needs them. `alternatives` are lists of conditions of which one must hold; without it, any arguments do.
 * What is here with any arguments needs no rule of the runner's; its own filter is stricter and comes on top.
 */
export const HOST_SYSTEM_CALLS = [
  {
    reason: 'Node: memory; V8 makes its code executable',
    names: ['madvise', 'mmap', 'mprotect', 'mremap', 'pkey_alloc', 'pkey_mprotect'],
  },
  {
    reason: 'Node: locks, time, the number of processors; the barrier that a runner asks for',
    names: [
      ...[
        'clock_getres',
        'clock_gettime',
        'clock_nanosleep',
        'futex',
        'membarrier',
        'rseq',
        'sched_getaffinity',
      ],
    ],
  },
  {
    reason: 'Node: threads of its own, runners (fork); no namespaces',
    names: ['clone'],
    alternatives: [[without(0, CLONE_NEW_ANYTHING)]],
  },
  {
    reason: 'Node: starts a runner, and waits for its end',
    names: ['close_range', 'dup2', 'dup3', 'execve', 'kill', 'pipe2', 'setsid', 'tgkill', 'umask', 'wait4'],
  },
  { reason: 'Node: the start of a program', names: ['arch_prctl', 'set_tid_address'] },
  {
    reason: 'Node: reads its own files, configuration, certificates, /proc',
    names: [
      ...[
        'access',
        'chdir',
        'faccessat',
        'faccessat2',
        'fstatfs',
        'getcwd',
        'getdents64',
        'newfstatat',
        'openat',
      ],
      ...['pread64', 'preadv', 'readlink', 'readlinkat', 'statfs', 'statx'],
    ],
  },
  {
    reason: 'Node: notices a changed file',
    names: ['inotify_add_watch', 'inotify_init1', 'inotify_rm_watch'],
  },
  {
    reason: 'Node: its event loop',
    names: ['epoll_create1', 'epoll_ctl', 'epoll_pwait', 'epoll_wait', 'eventfd2', 'fcntl', 'sysinfo'],
  },
  {
    reason: 'Node: descriptors that do not block, terminals',
    names: ['ioctl'],
    // TCGETS, TIOCGPGRP, TIOCSPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX
    alternatives: [0x5401, 0x540f, 0x5410, 0x5413, 0x541b, 0x5421, 0x5451].map((request) => [is(1, request)]),
  },
  {
    reason: 'Node: sockets, of these families',
    names: ['socket', 'socketpair'],
    // AF_UNIX, AF_INET, AF_INET6, and the one family of AF_NETLINK that lists this machine's addresses
    alternatives: [[is(0, 1)], [is(0, 2)], [is(0, 10)], [is(0, 16), is(2, 0)]],
  },
  {
    reason: 'Node: what it does with sockets',
    names: [
      ...[
        'accept',
        'accept4',
        'bind',
        'connect',
        'getpeername',
        'getsockname',
        'getsockopt',
        'listen',
        'recvfrom',
      ],
      ...['recvmmsg', 'recvmsg', 'sendmmsg', 'sendmsg', 'sendto', 'setsockopt', 'shutdown'],
    ],
  },
  { reason: 'the host: ws+unix: sockets', names: ['chmod', 'unlink'] },
  { reason: 'the host: memory that it shares with a runner', names: ['ftruncate', 'memfd_create'] },
  {
    reason: 'the runner, before it is confined: a process group of its own, and less weight than its host',
    names: ['getpriority', 'setpgid', 'setpriority'],
  },
  {
    reason: 'the runner, before it is confined: no capabilities',
    names: ['capget', 'capset'],
  },
  {
    reason: 'the runner, before it is confined: its limits',
    names: ['prlimit64'],
    alternatives: [[is(0, 0)]],
  },
  {
    reason: 'the runner, before it is confined: namespaces',
    names: ['unshare'],
    alternatives: [CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWNS].map((kind) => [is(0, kind)]),
  },
  {
    reason: 'the runner, before it is confined: an empty, read-only root',
    names: ['mount'],
    alternatives: [MS_REC_PRIVATE, MS_RDONLY_NOSUID_NODEV_NOEXEC].map((flags) => [is(3, flags)]),
  },
  { reason: 'the runner, before it is confined: an empty, read-only root', names: ['chroot'] },
  {
    reason: 'the runner, before it is confined: a root with the files that it is given',
    names: ['mount'],
    alternatives: [
      MS_NOSUID_NODEV_NOEXEC,
      MS_BIND,
      MS_BIND | MS_REMOUNT | MS_NOSUID_NODEV_NOEXEC,
      MS_BIND | MS_REMOUNT | MS_RDONLY_NOSUID_NODEV_NOEXEC,
    ].map((flags) => [is(3, flags)]),
  },
  {
    reason: 'the runner, before it is confined: a root with the files that it is given',
    names: ['fchmod', 'mkdir', 'pivot_root', 'rmdir', 'symlink'],
  },
  {
    reason: 'the runner, before it is confined: a root with the files that it is given',
    names: ['umount2'],
    alternatives: [[is(1, MNT_DETACH)]],
  },
  {
    reason: 'the runner: files that it is given, which its own filter has conditions for',
    names: ['fchmodat', 'linkat', 'open', 'renameat2', 'unlinkat'],
  },
  {
    reason: 'the runner, before it is confined: nothing is mapped over its code',
    names: ['mseal'],
  },
  {
    reason: 'the runner, before it is confined: its own filters',
    names: ['landlock_add_rule', 'landlock_create_ruleset', 'landlock_restrict_self', 'seccomp'],
  },
  {
    reason: 'the runner, before it is confined: no new privileges, not dumpable, death with its host',
    names: ['prctl'],
    // PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_SET_CHILD_SUBREAPER (tini),
    // PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS
    alternatives: [1, 3, 4, 23, 36, 38, 39].map((option) => [is(0, option)]),
  },
  { reason: 'tini: the group of processes that gets the signals', names: ['getpgrp', 'setpgid', 'vfork'] },
  {
    reason: 'what starts the container, until it has started it',
    names: ['dup', 'execveat', 'openat2', 'umask'],
  },
];

/** Conditional in the runner's filter: as much of it as other processes in the container need not have. */
export const RUNNER_CONDITIONS = {
  PR_SET_NAME: [is(0, 15)],
  PR_GET_NAME: [is(0, 16)],
};
