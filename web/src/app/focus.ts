// Where the focus goes when what had it is gone: never to nowhere, where a keyboard would begin at the top of the page.

import { tick } from "svelte";

type Find = () => HTMLElement | null | undefined;

/** The content of the page, whichever screen is shown. */
export function focusMain(): void {
  document.getElementById("main")?.focus({ preventScroll: true });
}

/** Focuses what is there once the page shows what has just changed. */
export async function focusSoon(find: Find): Promise<void> {
  await tick();
  focusOrMain(find());
}

function focusOrMain(element: HTMLElement | null | undefined) {
  if (element?.isConnected) element.focus();
  // What is disabled takes no focus.
  if (!element || document.activeElement !== element) focusMain();
}

/** For a dialog: when it closes, what had the focus before has it again; where that is gone, something that makes sense. */
export class FocusBack {
  readonly #otherwise: Find;
  #before: Element | null = null;

  constructor(otherwise: Find = () => null) {
    this.#otherwise = otherwise;
  }

  /** `onOpenAutoFocus`: the dialog has not taken the focus yet. */
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
