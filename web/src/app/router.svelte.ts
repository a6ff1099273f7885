// Which screen is shown, kept in the address. Links are plain <a href>: a click on one of ours changes the screen without
// loading the page anew; with a key held, or from another program, the address works as any other.
//
// Going back shows a screen where it was left. The browser cannot do that by itself: it would scroll before the screen has
// been fetched and filled.

import { tick } from "svelte";
import { focusMain } from "./focus.ts";
import { keyOf, Places } from "./places.ts";
import { match, type Query, type Route, search } from "./routes.ts";

const KEPT = "outboard.places";
/** For so long a screen may grow until it reaches to where it was left. */
const GROWS_MS = 5_000;

let place = $state.raw({ path: location.pathname, query: location.search });
let places = new Places();
let restoring: AbortController | undefined;
let keeper: ((to: string) => boolean) | undefined;

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
  if (to !== location.pathname + location.search) {
    remember();
    history[replace ? "replaceState" : "pushState"](step(), "", to);
  }
  const moved = location.pathname !== place.path;
  place = { path: location.pathname, query: location.search };
  // A new screen begins at its top, for eyes and for screen readers.
  if (moved) void arrived(0);
}

/**
 * Lets a screen keep whoever goes back or forward: `keeps` is told where they want to go, and answers true to have it stay.
 * Until the answer is called.
 */
export function stay(keeps: (to: string) => boolean): () => void {
  keeper = keeps;
  return () => {
    if (keeper === keeps) keeper = undefined;
  };
}

/** Keeps something of the screen's state in the address, without a step back for each change. */
export function keepInAddress(query: Query): void {
  const now = Object.fromEntries(new URLSearchParams(location.search));
  const text = search({ ...now, ...query });
  history.replaceState(history.state, "", text ? `${location.pathname}?${text}` : location.pathname);
  place = { path: location.pathname, query: location.search };
}

const step = () => ({ key: Math.random().toString(36).slice(2) });

function remember() {
  const key = keyOf(history.state);
  // While a screen grows, it is not yet where it was left.
  if (key !== null && !restoring) places.keep(key, scrollY);
}

async function arrived(down: number) {
  scrollDown(down);
  await tick();
  focusMain();
}

/** As far as the screen reaches now, and further as it grows, until somebody does something. */
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
  // It tells of the first size too, once the new screen is laid out.
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
      // The browser has gone already: it is brought back by a step of its own.
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
    // Within the page: no step of its own, which going back would have to take.
    if (link.hash && link.pathname === location.pathname) document.getElementById(link.hash.slice(1))?.focus();
    else navigate(link.pathname + link.search);
  });
}
