/** Errors of CNI commands (spec section 5, "Error"). */
import type { PluginAnswer } from '@flatroute/cni/protocol.ts';

/** Error codes: those of the specification, and our own from 100 on. */
export const CODE = {
  INCOMPATIBLE_VERSION: 1,
  UNSUPPORTED_FIELD: 2,
  UNKNOWN_CONTAINER: 3,
  INVALID_ENVIRONMENT: 4,
  IO_FAILURE: 5,
  DECODE_FAILURE: 6,
  INVALID_CONFIG: 7,
  TRY_AGAIN_LATER: 11,
  NOT_AVAILABLE: 50,
  /** A bug in the agent. */
  INTERNAL: 100,
  /** ADD: the pod has an interface of that name already. */
  INTERFACE_EXISTS: 101,
  /** The kernel refused a step of the wiring. */
  WIRING_FAILED: 102,
  /** CHECK: the pod's wiring is not as ADD left it. */
  CHECK_FAILED: 103,
} as const;

/** The version of an error's result if the request has none. */
export const DEFAULT_VERSION = '1.0.0';

/** An error that the runtime receives as the result of its command. */
export class CniError extends Error {
  override name = 'CniError';
  /** One of CODE. */
  readonly code: number;
  /** Further information for the operator. */
  readonly details: string;

  constructor(code: number, message: string, details = '') {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** The answer for an error; one that is not a CniError becomes INTERNAL. */
export function errorAnswer(error: unknown, cniVersion = DEFAULT_VERSION): PluginAnswer {
  const { code, message, details } =
    error instanceof CniError
      ? error
      : new CniError(CODE.INTERNAL, (error as Error).message ?? String(error));
  const body = { cniVersion, code, msg: `flatroute: ${message}`, ...(details && { details }) };
  return { exitCode: 1, stdout: `${JSON.stringify(body)}\n` };
}
