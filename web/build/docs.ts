// Renders the documentation as static pages below /docs: the Markdown of docs/ and the README, at build time. Without
// scripts, inline styles or external resources. Links between pages are rewritten; links without a page become text.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Marked, type Tokens } from "marked";
import type { Plugin } from "vite";

/** In reading order; other pages follow by name. */
const ORDER = [
  "readme",
  "ui",
  "examples",
  "configuration",
  "deployment",
  "troubleshooting",
  "architecture",
  "exchange",
  "preview",
  "stages",
  "swapping",
  "tenants",
  "network",
  "webhooks",
  "api",
  "rest",
  "metrics",
];
/** Files of the repository that the server serves at their own addresses. */
const SERVED: Readonly<Record<string, string>> = {
  "host/api/schema.graphql": "/graphql/schema.graphql",
  "host/api/openapi.json": "/api/openapi.json",
};

export interface Source {
  /** As in its address: `api`, `readme`. */
  readonly name: string;
  readonly markdown: string;
}

export interface Page {
  readonly name: string;
  readonly title: string;
  /** The first paragraph, as text. */
  readonly about: string;
  /** The content between head and foot. */
  readonly body: string;
  readonly anchors: ReadonlySet<string>;
}

/** The id of a heading, as GitHub makes it. */
export const slug = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** The target of a page's link; null if the server does not serve it. `pages` are the names of all pages. */
export function target(href: string, from: string, pages: ReadonlySet<string>): string | null {
  if (/^[a-z]+:/.test(href) || href.startsWith("#") || href.startsWith("/")) return href;
  const [file = "", anchor] = href.split("#");
  const path = from === "readme" ? file : new URL(file, "http://repository/docs/").pathname.slice(1);
  const after = anchor === undefined ? "" : `#${anchor}`;
  const name = path === "README.md" ? "readme" : /^docs\/([\w-]+)\.md$/.exec(path)?.[1];
  if (name !== undefined && pages.has(name)) return `/docs/${name}${after}`;
  const image = /^docs\/([\w-]+\.png)$/.exec(path)?.[1];
  return image === undefined ? (SERVED[path] ?? null) : `/docs/${image}`;
}

/** Renders one page. Wide tables and code scroll in frames that the keyboard can reach. */
export function render({ name, markdown }: Source, pages: ReadonlySet<string>): Page {
  const anchors = new Set<string>();
  const marked = new Marked({ gfm: true, async: false });
  marked.use({
    renderer: {
      heading({ tokens, depth }) {
        const text = this.parser.parseInline(tokens);
        let id = slug(text.replaceAll(/<[^>]+>/g, "").replaceAll(/&[a-z]+;|&#\d+;/g, ""));
        for (let n = 1; anchors.has(id); n += 1) id = `${id.replace(/-\d+$/, "")}-${n}`;
        anchors.add(id);
        return `<h${depth} id="${id}">${text}</h${depth}>\n`;
      },
      link({ href, tokens }) {
        const text = this.parser.parseInline(tokens);
        const to = target(href, name, pages);
        return to === null ? text : `<a href="${escaped(to)}">${text}</a>`;
      },
      image({ href, text }) {
        const to = target(href, name, pages);
        return to === null ? escaped(text) : `<img src="${escaped(to)}" alt="${escaped(text)}" loading="lazy">`;
      },
      code({ text }) {
        return `<pre tabindex="0"><code>${escaped(text)}</code></pre>\n`;
      },
      table(token) {
        const cell = (tag: string, one: Tokens.TableCell) =>
          `<${tag}${tag === "th" ? ' scope="col"' : ""}>${this.parser.parseInline(one.tokens)}</${tag}>`;
        const head = token.header.some((one) => one.text.trim() !== "")
          ? `<thead><tr>${token.header.map((one) => cell(one.text.trim() === "" ? "td" : "th", one)).join("")}</tr></thead>`
          : "";
        const rows = token.rows.map((row) => `<tr>${row.map((one) => cell("td", one)).join("")}</tr>`).join("\n");
        return `<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>${head}<tbody>${rows}</tbody></table></div>\n`;
      },
    },
  });
  const tokens = marked.lexer(markdown);
  const title = tokens.find((one): one is Tokens.Heading => one.type === "heading")?.text ?? name;
  const first = tokens.find((one): one is Tokens.Paragraph => one.type === "paragraph" && !/^!\[/.test(one.text));
  const about = (marked.parseInline(first?.text ?? "") as string).replaceAll(/<[^>]+>/g, "");
  return { name, title, about, body: marked.parser(tokens), anchors };
}

/** The frame of a page. `here` is its name. */
function framed(title: string, body: string, here: string, pages: readonly Page[], style: string): string {
  const entries = pages.map((page) => {
    const current = page.name === here ? ' aria-current="page"' : "";
    return `<li><a href="/docs/${page.name}"${current}>${escaped(page.title)}</a></li>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)} · Outboard</title>
<link rel="stylesheet" href="/${style}">
</head>
<body>
<header><a href="/">Outboard</a> <a href="/docs">Documentation</a></header>
<div class="columns">
<nav aria-label="Documentation"><ul>
${entries.join("\n")}
</ul></nav>
<main>
${body}
</main>
</div>
</body>
</html>
`;
}

function index(pages: readonly Page[]): string {
  const list = pages.map(
    (page) => `<dt><a href="/docs/${page.name}">${escaped(page.title)}</a></dt><dd>${page.about}</dd>`,
  );
  return `<h1>Documentation</h1>\n<dl>${list.join("\n")}</dl>`;
}

const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);

/** The documents to render, in order. */
export function sources(root: string): Source[] {
  const names = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"));
  const docs = names.map((name) => ({
    name: name.replace(/\.md$/, ""),
    markdown: readFileSync(join(root, "docs", name), "utf8"),
  }));
  const readme = { name: "readme", markdown: readFileSync(join(root, "README.md"), "utf8") };
  return [readme, ...docs].sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
}

/** Renders all pages. */
export function rendered(root: string): Page[] {
  const all = sources(root);
  const names = new Set(all.map((one) => one.name));
  return all.map((one) => render(one, names));
}

/** Adds the pages, their images and their style to the build. */
export function docs(root: string): Plugin {
  return {
    name: "outboard:docs",
    apply: "build",
    generateBundle() {
      const css = ["src/styles/tokens.css", "build/docs.css"]
        .map((file) => readFileSync(join(root, "web", file), "utf8"))
        .join("\n");
      const style = `assets/docs-${createHash("sha256").update(css).digest("hex").slice(0, 8)}.css`;
      const emit = (fileName: string, source: string | Uint8Array) =>
        this.emitFile({ type: "asset", fileName, source });
      const pages = rendered(root);
      emit(style, css);
      emit("docs/index.html", framed("Documentation", index(pages), "", pages, style));
      for (const page of pages) emit(`docs/${page.name}.html`, framed(page.title, page.body, page.name, pages, style));
      for (const image of readdirSync(join(root, "docs")).filter((name) => name.endsWith(".png")))
        emit(`docs/${image}`, readFileSync(join(root, "docs", image)));
    },
  };
}
