import { expect, it } from "vitest";
import type { HealthState } from "../api/operations.ts";
import { filtered, type Show } from "./filter.ts";

const row = (id: string, state: HealthState, onAir: boolean, reason = "") => ({
  id,
  facts: { desired: state === "IDLE" ? ("STOPPED" as const) : ("RUNNING" as const), streamId: id, tenant: "default" },
  status: { onAir, health: { state, reason, since: "" } },
});
const ROWS = [
  row("default:good", "HEALTHY", true),
  row("default:off", "IDLE", false),
  row("acme:slow", "DEGRADED", true, "original audio: the last reply was late"),
  row("acme:bad", "FAILING", false, "no packets leave"),
  row("acme:also-good", "HEALTHY", true),
];
const names = (text: string, show: Show) => filtered(ROWS, text, show).map((one) => one.id);

it("puts trouble first, then goes by name", () =>
  expect(names("", "all")).toEqual(["acme:bad", "acme:slow", "acme:also-good", "default:good", "default:off"]));

it.each([
  ["", "air", ["acme:slow", "acme:also-good", "default:good"]],
  ["", "trouble", ["acme:bad", "acme:slow"]],
  ["", "stopped", ["default:off"]],
  ["  GOOD ", "all", ["acme:also-good", "default:good"]],
  ["late", "all", ["acme:slow"]],
  ["default:", "air", ["default:good"]],
  ["zzz", "all", []],
] as const)("finds %j in %s", (text, show, ids) => expect(names(text, show)).toEqual(ids));
