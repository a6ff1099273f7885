// The current screen, stored in the address. Links are plain <a href>: a click on an internal link changes the screen
// without reloading the page; with a modifier key, or from another program, the address works as usual. Going back
// restores the scroll position. The browser cannot do this itself, because it would scroll before the screen is fetched
// and filled.

import { tick } from "svelte";
import { focusMain } from "./focus.ts";
import { keyOf, Places } from "./places.ts";
import { match, type Query, type Route, search } from "./routes.ts";

const KEPT = "outboard.places";
/** How long a screen may grow until it reaches its previous scroll position. */
const GROWS_MS = 5_000;

let place = $state.raw({ path: location.pathname, query: location.search });
let places = new Places();
let restoring: AbortController | undefined;
let keeper: ((to: string) => boolean) | undefined;

export const router = {
  get route(): Route {
    return match(place.path);
  },
  /** The address for sharing, without the host. */
  get address(): string {
    return place.path + place.query;
  },
  query(name: string): string | null {
    return new URLSearchParams(place.query).get(name);
  },
};

/** Goes to an internal address. */
export function navigate(to: string, { replace = false } = {}): void {
  if (to !== location.pathname + location.search) {
    remember();
    history[replace ? "replaceState" : "pushState"](step(), "", to);
  }
  const moved = location.pathname !== place.path;
  place = { path: location.pathname, query: location.search };
  // A new screen begins at its top, for users and for screen readers.
  if (moved) void arrived(0);
}

/**
 * Lets a screen block going back or forward: `keeps` receives the target, and returns true to stay. Valid until the
 * returned function is called.
 */
export function stay(keeps: (to: string) => boolean): () => void {
  keeper = keeps;
  return () => {
    if (keeper === keeps) keeper = undefined;
  };
}

/** Stores a part of the screen's state in the address, without a history entry for each change. */
export function keepInAddress(query: Query): void {
  const now = Object.fromEntries(new URLSearchParams(location.search));
  const text = search({ ...now, ...query });
  history.replaceState(history.state, "", text ? `${location.pathname}?${text}` : location.pathname);
  place = { path: location.pathname, query: location.search };
}

const step = () => ({ key: Math.random().toString(36).slice(2) });

function remember() {
  const key = keyOf(history.state);
  // While a screen grows, it does not have its previous scroll position yet.
  if (key !== null && !restoring) places.keep(key, scrollY);
}

async function arrived(down: number) {
  scrollDown(down);
  await tick();
  focusMain();
}

/** Scrolls as far as the screen reaches now, and further as it grows, until the user acts. */
function scrollDown(to: number) {
  restoring?.abort();
  restoring = undefined;
  if (to === 0) {
    scrollTo(0, 0);
    return;
  }
  const mine = new AbortController();
  const { signal } = mine;
  restoring = mine;
  const end = () => {
    mine.abort();
    if (restoring === mine) restoring = undefined;
  };
  const grown = new ResizeObserver(() => {
    scrollTo(0, to);
    if (document.documentElement.scrollHeight - innerHeight >= to) end();
  });
  // The observer also reports the first size, once the new screen is laid out.
  grown.observe(document.body);
  const timer = setTimeout(end, GROWS_MS);
  signal.addEventListener("abort", () => {
    grown.disconnect();
    clearTimeout(timer);
  });
  for (const act of ["wheel", "touchstart", "pointerdown", "keydown"]) {
    addEventListener(act, end, { signal, passive: true });
  }
}

export function startRouter(): void {
  history.scrollRestoration = "manual";
  places = Places.from(sessionStorage.getItem(KEPT));
  const before = places.of(keyOf(history.state));
  if (before) scrollDown(before);
  if (keyOf(history.state) === null) history.replaceState(step(), "");
  addEventListener("scroll", remember, { passive: true });
  addEventListener("pagehide", () => sessionStorage.setItem(KEPT, places.text));
  addEventListener("popstate", () => {
    const moved = location.pathname !== place.path;
    if (moved && keeper?.(location.pathname + location.search)) {
      // The browser has already navigated: a new history entry brings it back.
      history.pushState(step(), "", router.address);
      return;
    }
    const down = places.of(keyOf(history.state));
    place = { path: location.pathname, query: location.search };
    if (moved) void arrived(down ?? 0);
    else if (down !== undefined) scrollDown(down);
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
    // A link within the page: without its own history entry.
    if (link.hash && link.pathname === location.pathname) document.getElementById(link.hash.slice(1))?.focus();
    else navigate(link.pathname + link.search);
  });
}
