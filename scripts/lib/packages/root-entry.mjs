/** Id of the user of roots who is not root. */
export const ORDINARY_USER = 1000;

/** What a root shares with the machine; all else is its own. Mounted in a namespace, and gone with it. */
const ENTER = `set -e
root=$1; read_only=$2; cwd=$3; user=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
if [ -n "$read_only" ]; then
  mount --bind "$root/$read_only" "$root/$read_only"
  mount -o remount,bind,ro "$root/$read_only"
fi
mkdir -p .machine
pivot_root . .machine
umount -l /.machine
cd "$cwd"
if [ "$user" = 0 ]; then exec "$@"; fi
exec setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"`;

/**
 * What runs a command in a root: arguments of `spawn`.
 * @param {object} [options]
 * @param {number} [options.user] its id.
 * @param {string} [options.cwd] from the root's point of view, as `readOnly`.
 * @param {string} [options.readOnly] a folder that cannot be written.
 */
export function enter(root, command, { user = 0, cwd = '/', readOnly = '' } = {}) {
  const home = user === 0 ? '/root' : '/home/user';
  const variables = [`HOME=${home}`, 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL=C'];
  const certificates = process.env.NODE_EXTRA_CA_CERTS;
  if (certificates) variables.push(`NODE_EXTRA_CA_CERTS=${certificates}`);
  const entered = ['sh', '-c', ENTER, 'sh', root, readOnly, cwd, String(user)];
  return ['unshare', ['--mount', '--fork', ...entered, 'env', '-i', ...variables, ...command]];
}

/** System calls that Docker's default profile refuses to containers without further capabilities, on x86-64. */
const REFUSED = [
  ...['acct', 'add_key', 'bpf', 'clock_settime', 'create_module', 'delete_module', 'fanotify_init'],
  ...['finit_module', 'fsconfig', 'fsmount', 'fsopen', 'fspick', 'get_mempolicy', 'init_module'],
  ...['io_uring_enter', 'io_uring_register', 'io_uring_setup', 'ioperm', 'iopl', 'kcmp', 'kexec_file_load'],
  ...[
    'kexec_load',
    'keyctl',
    'lookup_dcookie',
    'mbind',
    'mount',
    'mount_setattr',
    'move_mount',
    'move_pages',
  ],
  ...['open_by_handle_at', 'open_tree', 'perf_event_open', 'pivot_root', 'quotactl', 'reboot', 'request_key'],
  ...[
    'set_mempolicy',
    'setdomainname',
    'sethostname',
    'setns',
    'settimeofday',
    'swapoff',
    'swapon',
    'syslog',
  ],
  ...['umount2', 'unshare', 'userfaultfd', 'vhangup'],
];
const EPERM = 1;
const ENOSYS = 38;
/** What a container's processes have of root's rights. */
const CAPABILITIES = [
  ...['chown', 'dac_override', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap'],
  ...['net_bind_service', 'net_raw', 'sys_chroot', 'mknod', 'audit_write', 'setfcap'],
];

/** A command as in a container of Docker's with nothing said: its rights, and the system calls that its profile allows. */
export function underDocker(command, user = 0) {
  // Its flags are in memory, so that no filter can look at them.
  const calls = [...REFUSED.map((name) => `${name}:${EPERM}`), `clone3:${ENOSYS}`].join(',');
  const rights = `--bounding-set=-all,${CAPABILITIES.map((name) => `+${name}`).join(',')}`;
  // Whoever is not root has none of them.
  const limited = user === 0 ? ['/usr/bin/setpriv', rights] : ['/usr/bin/env'];
  return ['/usr/local/bin/without', calls, '--', ...limited, ...command];
}
