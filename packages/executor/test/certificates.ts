import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';

/** A certificate and its key: files in PEM. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** A CA made for one test, or something else that ends. */
export class TestCA {
  readonly directory = mkdtempSync(join(tmpdir(), 'farjit-ca-'));
  readonly files: CertificateFiles;
  #count = 0;

  constructor(t: Pick<ExecutionContext, 'teardown'>) {
    t.teardown(() => rmSync(this.directory, { recursive: true, force: true }));
    this.files = this.#make(['/CN=test CA', '-addext', 'keyUsage=critical,keyCertSign']);
  }

  /** For `wss://` on these hosts. */
  server(hosts = ['IP:127.0.0.1', 'DNS:localhost']): CertificateFiles {
    const { cert, key } = this.files;
    const alternatives = `subjectAltName=${hosts.join(',')}`;
    return this.#make(['/CN=an executor', '-CA', cert, '-CAkey', key, '-addext', alternatives]);
  }

  /** @param subject as OpenSSL writes it: `/CN=name`. */
  client(subject: string): CertificateFiles {
    const { cert, key } = this.files;
    return this.#make([subject, '-CA', cert, '-CAkey', key, '-addext', 'extendedKeyUsage=clientAuth']);
  }

  #make([subject = '', ...more]: readonly string[]): CertificateFiles {
    const name = join(this.directory, String(this.#count++));
    const files = { cert: `${name}.pem`, key: `${name}.key` };
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const output = ['-out', files.cert, '-keyout', files.key];
    execFileSync('openssl', ['req', '-x509', ...curve, '-days', '2', ...output, '-subj', subject, ...more], {
      stdio: 'pipe',
    });
    return files;
  }
}

/** What the files hold, as options of TLS. */
export function pemOf({ cert, key }: CertificateFiles): { readonly cert: string; readonly key: string } {
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}
