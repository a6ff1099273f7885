// Addresses of the screens: parsing and formatting. Everything in an address can be shared: the screen, the pipeline,
// filters.

export type Route =
  | { readonly screen: "overview" }
  | { readonly screen: "new" }
  | { readonly screen: "pipeline"; readonly id: string }
  | { readonly screen: "edit"; readonly id: string }
  | { readonly screen: "logs" }
  | { readonly screen: "stages" }
  | { readonly screen: "storage" }
  | { readonly screen: "tenants" }
  | { readonly screen: "tenant"; readonly name: string }
  | { readonly screen: "sign-in" }
  | { readonly screen: "nowhere" };

const NOWHERE: Route = { screen: "nowhere" };
const PLAIN = ["new", "logs", "stages", "storage", "tenants", "sign-in"] as const;

/** The screen at a path. The host serves the page for the same first segments (host/api/src/assets.rs). */
export function match(path: string): Route {
  const parts = path.split("/").filter(Boolean).map(decoded);
  const [first, second, third, ...more] = parts;
  if (first === undefined) return { screen: "overview" };
  if (more.length > 0) return NOWHERE;
  if (first === "pipelines") {
    if (second === undefined) return { screen: "overview" };
    if (third === undefined) return { screen: "pipeline", id: second };
    return third === "edit" ? { screen: "edit", id: second } : NOWHERE;
  }
  if (first === "tenants" && second !== undefined && third === undefined) return { screen: "tenant", name: second };
  const plain = PLAIN.find((name) => name === first);
  return plain && second === undefined ? { screen: plain } : NOWHERE;
}

/** The path of a screen, with a query if one is given; empty parts are left out. */
export function href(route: Route, query: Query = {}): string {
  const text = search(query);
  return text ? `${path(route)}?${text}` : path(route);
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** A query string without empty values. */
export function search(query: Query): string {
  const kept = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== "" && value !== false,
  );
  return new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
}

function path(route: Route): string {
  switch (route.screen) {
    case "overview":
    case "nowhere":
      return "/";
    case "pipeline":
      return `/pipelines/${encoded(route.id)}`;
    case "edit":
      return `/pipelines/${encoded(route.id)}/edit`;
    case "tenant":
      return `/tenants/${encoded(route.name)}`;
    default:
      return `/${route.screen}`;
  }
}

/** A colon is not escaped: it separates tenant and stream, and is easier to read. */
const encoded = (part: string) => encodeURIComponent(part).replaceAll("%3A", ":");

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Where to go after signing in: only to an internal screen, whatever the address contains. */
export function afterSignIn(to: string | null): string {
  if (!to?.startsWith("/") || to.startsWith("//") || to.includes("\\")) return "/";
  const screen = match(to.split(/[?#]/)[0] ?? "/").screen;
  return screen === "nowhere" || screen === "sign-in" ? "/" : to;
}
