/** What can go wrong. No error has a key in it. */

/** The base of all errors of this package. */
export class WardroomError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** The client was made with a URL or a key that cannot be used. */
export class ConfigurationError extends WardroomError {}

/** There was no response, or only a part of it. A change may have been made. */
export class ConnectionFailed extends WardroomError {}

/** The response did not arrive in time. */
export class TimedOut extends ConnectionFailed {}

/** The response ended before its end. */
export class Incomplete extends ConnectionFailed {}

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors: Readonly<Record<string, unknown>>;
  readonly requestId: string | null;
  readonly retryAfter: number | null;
}

/** A response that is an error. */
export class ApiError extends WardroomError implements Refusal {
  readonly status: number;
  /** For programs, such as `not_found`. */
  readonly code: string;
  /** For people. */
  readonly detail: string;
  /** The messages by field, of a 400. */
  readonly errors: Readonly<Record<string, unknown>>;
  /** What the operator finds the request by. */
  readonly requestId: string | null;
  /** Seconds until it is worth another try. */
  readonly retryAfter: number | null;

  constructor(refusal: Refusal) {
    const fields = Object.entries(refusal.errors).map(([field, said]) => `${field}: ${Array.isArray(said) ? said.join(" ") : JSON.stringify(said)}`);
    const request = refusal.requestId === null ? "" : ` (request ${refusal.requestId})`;
    super(`${refusal.status} ${refusal.code}: ${refusal.detail || fields.join("; ") || "no detail"}${request}`);
    this.status = refusal.status;
    this.code = refusal.code;
    this.detail = refusal.detail;
    this.errors = refusal.errors;
    this.requestId = refusal.requestId;
    this.retryAfter = refusal.retryAfter;
  }
}

/** 400: values that break rules. `errors` has the messages by field. */
export class BadRequest extends ApiError {}
/** 401: the key is missing, unknown, revoked or expired, or its user is not active. */
export class Unauthorized extends ApiError {}
/** 403: the caller lacks the permission. */
export class Forbidden extends ApiError {}
/** 404: no such object, or none that the caller may see. */
export class NotFound extends ApiError {}
/** 409: the object is in a state that does not allow it. */
export class Conflict extends ApiError {}
/** 412: the object has changed since it was read. */
export class PreconditionFailed extends ApiError {}
/** 429: too many requests. */
export class Throttled extends ApiError {}
/** 503: try again later. After a change, the code `unconfirmed` means that it may have been made. */
export class Unavailable extends ApiError {}

export const byStatus: ReadonlyMap<number, typeof ApiError> = new Map<number, typeof ApiError>([
  [400, BadRequest],
  [401, Unauthorized],
  [403, Forbidden],
  [404, NotFound],
  [409, Conflict],
  [412, PreconditionFailed],
  [429, Throttled],
  [503, Unavailable],
]);
