import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { compress } from "./compressed.ts";
import { stripFonts } from "./without-fonts.ts";

describe("compress", () => {
  const text = Buffer.from("on air, on time. ".repeat(200));

  it("gives the same content, smaller, and the same bytes each time", () => {
    const packed = compress("assets/main-abc.js", text);
    expect(packed && gunzipSync(packed)).toEqual(text);
    expect(packed?.length).toBeLessThan(text.length / 2);
    expect(compress("assets/main-abc.js", text)).toEqual(packed);
  });

  it("leaves alone what is small, is compressed by nature, or would hardly shrink", () => {
    expect(compress("small.js", text.subarray(0, 1000))).toBeUndefined();
    expect(compress("picture.png", text)).toBeUndefined();
    expect(compress("noise.js", randomBytes(4096))).toBeUndefined();
  });
});

describe("stripFonts", () => {
  it("takes the fonts out of a style sheet and nothing else", () => {
    const font = "@font-face {\n font-family: A;\n src: url(data:font/woff2;base64,AA==) format('woff2');\n}";
    expect(stripFonts(`a{color:red}${font}b{top:0}${font}`)).toBe("a{color:red}b{top:0}");
  });
});
