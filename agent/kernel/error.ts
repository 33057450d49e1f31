import { errnoName } from './libc.ts';

/** The kernel refused a request, or a system call failed. */
export class KernelError extends Error {
  /** The errno's number, e.g. 19. */
  readonly errno: number;
  /** The errno's name, e.g. `ENODEV`. */
  readonly code: string;
  /** The kernel's error text (netlink extended acknowledgement), or empty. */
  readonly detail: string;
  /** The failed action, e.g. `add route 10.244.2.0/26 via 10.0.0.2`. */
  readonly action: string;

  constructor(action: string, errno: number, detail = '') {
    const code = errnoName(errno);
    super(`cannot ${action}: ${detail === '' ? code : `${detail} (${code})`}`);
    this.name = 'KernelError';
    this.errno = errno;
    this.code = code;
    this.detail = detail;
    this.action = action;
  }
}
