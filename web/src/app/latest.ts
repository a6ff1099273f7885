// Whether a response still belongs on the page. After a component was removed, its `$derived` values and props are
// outdated (Svelte warns of it: derived_inert), and the address belongs to another screen.

import { onDestroy } from "svelte";

export class Latest {
  #turn = 0;
  #removed = false;

  /** Called while a component is created. */
  constructor() {
    onDestroy(() => {
      this.#removed = true;
    });
  }

  /** Whether the component was removed from the page. */
  get removed(): boolean {
    return this.#removed;
  }

  /**
   * Called before a request. The returned function, called with the response at hand, tells whether the response is
   * still wanted: no later request has begun, and the component is on the page.
   */
  begin(): () => boolean {
    this.#turn += 1;
    const mine = this.#turn;
    return () => mine === this.#turn && !this.#removed;
  }
}
