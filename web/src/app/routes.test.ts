import { describe, expect, it } from "vitest";
import { afterSignIn, href, match, type Route } from "./routes.ts";

const ROUTES: [string, Route][] = [
  ["/", { screen: "overview" }],
  ["/new", { screen: "new" }],
  ["/pipelines/default:show-1", { screen: "pipeline", id: "default:show-1" }],
  ["/pipelines/a_b.c:x/edit", { screen: "edit", id: "a_b.c:x" }],
  ["/logs", { screen: "logs" }],
  ["/stages", { screen: "stages" }],
  ["/storage", { screen: "storage" }],
  ["/tenants", { screen: "tenants" }],
  ["/tenants/acme", { screen: "tenant", name: "acme" }],
  ["/sign-in", { screen: "sign-in" }],
];

describe("addresses", () => {
  it.each(ROUTES)("%s is there and back", (path, route) => {
    expect(match(path)).toEqual(route);
    expect(href(route)).toBe(path);
  });

  it("take odd names as they are", () => {
    const route: Route = { screen: "pipeline", id: "a b/c?d" };
    expect(match(href(route))).toEqual(route);
    expect(match("/pipelines/%E0%A4%A")).toEqual({ screen: "pipeline", id: "%E0%A4%A" });
  });

  it.each(["/nothing", "/logs/x", "/pipelines/a/b", "/pipelines/a/edit/c", "/tenants/a/b"])("%s is nowhere", (path) =>
    expect(match(path)).toEqual({ screen: "nowhere" }),
  );

  it("forgive a slash too many", () => {
    expect(match("/logs/")).toEqual({ screen: "logs" });
    expect(match("/pipelines")).toEqual({ screen: "overview" });
  });

  it("carry what is asked for and nothing empty", () => {
    expect(href({ screen: "logs" }, { pipeline: "default:a", level: "WARN", text: "", batch: 0, follow: false })).toBe(
      "/logs?pipeline=default%3Aa&level=WARN&batch=0",
    );
    expect(href({ screen: "logs" }, { text: undefined, at: null })).toBe("/logs");
  });
});

describe("after signing in", () => {
  it("goes on where one wanted to go", () => expect(afterSignIn("/logs?level=WARN")).toBe("/logs?level=WARN"));
  it.each([
    null,
    "",
    "//evil.test/",
    "https://evil.test/",
    "/\\evil.test",
    "/sign-in?to=/sign-in",
    "/graphiql",
    "javascript:1",
  ])("never follows %s", (to) => expect(afterSignIn(to)).toBe("/"));
});
