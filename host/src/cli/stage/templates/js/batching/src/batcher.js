// The rule for the end of a batch: after the segment that makes it long enough, and before a discontinuity.

export class Batcher {
  /** `state`: what another instance had; see the property. */
  constructor(seconds, state) {
    this.wantedUs = seconds * 1_000_000;
    // The state from which another instance can resume. Numbers, where the contract has BigInt: JSON knows no other, and both
    // indexes and microseconds stay far below 2^53.
    this.state = { last_pushed: state?.last_pushed ?? null, open: state?.open ?? null };
  }

  push(segment) {
    const index = Number(segment.index);
    const cuts = [];
    if (this.state.last_pushed === null || this.state.last_pushed + 1 !== index) {
      // The host has cut by itself, or pushes segments again: the open batch is dropped.
      this.state.open = null;
    }
    this.state.last_pushed = index;
    // A batch must not span a discontinuity, whatever its length.
    if (segment.discontinuity) cuts.push(...this.#close('discontinuity'));
    const open = (this.state.open ??= { first: index, last: index, duration_us: 0 });
    open.last = index;
    open.duration_us += Number(segment.durationUs);
    if (open.duration_us >= this.wantedUs) cuts.push(...this.#close('length'));
    return cuts;
  }

  /** Called when no segment will follow. */
  flush() {
    return this.#close('flush')[0];
  }

  /** Ends the open batch, if there is one. */
  #close(reason) {
    const open = this.state.open;
    this.state.open = null;
    return open ? [{ first: BigInt(open.first), last: BigInt(open.last), reason }] : [];
  }
}
