import { sendDatagram } from './native/libc.js';

/** What is left over of the time to drain for the end itself. */
const CLOSING_MS = 15_000;

/**
 * Who has started this process as a service and waits to be told how it is: systemd, or what does as it does.
 * @see sd_notify(3)
 */
export class ServiceManager {
  readonly #send: (state: string) => void;
  #isStopping = false;

  /** @param send one datagram. */
  constructor(send: (state: string) => void) {
    this.#send = send;
  }

  /** All there is to listen on is listened on, with what was read last. */
  ready(): void {
    if (!this.#isStopping) this.#send('READY=1\nSTATUS=serving');
  }

  /** Certificates and tokens are being read again. */
  reloading(): void {
    const microseconds = process.hrtime.bigint() / 1000n;
    if (!this.#isStopping) this.#send(`RELOADING=1\nMONOTONIC_USEC=${microseconds}`);
  }

  /**
   * It has begun to end.
   * @param drainMs how long calls in flight may go on: so much longer than otherwise it may take.
   */
  stopping(drainMs: number): void {
    this.#isStopping = true;
    const microseconds = 1000 * (drainMs + CLOSING_MS);
    this.#send(`STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=${Math.ceil(microseconds)}`);
  }
}

/**
 * The service manager that `NOTIFY_SOCKET` names, which is taken out of the variables: what is started from here is not to speak for
 * this process. Without one, nobody is told.
 * @param onFailed told once when it cannot be reached.
 */
export function serviceManagerOf(
  variables: NodeJS.ProcessEnv,
  onFailed: (error: unknown) => void,
): ServiceManager {
  const { NOTIFY_SOCKET: socket = '' } = variables;
  delete variables.NOTIFY_SOCKET;
  let hasFailed = socket === '';
  return new ServiceManager((state) => {
    if (hasFailed) return;
    try {
      sendDatagram(socket.replace(/^@/, '\0'), state);
    } catch (error) {
      hasFailed = true;
      onFailed(error);
    }
  });
}
