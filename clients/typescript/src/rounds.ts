// A client for the Rounds gateway. It runs on Node 20 and later, and wherever else fetch exists. Its types come from the
// gateway's OpenAPI document.
import type { components } from "./api.js";

type Schemas = components["schemas"];
export type Demand =
  | Schemas["SyncScheduleDemand"] | Schemas["SyncPatientDemand"] | Schemas["SyncDirectoryDemand"]
  | Schemas["WarmViewDemand"] | Schemas["InvalidateEntityDemand"];
export type Receipt = Schemas["Receipt"];
export type Status = Schemas["Status"];
export type Board = Schemas["Board"];
export type Card = Schemas["Card"];
export type ProviderDay = Schemas["ProviderDay"];
export type Change = Schemas["Change"];
export type Invalidation = Schemas["Invalidation"];

/** An event of the stream. The data of "ready" and "gap" is empty. */
export interface Event {
  id: string;
  kind: Schemas["Message"]["event"];
  data: Partial<Schemas["Event"]>;
}

/** A document, its ETag, the age of its data in seconds, and whether the data has changed since then. Age and stale are
 * undefined where the response does not state them, such as a 304 of a proxy: the data may be outdated. staleReason is the
 * code of why nothing confirms stale data any more; it is undefined if the next reading does. */
export interface View<T> {
  document: T;
  etag: string;
  age: number | undefined;
  stale: boolean | undefined;
  staleReason: string | undefined;
}

/** A response that is not the gateway's document: an error of the gateway, or of a proxy in front of it. Programs can rely on
 * its code, which is "unknown" if the response has none; retryAfter is in seconds; staleReason is the code of why the practice
 * cannot be read at the vendor. */
export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, detail: string, readonly retryAfter?: number, readonly staleReason?: string) {
    super(`${status} ${code} ${detail}`);
  }
}

/** Sends requests to one gateway with one API key. */
export class Client {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url.replace(/\/+$/, "");
    this.#key = key;
  }

  /** Enqueues a task. A second call with the same idempotency key within 48 hours returns the first call's task. */
  async enqueue(demand: Demand, idempotencyKey?: string): Promise<Receipt> {
    return documentOf(await this.#send("/v1/tasks", demand, idempotencyKey ? { "Idempotency-Key": idempotencyKey } : {}));
  }

  /** Returns a task's status. */
  async task(id: string): Promise<Status> {
    return documentOf(await this.#send(`/v1/tasks/${encodeURIComponent(id)}`));
  }

  /** Waits until a task has ended. */
  async wait(id: string, limitMs = 60_000): Promise<Status> {
    for (const end = Date.now() + limitMs; ; await pause(500)) {
      const status = await this.task(id);
      if (["done", "dead", "superseded", "expired"].includes(status.state)) return status;
      if (Date.now() > end) throw new Error(`the task is still ${status.state}`);
    }
  }

  /** Reads a day board. Without a date, it is today's at the practice. If the data still matches known, the result has the
   * document of known and its new age. */
  board(practice: string, date?: string, known?: View<Board>): Promise<View<Board>> {
    return this.#view(`/v1/practices/${encodeURIComponent(practice)}/board`, { date }, known);
  }

  /** Reads a patient's card. */
  patient(patient: string, practice?: string, known?: View<Card>): Promise<View<Card>> {
    return this.#view(`/v1/patients/${encodeURIComponent(patient)}`, { practice }, known);
  }

  /** Reads a provider's day. */
  providerDay(provider: string, practice?: string, date?: string, known?: View<ProviderDay>): Promise<View<ProviderDay>> {
    return this.#view(`/v1/providers/${encodeURIComponent(provider)}/day`, { practice, date }, known);
  }

  /**
   * Reports that a record changed at the vendor. All readers see its views as stale once this resolves. If the cache cannot be
   * written, the document has "queued", and a task does it when the cache is back.
   */
  async invalidate(change: Change): Promise<Invalidation> {
    return documentOf(await this.#send("/v1/invalidations", change));
  }

  /** Yields changes until the connection ends or the caller leaves the loop: those after an event's id, or new ones. */
  async *events(after?: string): AsyncGenerator<Event> {
    const cut = new AbortController();
    try {
      const response = await this.#send("/v1/events", undefined, after ? { "Last-Event-ID": after } : {}, cut.signal);
      if (!/^text\/event-stream\b/i.test(response.headers.get("Content-Type") ?? "") || !response.body) {
        throw new Problem(response.status, "unknown", "");
      }
      const parser = new Parser();
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) yield* parser.read(chunk);
      yield* parser.end();
    } finally {
      cut.abort();
    }
  }

  async #view<T>(path: string, query: Record<string, string | undefined>, known?: View<T>): Promise<View<T>> {
    const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const text = new URLSearchParams(given).toString();
    const response = await this.#send(text ? `${path}?${text}` : path, undefined, known?.etag ? { "If-None-Match": known.etag } : {});
    const unchanged = response.status === 304 && known?.etag ? known : undefined;
    const document = unchanged?.document ?? await documentOf<T>(response);
    const stated = statedIn(unchanged ? {} : document);
    return {
      document,
      etag: response.headers.get("ETag") ?? "",
      age: seconds(response.headers.get("Age")),
      stale: stated.stale ?? flag(response.headers.get("Data-Stale")),
      staleReason: stated.reason || (response.headers.get("Data-Stale-Reason") ?? undefined),
    };
  }

  async #send(path: string, body?: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    const response = await fetch(this.#url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        ...headers,
        Authorization: `Bearer ${this.#key}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    if (response.ok || response.status === 304) return response;
    const document: unknown = await response.json().catch(() => undefined);
    const problem = (typeof document === "object" && document !== null ? document : {}) as Record<string, unknown>;
    throw new Problem(
      response.status, text(problem["code"]) || "unknown", text(problem["detail"]) || text(problem["title"]),
      retryAfter(response.headers.get("Retry-After")), text(problem["stale_reason"]) || undefined,
    );
  }
}

/** Returns the document of a response, or throws a Problem if it has none. */
async function documentOf<T>(response: Response): Promise<T> {
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw new Problem(response.status, "unknown", "");
  return body as T;
}

/** Parses a stream of events as the HTML standard defines it (server-sent events, 9.2.6). */
class Parser {
  #rest = "";
  #id = "";
  #kind = "";
  #data: string[] = [];

  /** Yields the events that end in the chunk. */
  *read(chunk: string): Generator<Event> {
    const lines = (this.#rest + chunk).split(/\r\n|\n|\r(?!$)/); // a CR at the end may be half of a line end
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") yield* this.#dispatch();
      else this.#field(line);
    }
  }

  /** Yields the event whose last line end is a CR at the end of the stream. */
  *end(): Generator<Event> {
    if (this.#rest.endsWith("\r")) yield* this.read("\n");
  }

  #field(line: string): void {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#kind = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }

  *#dispatch(): Generator<Event> {
    const [kind, data] = [this.#kind || "message", this.#data];
    [this.#kind, this.#data] = ["", []];
    if (data.length > 0) yield { id: this.#id, kind: kind as Event["kind"], data: JSON.parse(data.join("\n")) as Event["data"] };
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function seconds(header: string | null): number | undefined {
  return header !== null && /^\s*\d{1,10}\s*$/.test(header) ? Number(header) : undefined;
}

function flag(header: string | null): boolean | undefined {
  return header === "true" || header === "false" ? header === "true" : undefined;
}

/** Returns what a document states about its data. */
function statedIn(document: unknown): { stale: boolean | undefined; reason: string } {
  const { stale, stale_reason: reason } = document as Record<string, unknown>;
  return { stale: typeof stale === "boolean" ? stale : undefined, reason: text(reason) };
}

const month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)";
const httpDate = new RegExp(`^[A-Z][a-z]+, \\d\\d(?: ${month} \\d{4}|-${month}-\\d\\d) \\d\\d:\\d\\d:\\d\\d GMT$`);

/** Returns the seconds that a Retry-After header asks to wait, which is a number or a date; undefined without a usable one. */
function retryAfter(header: string | null): number | undefined {
  const number = seconds(header);
  if (number !== undefined || header === null) return number;
  const at = httpDate.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, Math.round((at - Date.now()) / 1000));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
