import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { render, rendered, slug, target } from "./docs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const pages = rendered(ROOT);

describe("the documentation as it is", () => {
  it("has a page for each file, the README first", () => {
    expect(pages[0]?.name).toBe("readme");
    expect(pages.length).toBeGreaterThan(14);
    for (const page of pages) expect(page.about.length, page.name).toBeGreaterThan(10);
  });

  it("leads nowhere that is not there", () => {
    const wrong: string[] = [];
    for (const page of pages) {
      for (const [, href = ""] of page.body.matchAll(/<a href="([^"]+)"/g)) {
        if (/^(https?|mailto):/.test(href)) continue;
        const [path = "", anchor] = href.startsWith("#") ? [`/docs/${page.name}`, href.slice(1)] : href.split("#");
        const to = pages.find((one) => path === `/docs/${one.name}`);
        if (path.startsWith("/docs/") && !to) wrong.push(`${page.name}: ${href}`);
        if (to && anchor !== undefined && !to.anchors.has(anchor)) wrong.push(`${page.name}: ${href}`);
      }
      for (const [, src = ""] of page.body.matchAll(/<img src="([^"]+)"/g))
        if (!existsSync(`${ROOT}${src}`)) wrong.push(`${page.name}: ${src}`);
    }
    expect(wrong).toEqual([]);
  });

  it("has what the pages link to", () => {
    const src = `${ROOT}web/src/`;
    const links = readdirSync(src, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".svelte"))
      .flatMap((name) =>
        [...readFileSync(src + name, "utf8").matchAll(/<Help to="([^"]+)"/g)].map((found) => found[1] ?? ""),
      );
    expect(links.length).toBeGreaterThan(10);
    for (const link of links) {
      const [name, anchor] = link.split("#");
      const page = pages.find((one) => one.name === name);
      expect(page && (anchor === undefined || page.anchors.has(anchor)), link).toBe(true);
    }
  });

  it("needs neither scripts nor styles of its own", () => {
    for (const page of pages) expect(page.body, page.name).not.toMatch(/<script|<style|<[^>]+ style=|<[^>]+ on\w+=/);
  });
});

it("rewrites links between pages, and leaves as text what the server does not have", () => {
  const names = new Set(["readme", "api"]);
  expect(target("api.md#status", "ui", names)).toBe("/docs/api#status");
  expect(target("docs/api.md", "readme", names)).toBe("/docs/api");
  expect(target("../README.md", "ui", names)).toBe("/docs/readme");
  expect(target("ui.png", "ui", names)).toBe("/docs/ui.png");
  expect(target("../host/api/schema.graphql", "api", names)).toBe("/graphql/schema.graphql");
  expect(target("../deploy/", "api", names)).toBeNull();
  expect(target("https://example.com/a.md", "api", names)).toBe("https://example.com/a.md");
  expect(render({ name: "ui", markdown: "# A\n\nSee [the folder](../deploy/)." }, names).body).toContain(
    "See the folder.",
  );
});

it("names headings as GitHub does", () => {
  expect(slug("From nothing to on air")).toBe("from-nothing-to-on-air");
  expect(slug("What it tells, and when")).toBe("what-it-tells-and-when");
  expect(slug("Tokens, TLS and proxies")).toBe("tokens-tls-and-proxies");
});

it("shows markup in code as code", () =>
  expect(render({ name: "a", markdown: "# A\n\n```\n<b onclick=x>\n```" }, new Set()).body).toContain(
    "&lt;b onclick=x&gt;",
  ));
