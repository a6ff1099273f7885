import { expect, it } from "vitest";
import { asSentence, causeFirst } from "./reason.ts";

it.each([
  [
    "no packets leave: rtmp://a/live/…: connection refused (attempt 3)",
    "no packets leave: connection refused (attempt 3) (rtmp://a/live/…)",
  ],
  ["rtmp://a:1935/live/…: connection refused", "connection refused (rtmp://a:1935/live/…)"],
  ["source: 404", "source: 404"],
  ["on air with processed audio", "on air with processed audio"],
  ["the processor at http://127.0.0.1:9/ is away", "the processor at http://127.0.0.1:9/ is away"],
])("%s", (reason, told) => expect(causeFirst(reason)).toBe(told));

it("begins as a sentence does", () => expect(asSentence("source: 404")).toBe("Source: 404"));
