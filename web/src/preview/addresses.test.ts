import { expect, it } from "vitest";
import { batchMedia, playlist, savedAs } from "./addresses.ts";

it("names the tenant and the stream as the host does", () => {
  expect(playlist("default:tv1")).toBe("/preview/default:tv1/index.m3u8");
  expect(batchMedia("a b:c/d", 7, "original")).toBe("/preview/a%20b:c%2Fd/batch/7/original.mp4");
});

it("saves a file under a name that tells where it is from and that every file system takes", () => {
  expect(savedAs("default:tv1", 7, "processed")).toBe("default-tv1-7-processed.m4a");
  expect(savedAs("a:b", 0, "output")).toBe("a-b-0-output.mp4");
});
