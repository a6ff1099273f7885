import { expect, it } from "vitest";
import type { HealthState, Phase } from "../api/operations.ts";
import { clicked, filtered, grouped, type Line, numbers, orderOf, orderText, type Show } from "./filter.ts";

const SINCE = "2026-01-01T00:00:00Z";
const row = (id: string, state: HealthState, phase: Phase, more: Partial<Line["status"]> = {}): Line => ({
  id,
  facts: {
    streamId: id.split(":")[1] ?? id,
    tenant: "default",
    settings: { batchSeconds: 4, processor: { url: "http://p/" }, destinations: [{ id: "a" }] },
  },
  status: {
    phase,
    onAir: phase === "ON_AIR",
    health: { state, reason: "", since: SINCE } as Line["status"]["health"],
    counters: null,
    destinations: [],
    processor: null,
    runningRevision: 1,
    timeLeftSeconds: null,
    behindSeconds: null,
    ...more,
  },
  trips: [],
});
const to = (backlogMs: number) => [{ onAir: true, backlogMs }] as unknown as Line["status"]["destinations"];
const because = (state: HealthState, reason: string) => ({
  health: { state, reason, since: SINCE } as Line["status"]["health"],
});
const ROWS = [
  row("default:good", "HEALTHY", "ON_AIR", { destinations: to(20) }),
  row("default:off", "IDLE", "STOPPED"),
  row("default:new", "IDLE", "STOPPED", { runningRevision: null }),
  row("acme:slow", "DEGRADED", "ON_AIR", because("DEGRADED", "original audio: the last reply was late")),
  row("acme:retrying", "FAILING", "WAITING"),
  row("acme:bad", "FAILING", "OFF_AIR"),
  row("acme:behind", "HEALTHY", "ON_AIR", { destinations: to(41_000) }),
  row("acme:also-good", "HEALTHY", "ON_AIR", { destinations: to(90) }),
];
const names = (text: string, show: Show, sort: string | null = null) =>
  filtered(ROWS, text, show, orderOf(sort)).map((one) => one.id.split(":")[1]);

it("puts trouble first: off air, failing, degraded, never started; stopped on purpose last", () =>
  expect(names("", "all")).toEqual(["bad", "retrying", "behind", "slow", "new", "also-good", "good", "off"]));

it.each([
  ["", "air", ["behind", "slow", "also-good", "good"]],
  ["", "trouble", ["bad", "retrying", "behind", "slow"]],
  ["", "stopped", ["off"]],
  ["", "never", ["new"]],
  ["  GOOD ", "all", ["also-good", "good"]],
  ["late", "all", ["slow"]],
  ["default:", "air", ["good"]],
  ["zzz", "all", []],
] as const)("finds %j in %s", (text, show, ids) => expect(names(text, show)).toEqual(ids));

it("sorts by any column both ways, and what has no value comes last", () => {
  expect(names("", "air", "lag")).toEqual(["good", "also-good", "behind", "slow"]);
  expect(names("", "air", "-lag")).toEqual(["behind", "also-good", "good", "slow"]);
  expect(names("", "air", "stream")).toEqual(["also-good", "behind", "good", "slow"]);
  expect(names("", "air", "no such column")).toEqual(names("", "air"));
});

it("turns the order around with a second click", () => {
  const once = clicked(orderOf(null), "lag");
  expect(orderText(once)).toBe("lag");
  expect(orderText(clicked(once, "lag"))).toBe("-lag");
  expect(orderText(clicked(clicked(once, "lag"), "lag"))).toBe("lag");
});

it("groups by state", () =>
  expect(grouped(filtered(ROWS, "", "all")).map(({ group, rows }) => [group, rows.length])).toEqual([
    ["off", 1],
    ["failing", 1],
    ["degraded", 2],
    ["never", 1],
    ["air", 2],
    ["stopped", 1],
  ]));

it("has no number that comforts while off air", () => {
  const [stale] = [row("a:b", "FAILING", "OFF_AIR", { destinations: to(0), processor: null })];
  expect(stale && numbers(stale)).toMatchObject({ lag: null, left: null, trip: null, original: null });
});
