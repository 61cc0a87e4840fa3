import test from 'ava';
import { isMountPoint, UntrustedFileError, whyNotTrusted } from '../src/file-trust.js';

test('a file is relied on that its owners alone can change', (t) => {
  for (const mode of [0o100600, 0o100644, 0o100555, 0o041755 & ~0o022])
    t.is(whyNotTrusted({ uid: 5, mode }, [5, 0]), undefined, mode.toString(8));
  t.is(whyNotTrusted({ uid: 0, mode: 0o100600 }, [5, 0]), undefined);
  t.is(whyNotTrusted({ uid: 6, mode: 0o100600 }, [5, 0]), 'belongs to another user (6)');
  for (const [mode, words] of [
    [0o100620, '620'],
    [0o100602, '602'],
    [0o101777, '1777'],
  ] as const)
    t.is(whyNotTrusted({ uid: 5, mode }, [5, 0]), `can be written by others (mode ${words}): chmod go-w it`);
  // Whose it is counts first.
  t.is(whyNotTrusted({ uid: 6, mode: 0o100666 }, [undefined, 0]), 'belongs to another user (6)');
});

test('a mount point is known by its whole path', (t) => {
  const info = [
    '22 1 0:21 / / rw - ext4 /dev/root rw',
    '23 22 0:22 /secrets /run/secrets rw - tmpfs tmpfs rw',
    '24 22 0:23 / /mnt/a\\040b\\134c rw - tmpfs tmpfs rw',
    '',
  ].join('\n');
  for (const path of ['/', '/run/secrets', '/mnt/a b\\c']) t.true(isMountPoint(info, path), path);
  for (const path of ['/secrets', '/run', '/run/secrets/x', '/run/secret', '/mnt/a', '', 'rw'])
    t.false(isMountPoint(info, path), path);
  t.is(new UntrustedFileError('f', 'is bad').message, 'f is bad');
});
