import { describe, expect, it } from "vitest";
import { bitrate, bytes, count, counted, percent } from "./quantity.ts";

describe("bytes", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.00 kB"],
    [9994, "9.99 kB"],
    [9996, "10.0 kB"],
    [19_420_000, "19.4 MB"],
    [99_960_000, "100 MB"],
    [999_600_000, "1.00 GB"],
    [1.25e12, "1.25 TB"],
    [5e18, "5000 PB"],
    [-2048, "−2.05 kB"],
    [Number.NaN, "unknown"],
  ])("%d is %s", (amount, text) => expect(bytes(amount)).toBe(text));
});

it("gives bit rates in bits per second", () => {
  expect(bitrate(4_900_000)).toBe("4.90 Mbit/s");
  expect(bitrate(0)).toBe("0 bit/s");
});

it("groups counts and knows one from many", () => {
  expect(count(1234567)).toBe("1\u202f234\u202f567");
  expect(count(123)).toBe("123");
  expect(count(-1000)).toBe("−1\u202f000");
  expect(counted(1, "batch", "batches")).toBe("1 batch");
  expect(counted(0, "batch", "batches")).toBe("0 batches");
  expect(counted(2, "line")).toBe("2 lines");
});

it("never rounds something to nothing, nor nearly all to all", () => {
  expect(percent(0, 10)).toBe("0 %");
  expect(percent(1, 1000)).toBe("< 1 %");
  expect(percent(1, 3)).toBe("33 %");
  expect(percent(999, 1000)).toBe("> 99 %");
  expect(percent(10, 10)).toBe("100 %");
  expect(percent(0, 0)).toBe("–");
});
