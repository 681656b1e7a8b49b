// Prints what the client makes of each response of the server at ROUNDS_URL, one JSON document a line. The arguments are
// names: those that begin with "stream-" are read as events, those with "again-" as a board that the client knows, the
// others as a board.
import { Client, Problem, type Event } from "./rounds.js";

async function read(name: string): Promise<object> {
  const client = new Client(`${process.env["ROUNDS_URL"] ?? ""}/${name}`, process.env["ROUNDS_API_KEY"] ?? "");
  try {
    if (name.startsWith("stream-")) {
      const events: Event[] = [];
      for await (const event of client.events()) events.push(event);
      return { events };
    }
    let view = await client.board("1");
    if (name.startsWith("again-")) view = await client.board("1", undefined, view);
    return { age: view.age ?? null, stale: view.stale ?? null, stale_reason: view.staleReason ?? null, document: view.document };
  } catch (error) {
    if (error instanceof Problem) {
      return { status: error.status, code: error.code, retry_after: error.retryAfter ?? null, stale_reason: error.staleReason ?? null };
    }
    return { error: error instanceof Error ? error.name : "unknown" };
  }
}

for (const name of process.argv.slice(2)) console.log(JSON.stringify({ ...(await read(name)), name }));
