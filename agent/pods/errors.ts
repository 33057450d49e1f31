/** Errors as CNI knows them (spec section 5, "Error"). */
import type { PluginAnswer } from '@flatroute/cni/protocol.ts';

/** Error codes: those of the specification, and from 100 on our own. */
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
  /** Something in the agent that should not happen. */
  INTERNAL: 100,
  /** ADD: the pod has an interface of that name. */
  INTERFACE_EXISTS: 101,
  /** The kernel refused a step of the wiring. */
  WIRING_FAILED: 102,
  /** CHECK: the pod's wiring is not as ADD left it. */
  CHECK_FAILED: 103,
} as const;

/** The version under which an error is reported when the request does not tell one. */
export const DEFAULT_VERSION = '1.0.0';

/** An error to be answered to the runtime. */
export class CniError extends Error {
  override name = 'CniError';
  /** One of CODE. */
  readonly code: number;
  /** More about it, for the operator. */
  readonly details: string;

  constructor(code: number, message: string, details = '') {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/** Any error as an answer; one that is not a CniError becomes INTERNAL. */
export function errorAnswer(error: unknown, cniVersion = DEFAULT_VERSION): PluginAnswer {
  const { code, message, details } =
    error instanceof CniError
      ? error
      : new CniError(CODE.INTERNAL, (error as Error).message ?? String(error));
  const body = { cniVersion, code, msg: `flatroute: ${message}`, ...(details && { details }) };
  return { exitCode: 1, stdout: `${JSON.stringify(body)}\n` };
}
