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

/** A document, its ETag, the age of its data in seconds, and whether the data has changed since then. */
export interface View<T> {
  document: T;
  etag: string;
  age: number;
  stale: boolean;
}

/** An error response. Programs can rely on its code; retryAfter is in seconds. */
export class Problem extends Error {
  constructor(readonly status: number, readonly code: string, detail: string, readonly retryAfter?: number) {
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
    const answer = await this.#send("/v1/tasks", demand, idempotencyKey ? { "Idempotency-Key": idempotencyKey } : {});
    return (await answer.json()) as Receipt;
  }

  /** Returns a task's status. */
  async task(id: string): Promise<Status> {
    const answer = await this.#send(`/v1/tasks/${encodeURIComponent(id)}`);
    return (await answer.json()) as Status;
  }

  /** Waits until a task has ended. */
  async wait(id: string, limitMs = 60_000): Promise<Status> {
    for (const end = Date.now() + limitMs; ; await pause(500)) {
      const status = await this.task(id);
      if (status.state === "done" || status.state === "dead") return status;
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

  /** Reports that a record changed at the vendor. All readers see its views as stale once this resolves. */
  async invalidate(change: Change): Promise<Invalidation> {
    const answer = await this.#send("/v1/invalidations", change);
    return (await answer.json()) as Invalidation;
  }

  /** Yields changes until the connection ends or the caller leaves the loop: those after an event's id, or new ones. */
  async *events(after?: string): AsyncGenerator<Event> {
    const cut = new AbortController();
    try {
      const answer = await this.#send("/v1/events", undefined, after ? { "Last-Event-ID": after } : {}, cut.signal);
      let rest = "";
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + chunk).split("\n\n");
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          const event = parse(block);
          if (event) yield event;
        }
      }
    } finally {
      cut.abort();
    }
  }

  async #view<T>(path: string, query: Record<string, string | undefined>, known?: View<T>): Promise<View<T>> {
    const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const text = new URLSearchParams(given).toString();
    const answer = await this.#send(text ? `${path}?${text}` : path, undefined, known ? { "If-None-Match": known.etag } : {});
    return {
      document: answer.status === 304 && known ? known.document : ((await answer.json()) as T),
      etag: answer.headers.get("ETag") ?? "",
      age: Number(answer.headers.get("Age")),
      stale: answer.headers.get("Data-Stale") === "true",
    };
  }

  async #send(path: string, body?: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    const answer = await fetch(this.#url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        ...headers,
        Authorization: `Bearer ${this.#key}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
    if (answer.ok || answer.status === 304) return answer;
    const problem = (await answer.json().catch(() => ({}))) as Partial<Schemas["Problem"]>;
    const after = answer.headers.get("Retry-After");
    throw new Problem(answer.status, problem.code ?? "unknown", problem.detail ?? problem.title ?? "", after ? Number(after) : undefined);
  }
}

/** Parses one block of server-sent events. Returns undefined for a comment. */
function parse(block: string): Event | undefined {
  const lines = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) lines.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const [id, kind, data] = [lines.get("id"), lines.get("event"), lines.get("data")];
  if (id === undefined || kind === undefined || data === undefined) return undefined;
  return { id, kind: kind as Event["kind"], data: JSON.parse(data) as Event["data"] };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
