import { describe, expect, it } from "vitest";
import type { SettingsFactsFragment } from "../api/operations.ts";
import { type SettingsForm, toForm, toInput, wrongNumbers } from "./form.ts";

const THERE: SettingsFactsFragment = {
  source: {
    url: "https://o.test/live.m3u8?…",
    backupUrl: null,
    maxBandwidth: 5_000_000,
    resolution: null,
    audio: { pid: null, language: "de", codec: null, name: null },
    program: null,
    whenEnded: null,
    catchUp: null,
    liveEdge: null,
    headers: [{ name: "Authorization" }],
  },
  processor: {
    url: "http://p.test/",
    path: null,
    namespace: null,
    hasAuth: true,
    headers: [],
    inFlight: 2,
    preRoll: null,
  },
  destinations: [
    { id: "a1", name: null, url: "rtmp://x.test/live/…", srsApi: "http://x.test:1985/", enabled: true },
    { id: "b2", name: null, url: "rtmp://y.test/live/…", srsApi: null, enabled: true },
  ],
  batchSeconds: 30,
  holdSeconds: null,
  cushionSeconds: 2.5,
  stages: {
    batching: { component: null, settings: { batch_seconds: 8 }, onFailure: "STOP", autoSwap: false, pinned: true },
    framing: { component: "sha256:f1", settings: null, onFailure: null, autoSwap: false, pinned: false },
    remuxPlanning: { component: null, settings: null, onFailure: null, autoSwap: false, pinned: false },
  },
  keep: { batches: 30, maxAgeSeconds: 7200, maxBytes: null, output: false },
};
const before = toForm(THERE);
const change = (more: Partial<SettingsForm>) => toInput({ ...structuredClone(before), ...more }, before);

describe("a change", () => {
  it("sends nothing where nothing was changed: above all no secrets that are shown as dots", () =>
    expect(change({})).toEqual({}));

  it("sends what was changed and no more", () => {
    expect(change({ sourceUrl: " https://o.test/new.m3u8 " })).toEqual({ source: { url: "https://o.test/new.m3u8" } });
    expect(change({ preRoll: "off" })).toEqual({ processor: { preRoll: false } });
    expect(change({ inFlight: "4", batchSeconds: "10" })).toEqual({ processor: { inFlight: 4 }, batchSeconds: 10 });
  });

  it("goes back to the default where a field was emptied", () => {
    expect(change({ liveEdge: "2" })).toEqual({ source: { liveEdge: 2 } });
    expect(change({ whenEnded: "STOP" })).toEqual({ source: { whenEnded: "STOP" } });
    expect(change({ catchUp: "LIVE" })).toEqual({ source: { catchUp: "LIVE" } });
    expect(change({ maxBandwidth: "", cushionSeconds: "" })).toEqual({
      source: { maxBandwidth: null },
      cushionSeconds: null,
    });
    expect(change({ processorUrl: "" })).toEqual({ processor: null });
  });

  it("sends a choice of audio as a whole, and none where all of it was emptied", () => {
    expect(change({ audioPid: "257" })).toEqual({
      source: { audio: { pid: 257, language: "de", codec: null, name: null } },
    });
    expect(change({ audioLanguage: " " })).toEqual({ source: { audio: null } });
    expect(change({ program: "2" })).toEqual({ source: { program: 2 } });
  });

  it("sends what is kept as a whole, in the server's units", () => {
    expect(change({ keepHours: "0.5", keepGigabytes: "1.5" })).toEqual({
      keep: { batches: 30, maxAgeSeconds: 1800, maxBytes: 1_500_000_000, output: false },
    });
    expect(change({ keepOutput: true })).toEqual({
      keep: { batches: 30, maxAgeSeconds: 7200, maxBytes: null, output: true },
    });
    expect(change({ keepBatches: "" })).toEqual({
      keep: { batches: null, maxAgeSeconds: 7200, maxBytes: null, output: false },
    });
  });

  it("names destinations that stay by their id, without their hidden keys", () => {
    const [first, second] = before.destinations;
    if (!first || !second) throw new Error("two are there");
    const fresh = { id: null, name: "", url: " rtmp://z.test/live/key ", srsApi: "", enabled: true };
    expect(change({ destinations: [first, fresh] })).toEqual({
      destinations: [{ id: "a1" }, { url: "rtmp://z.test/live/key" }],
    });
    expect(
      change({
        destinations: [
          { ...first, srsApi: "" },
          { ...second, url: "rtmp://y.test/live/new" },
        ],
      }),
    ).toEqual({
      destinations: [
        { id: "a1", srsApi: null },
        { id: "b2", url: "rtmp://y.test/live/new" },
      ],
    });
  });

  it("keeps the values of headers that are there, and sends those of new ones", () => {
    const [there] = before.sourceHeaders;
    if (!there) throw new Error("one is there");
    const fresh = { known: false, name: " X-Key ", value: "k" };
    expect(change({ sourceHeaders: [there, fresh] })).toEqual({
      source: { headers: [{ name: "Authorization" }, { name: "X-Key", value: "k" }] },
    });
    const unfilled = { known: false, name: " ", value: "" };
    expect(change({ sourceHeaders: [there, unfilled] })).toEqual({ source: { headers: [{ name: "Authorization" }] } });
    expect(change({ sourceHeaders: [] })).toEqual({ source: { headers: [] } });
    expect(change({ sourceHeaders: [{ ...there, value: "new" }] })).toEqual({
      source: { headers: [{ name: "Authorization", value: "new" }] },
    });
  });

  it("sends what the processor is greeted with only where it was typed, or taken away", () => {
    expect(change({ processorAuth: '{"token":"t"}' })).toEqual({ processor: { auth: { token: "t" } } });
    expect(change({ processorAuth: "word" })).toEqual({ processor: { auth: "word" } });
    expect(change({ processorAuthNone: true })).toEqual({ processor: { auth: null } });
  });

  it("sends a stage as a whole, and only those that were changed", () => {
    const { stages } = before;
    const framing = { ...stages.framing, component: "", settings: { duration_unit: "s" } };
    expect(change({ stages: { ...stages, framing } })).toEqual({
      stages: {
        framing: {
          component: null,
          settings: { duration_unit: "s" },
          onFailure: null,
          autoSwap: false,
          pinned: false,
        },
      },
    });
    expect(change({ stages: { ...stages, batching: { ...stages.batching, component: "sha256:b2" } } })).toMatchObject({
      stages: { batching: { component: "sha256:b2", settings: { batch_seconds: 8 }, onFailure: "STOP", pinned: true } },
    });
  });

  it("leaves out what is no number, and sends the rest", () => {
    expect(change({ batchSeconds: "soon" })).toEqual({});
    expect(change({ batchSeconds: "abc", inFlight: "99", holdSeconds: "3" })).toEqual({ holdSeconds: 3 });
    // Retention is sent as a whole: the invalid value as it was.
    expect(change({ keepBatches: "all", keepHours: "1" })).toEqual({
      keep: { batches: 30, maxAgeSeconds: 3600, maxBytes: null, output: false },
    });
  });
});

describe("numbers that are none", () => {
  const wrong = (more: Partial<SettingsForm>) =>
    wrongNumbers({ ...structuredClone(before), ...more }, before).map(({ path, message }) => [path, message]);

  it("are told at their fields, in the fields' units", () => {
    expect(wrong({ batchSeconds: "abc", inFlight: "17", keepHours: "-1", cushionSeconds: "1.5" })).toEqual([
      ["input.settings.processor.inFlight", "17 is too large: use 1 to 16"],
      ["input.settings.batchSeconds", '"abc" is not a whole number: use 2 to 120'],
      ["input.settings.keep.maxAgeSeconds", "-1 is too small: use 0.001 to 1193046"],
    ]);
  });

  it("are none where nothing was typed or it is as it was", () => {
    expect(wrong({})).toEqual([]);
    expect(wrong({ batchSeconds: "", maxBandwidth: " " })).toEqual([]);
    const odd = { ...structuredClone(before), keepHours: "0.0002777777777777778" };
    expect(wrongNumbers(odd, structuredClone(odd))).toEqual([]);
  });
});

it("makes a new pipeline of what was filled in", () => {
  const empty = toForm(null);
  const filled = { ...toForm(null), sourceUrl: "http://s/live.m3u8", processorUrl: "http://p/", batchSeconds: "6" };
  filled.destinations = [{ id: null, name: "", url: "rtmp://d/live/k", srsApi: "", enabled: true }];
  expect(toInput(filled, empty)).toEqual({
    source: { url: "http://s/live.m3u8" },
    processor: { url: "http://p/" },
    destinations: [{ url: "rtmp://d/live/k" }],
    batchSeconds: 6,
  });
});
