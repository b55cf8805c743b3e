/** What is around the operations: the key, retries, errors, pages, streams, files. */

import type { components, operations } from "./api.js";
import { ApiError, byStatus, ConfigurationError, ConnectionFailed, Incomplete, TimedOut, WardroomError } from "./errors.js";
import { table } from "./operations.js";
import { version } from "./version.js";

export type Schemas = components["schemas"];
type Name = keyof operations & keyof typeof table;
type Operation<N extends Name> = operations[N];
type Parameters<N extends Name> = Operation<N>["parameters"];

/** A file to upload as an `avatar`. */
export interface File {
  readonly name: string;
  readonly content: Blob;
}

/** A picture: where it is, or the drawing of the initials of a user who has none. */
export interface Picture {
  readonly url: string | null;
  readonly svg: string | null;
}

type Part<Key extends string, T> = [T] extends [never] ? unknown : undefined extends T ? { [K in Key]?: NonNullable<T> | undefined } : { [K in Key]: T };
type PathOf<N extends Name> = Parameters<N> extends { path: infer P } ? P : never;
type QueryOf<N extends Name> = Parameters<N> extends { query?: infer Q } ? Q | undefined : never;
type Content<N extends Name> = Operation<N> extends { requestBody?: infer B } ? (NonNullable<B> extends { content: infer C } ? C : never) : never;
type Json<C> = C extends { "application/json": infer B } ? B : C extends { "application/x-www-form-urlencoded": infer F } ? F : never;
type BodyOf<N extends Name> = Operation<N> extends { requestBody: unknown } ? Json<Content<N>> : Operation<N> extends { requestBody?: infer B } ? ([NonNullable<B>] extends [never] ? never : Json<Content<N>> | undefined) : never;
type AvatarOf<N extends Name> = [Content<N>] extends [never] ? never : Content<N> extends { "multipart/form-data": unknown } ? File | undefined : never;
type MatchOf<N extends Name> = Parameters<N> extends { header?: infer H } ? ([NonNullable<H>] extends [never] ? never : string | undefined) : never;

/** What an operation takes. */
export type Input<N extends Name> = Part<"path", PathOf<N>> &
  Part<"query", QueryOf<N> extends undefined ? never : QueryOf<N>> &
  Part<"body", BodyOf<N>> &
  Part<"avatar", AvatarOf<N>> &
  Part<"ifMatch", MatchOf<N>> & {
    /** Ends the request early. */
    signal?: AbortSignal | undefined;
  };

type Success<R> = { [S in keyof R]: S extends 200 | 201 ? (R[S] extends { content: { "application/json": infer B } } ? B : never) : never }[keyof R];
type HasPicture<R> = R extends { 200: { content: { "image/svg+xml": unknown } } } ? true : false;

/** What an operation returns. */
export type Output<N extends Name> = HasPicture<Operation<N>["responses"]> extends true ? Picture : [Success<Operation<N>["responses"]>] extends [never] ? void : Success<Operation<N>["responses"]>;

/** A row of the pages of an operation. */
export type Row<N extends Name> = Output<N> extends { results: (infer R)[] } ? R : never;
type Paged = { [N in Name]: (typeof table)[N][3] extends "" ? never : N }[Name];
type Optional<T> = object extends T ? [input?: T] : [input: T];

/** What a response says besides its body. */
export interface Info {
  readonly status: number;
  /** What `ifMatch` wants. */
  readonly etag: string | null;
  readonly requestId: string | null;
  readonly tokenExpiresAt: string | null;
}

const infos = new WeakMap<object, Info>();

/** What the response said besides this body. */
export function info(body: object): Info {
  const found = infos.get(body);
  if (found === undefined) throw new TypeError("This is not the body of a response.");
  return found;
}

export interface Options {
  /** The key. Without one, only signing in is possible. */
  readonly key?: string;
  /** Milliseconds for each attempt. */
  readonly timeout?: number;
  /** How often a request that only reads is sent again after a 429 or a 503 with `Retry-After`. */
  readonly retries?: number;
  /** The longest wait before such a repetition, in seconds. */
  readonly longestWait?: number;
  /** Allows `http` to other machines than this one. */
  readonly allowHttp?: boolean;
  /** The first word of the header, as the server's setting `token_keywords` has it. */
  readonly keyword?: string;
  /** In place of the global `fetch`. */
  readonly fetch?: typeof fetch;
  readonly sleep?: (milliseconds: number) => Promise<void>;
}

interface Request {
  readonly path?: Readonly<Record<string, unknown>> | undefined;
  readonly query?: Readonly<Record<string, unknown>> | undefined;
  readonly body?: unknown;
  readonly avatar?: File | undefined;
  readonly ifMatch?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows per page of an iterator. A page may have up to 1,000. */
const PAGE = 500;

/** A client of one server, with one key. */
export class Client {
  readonly #base: string;
  readonly #key: string | undefined;
  readonly #options: Required<Pick<Options, "timeout" | "retries" | "longestWait" | "keyword" | "fetch" | "sleep">>;

  constructor(url: string, options: Options = {}) {
    this.#base = checkedUrl(url, options.allowHttp ?? false);
    this.#key = checkedKey(options.key);
    this.#options = {
      timeout: options.timeout ?? 10_000,
      retries: options.retries ?? 2,
      longestWait: options.longestWait ?? 30,
      keyword: options.keyword ?? "Token",
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
      sleep: options.sleep ?? ((milliseconds) => new Promise((wake) => setTimeout(wake, milliseconds))),
    };
  }

  /** Calls an operation by its name in openapi.json. */
  async call<N extends Name>(operation: N, ...[input]: Optional<Input<N>>): Promise<Output<N>> {
    return (await this.#call(operation, (input ?? {}) as Request)) as Output<N>;
  }

  /** All rows of all pages. `limit` is the size of a page. */
  async *iterate<N extends Paged>(operation: N, ...[input]: Optional<Input<N>>): AsyncGenerator<Row<N>, void, void> {
    const asked = (input ?? {}) as Request;
    const pager = table[operation][3];
    let position: string | undefined = pager === "cursor" ? "" : undefined;
    for (;;) {
      const query = { limit: PAGE, ...asked.query, offset: undefined, [pager]: position };
      const page = (await this.#call(operation, { ...asked, query })) as { results: Row<N>[]; next: string | null };
      yield* page.results;
      if (page.next === null) return;
      // Only the position is taken from the link: its host may be another, behind a proxy.
      position = new URL(page.next, this.#base).searchParams.get(pager) ?? undefined;
      if (position === undefined) throw new Incomplete("the link to the next page has no position");
    }
  }

  /** The events of the audit trail, one at a time, as they arrive. */
  async *exportAudit(input: Input<"audit_export"> = {}): AsyncGenerator<Schemas["AuditItem"], void, void> {
    const { response, clear } = await this.#send("audit_export", input as Request);
    const reader = response.body?.getReader();
    if (reader === undefined) throw new Incomplete("the response has no body");
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let kept = "";
    try {
      for (;;) {
        const { done, value } = await this.#guarded(() => inTime(reader.read(), this.#options.timeout), input.signal);
        kept += decoder.decode(value, { stream: !done });
        const lines = kept.split("\n");
        kept = lines.pop() ?? "";
        for (const line of lines) yield parsed(line) as Schemas["AuditItem"];
        if (done) break;
      }
      if (kept !== "") throw new Incomplete("the export ended in the middle of a line");
    } finally {
      clear();
      await reader.cancel().catch(() => undefined);
    }
  }

  async #call(operation: Name, input: Request): Promise<unknown> {
    const { response, clear } = await this.#send(operation, input);
    try {
      const text = await this.#guarded(() => response.text(), input.signal);
      if (table[operation][2] === "image/svg+xml") {
        return response.status === 200 && !response.redirected ? { url: null, svg: text } : { url: response.headers.get("location"), svg: null };
      }
      if (response.status === 202 || response.status === 204) return undefined;
      const body = parsed(text);
      if (typeof body === "object" && body !== null) infos.set(body, facts(response));
      return body;
    } finally {
      clear();
    }
  }

  async #send(operation: Name, input: Request): Promise<{ response: Response; clear: () => void }> {
    const [method, path, kind, , isForm] = table[operation];
    const url = this.#base + filled(path, input.path ?? {}) + asQuery(input.query ?? {});
    let left = method === "GET" ? this.#options.retries : 0;
    for (;;) {
      const control = new AbortController();
      const timer = setTimeout(() => control.abort(), this.#options.timeout);
      const abort = (): void => control.abort();
      input.signal?.addEventListener("abort", abort);
      if (input.signal?.aborted) abort();
      const clear = (): void => {
        clearTimeout(timer);
        input.signal?.removeEventListener("abort", abort);
      };
      try {
        const response = await this.#guarded(
          () => this.#options.fetch(url, { ...this.#message(method, kind, isForm, input), signal: control.signal }),
          input.signal,
        );
        if (response.status < 400) {
          // The time for a stream is counted from one piece to the next.
          if (kind === "application/x-ndjson") clearTimeout(timer);
          return { response, clear };
        }
        const error = await this.#error(response);
        const wait = error.retryAfter;
        if (left === 0 || (error.status !== 429 && error.status !== 503) || wait === null || wait > this.#options.longestWait) throw error;
        left -= 1;
        clear();
        await this.#options.sleep(wait * 1000);
      } catch (error) {
        clear();
        throw error;
      }
    }
  }

  #message(method: string, kind: string, isForm: boolean, input: Request): RequestInit {
    const accept = ["application/problem+json", "application/json"];
    if (kind !== "" && kind !== "application/json") accept.push(kind);
    const headers: Record<string, string> = { Accept: accept.join(", ") };
    // Browsers do not let a page set it.
    if (typeof document === "undefined") headers["User-Agent"] = `wardroom-client/${version} (TypeScript)`;
    if (this.#key !== undefined) headers["Authorization"] = `${this.#options.keyword} ${this.#key}`;
    if (input.ifMatch !== undefined) headers["If-Match"] = input.ifMatch;
    const init: RequestInit = { method, headers, redirect: kind === "image/svg+xml" ? "manual" : "error", credentials: "omit", cache: "no-store" };
    if (input.avatar !== undefined) {
      init.body = multipart(input.body, input.avatar);
    } else if (input.body !== undefined) {
      headers["Content-Type"] = isForm ? "application/x-www-form-urlencoded" : "application/json";
      init.body = isForm ? new URLSearchParams(input.body as Record<string, string>).toString() : JSON.stringify(input.body);
    }
    return init;
  }

  async #error(response: Response): Promise<ApiError> {
    let text = await this.#guarded(() => response.text(), undefined).catch(() => "");
    if (this.#key !== undefined) text = text.replaceAll(this.#key, "[key]");
    let said: Record<string, unknown> = {};
    try {
      const found: unknown = JSON.parse(text);
      if (Array.isArray(found)) said = { errors: { items: found } };
      else if (typeof found === "object" && found !== null) said = found as Record<string, unknown>;
    } catch {
      // An error of a proxy in front of it.
    }
    const { code, detail, errors } = said;
    const kind = byStatus.get(response.status) ?? ApiError;
    return new kind({
      status: response.status,
      code: typeof code === "string" ? code : "error",
      detail: typeof detail === "string" ? detail : "",
      errors: typeof errors === "object" && errors !== null ? (errors as Record<string, unknown>) : {},
      requestId: response.headers.get("x-request-id"),
      retryAfter: seconds(response.headers.get("retry-after")),
    });
  }

  /** Runs it, and throws errors of this package. The original errors are dropped: nothing of the request is in what is thrown. */
  async #guarded<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof WardroomError) throw error;
      if (signal?.aborted) throw new ConnectionFailed("the request was ended by its signal");
      if (error instanceof Error && error.name === "AbortError") throw new TimedOut("the response did not arrive in time");
      throw new ConnectionFailed("there was no complete response");
    }
  }
}

/** Fails if a piece of a stream does not arrive in time. */
async function inTime<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new TimedOut("the response did not arrive in time")), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function facts(response: Response): Info {
  const { headers } = response;
  return { status: response.status, etag: headers.get("etag"), requestId: headers.get("x-request-id"), tokenExpiresAt: headers.get("x-token-expires-at") };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Incomplete("the response is not JSON");
  }
}

function filled(path: string, values: Readonly<Record<string, unknown>>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (typeof value === "number" && !Number.isSafeInteger(value)) throw new ConfigurationError(`${name} is not an exact whole number.`);
    if (value === undefined || value === "" || value === "." || value === "..") throw new ConfigurationError(`${name} is missing.`);
    return encodeURIComponent(String(value));
  });
}

function asQuery(values: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined && value !== null);
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs.map(([name, value]) => [name, String(value)]))}`;
}

function multipart(body: unknown, avatar: File): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries((body ?? {}) as Record<string, unknown>)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) form.append(name, one === null ? "" : String(one));
    }
  }
  form.append("avatar", avatar.content, avatar.name);
  return form;
}

/** What Retry-After says: seconds, or a date. */
function seconds(value: string | null): number | null {
  if (value === null) return null;
  if (/^\d+$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max((date - Date.now()) / 1000, 0);
}

function checkedKey(key: string | undefined): string | undefined {
  if (key !== undefined && !/^[!-~]+$/.test(key)) {
    throw new ConfigurationError("The key is empty, or has characters that no key has: blanks, line ends, non-ASCII.");
  }
  return key;
}

/** Without TLS, only this machine. */
function checkedUrl(text: string, allowHttp: boolean): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ConfigurationError("The URL has to be like https://accounts.example.com.");
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") throw new ConfigurationError("The URL has to be like https://accounts.example.com.");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new ConfigurationError("The URL has a user, a password, a query or a fragment: leave it out.");
  }
  const isHere = url.hostname === "localhost" || url.hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
  if (url.protocol === "http:" && !isHere && !allowHttp) {
    throw new ConfigurationError(`Without https, everyone on the way to ${url.hostname} reads the key: use https, or allowHttp.`);
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}
