import { expect, it } from "vitest";
import { FIRST, type Link, type LinkEvent, next, SILENT_AFTER_MS, wait } from "./link.ts";

const after = (...events: LinkEvent[]): Link => events.reduce(next, FIRST);
const closed = (at: number, code = 1006): LinkEvent => ({ kind: "closed", at, code });

it("is live from the moment the server has answered", () => {
  expect(after({ kind: "attempt" })).toEqual({ kind: "connecting" });
  expect(after({ kind: "attempt" }, { kind: "open" })).toEqual({ kind: "live" });
});

it("counts from the moment the connection was lost, over all attempts", () => {
  const events: LinkEvent[] = [{ kind: "open" }, closed(100), { kind: "attempt" }, closed(200), { kind: "attempt" }];
  expect(after(...events)).toEqual({ kind: "lost", since: 100, attempts: 2 });
  expect(after(...events, { kind: "open" })).toEqual({ kind: "live" });
  expect(after(...events, { kind: "open" }, closed(900))).toEqual({ kind: "lost", since: 900, attempts: 0 });
});

it("says so when the first connection does not come about", () => {
  expect(after({ kind: "attempt" }, closed(50))).toEqual({ kind: "lost", since: 50, attempts: 0 });
});

it("does not call a refusal a lost connection", () => {
  expect(after({ kind: "open" }, closed(1, 4401))).toEqual({ kind: "refused" });
  expect(after(closed(1, 4403), closed(2))).toEqual({ kind: "refused" });
  expect(after(closed(1, 4403), { kind: "reset" })).toEqual(FIRST);
});

it("is not lost when we closed it", () => expect(after({ kind: "open" }, closed(1, 1000))).toEqual({ kind: "live" }));

it("waits longer each time, up to half a minute, and never less than half of that", () => {
  expect([0, 1, 2, 5, 6, 60].map((retries) => wait(retries, 1))).toEqual([500, 1000, 2000, 16_000, 30_000, 30_000]);
  expect(wait(0, 0)).toBe(250);
  expect(wait(60, 0)).toBe(15_000);
});

it("says so after three seconds without a message, and is live again with the next one", () => {
  const look = (at: number, last: number): LinkEvent => ({ kind: "look", at, last });
  expect(SILENT_AFTER_MS).toBe(3_000);
  expect(after({ kind: "open" }, look(2_999, 0))).toEqual({ kind: "live" });
  const silent = [{ kind: "open" }, look(3_500, 400)] as const;
  expect(after(...silent)).toEqual({ kind: "silent", since: 400 });
  expect(after(...silent, look(9_000, 400))).toEqual({ kind: "silent", since: 400 });
  expect(after(...silent, { kind: "message" })).toEqual({ kind: "live" });
  expect(after(...silent, closed(9_000)), "the age of what is shown").toEqual({
    kind: "lost",
    since: 400,
    attempts: 0,
  });
  expect(after(look(9_000, 0)), "nothing is shown yet").toEqual(FIRST);
});
