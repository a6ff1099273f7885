// Moves the focus when the focused element disappears. Otherwise the keyboard focus would return to the top of the
// page.

import { tick } from "svelte";

type Find = () => HTMLElement | null | undefined;

/** Focuses the content of the page, whichever screen is shown. */
export function focusMain(): void {
  document.getElementById("main")?.focus({ preventScroll: true });
}

/** Focuses an element once the page shows the latest change. */
export async function focusSoon(find: Find): Promise<void> {
  await tick();
  focusOrMain(find());
}

function focusOrMain(element: HTMLElement | null | undefined) {
  if (element?.isConnected) element.focus();
  // A disabled element cannot have the focus.
  if (!element || document.activeElement !== element) focusMain();
}

/**
 * For a dialog: when it closes, the previously focused element gets the focus again; if it is gone, a suitable
 * replacement.
 */
export class FocusBack {
  readonly #otherwise: Find;
  #before: Element | null = null;

  constructor(otherwise: Find = () => null) {
    this.#otherwise = otherwise;
  }

  /** `onOpenAutoFocus`: the dialog does not have the focus yet. */
  readonly opened = (): void => {
    this.#before = document.activeElement;
  };

  /** `onCloseAutoFocus` */
  readonly closed = (event: Event): void => {
    event.preventDefault();
    const before = this.#before;
    this.#before = null;
    if (before instanceof HTMLElement && before.isConnected && before !== document.body) {
      before.focus({ preventScroll: true });
      if (document.activeElement === before) return;
    }
    focusOrMain(this.#otherwise());
  };
}
