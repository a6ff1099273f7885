import { expect, it } from "vitest";
import { ServerClock } from "./clock.ts";

it("is the browser's own until the server has said something", () => expect(new ServerClock().now(5000)).toBe(5000));

it("follows the message that travelled fastest", () => {
  const clock = new ServerClock();
  // The server's clock is an hour ahead; messages take 20 to 900 ms.
  for (const [sent, delay] of [
    [0, 900],
    [1000, 20],
    [2000, 400],
  ] as const) {
    clock.observe(sent + 3_600_000, sent + delay);
  }
  expect(clock.now(10_000)).toBe(3_609_980);
});

it("forgets, so that a clock that is set back is followed", () => {
  const clock = new ServerClock();
  clock.observe(60_000, 0);
  for (let at = 1; at <= 32; at += 1) clock.observe(at, at);
  expect(clock.now(100)).toBe(100);
});
