// Which screen is shown, kept in the address. Links are plain <a href>: a click on one of ours changes the screen without
// loading the page anew; with a key held, or from another program, the address works as any other.

import { match, type Query, type Route, search } from "./routes.ts";

let place = $state.raw({ path: location.pathname, query: location.search });

export const router = {
  get route(): Route {
    return match(place.path);
  },
  /** The address as it would be sent to somebody, without the host. */
  get address(): string {
    return place.path + place.query;
  },
  query(name: string): string | null {
    return new URLSearchParams(place.query).get(name);
  },
};

/** Goes to an address of ours. */
export function navigate(to: string, { replace = false } = {}): void {
  if (to !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", to);
  const moved = location.pathname !== place.path;
  place = { path: location.pathname, query: location.search };
  if (moved) arrived();
}

/** Keeps something of the screen's state in the address, without a step back for each change. */
export function keepInAddress(query: Query): void {
  const now = Object.fromEntries(new URLSearchParams(location.search));
  const text = search({ ...now, ...query });
  history.replaceState(null, "", text ? `${location.pathname}?${text}` : location.pathname);
  place = { path: location.pathname, query: location.search };
}

/** A new screen begins at its top, for eyes and for screen readers. */
function arrived() {
  scrollTo(0, 0);
  document.getElementById("main")?.focus({ preventScroll: true });
}

export function startRouter(): void {
  addEventListener("popstate", () => {
    place = { path: location.pathname, query: location.search };
  });
  document.addEventListener("click", (event) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute("download")) return;
    if (link.origin !== location.origin || match(link.pathname).screen === "nowhere") return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  });
}
