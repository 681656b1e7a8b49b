// Uses each part of the API once: enqueue, wait, read a board twice, invalidate, follow events, reconnect.
// ROUNDS_URL and ROUNDS_API_KEY are the environment, the practice is the argument.
import { Client, Problem, type Event } from "./rounds.js";

function expect(what: string, condition: boolean): void {
  if (!condition) throw new Error(`failed: ${what}`);
  console.log(what);
}

async function until(events: AsyncGenerator<Event>, kind: Event["kind"]): Promise<Event> {
  for (;;) {
    const next = await events.next();
    if (next.done) throw new Error(`the stream ended before ${kind}`);
    if (next.value.kind === kind) return next.value;
  }
}

async function walk(practice: string): Promise<void> {
  const client = new Client(process.env["ROUNDS_URL"] ?? "", process.env["ROUNDS_API_KEY"] ?? "");
  const refused = await client.task("no-such-task").catch((error: unknown) => error);
  expect("an unknown task is not_found", refused instanceof Problem && refused.code === "not_found" && refused.status === 404);

  const today = new Date().toLocaleDateString("en-CA", { timeZone: process.env["TZ"] });
  const receipt = await client.enqueue({ kind: "schedule.sync", args: { practice, from: today, to: today } }, `walk.ts ${Date.now()}`);
  expect("the task is done", (await client.wait(receipt.id)).state === "done");

  let board = await client.board(practice, today);
  while (board.document.unknown > 0) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    board = await client.board(practice, today);
  }
  expect("the board has rows and an age", board.document.rows.length > 0 && board.stale === false && (board.age ?? -1) >= 0);
  const again = await client.board(practice, today, board);
  expect("the same board is not sent again", again.document === board.document && again.etag === board.etag);

  const stream = client.events();
  await until(stream, "ready");
  const done = await client.invalidate({ practice, noun: "practice" });
  expect("the response names the tasks that read it again", done.tasks.length >= 2);
  const seen = await until(stream, "entity.invalidated");
  expect("the event names the practice", seen.data.practice === practice);
  await stream.return(undefined);

  for (const noun of ["provider", "practice", "provider"] as const) await client.invalidate({ practice, noun, id: "1" });
  const resumed = client.events(seen.id);
  const missed: bigint[] = [];
  while (missed.length < 3) missed.push(BigInt((await until(resumed, "entity.invalidated")).id));
  await resumed.return(undefined);
  expect("no event was lost while disconnected", missed.every((id, i) => id > (missed[i - 1] ?? BigInt(seen.id))));
}

await walk(process.argv[2] ?? "1");
