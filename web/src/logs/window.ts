// The rows of a long list that are drawn: the visible ones, and some more for scrolling. Pure function.

export interface Rows {
  readonly from: number;
  readonly to: number;
  /** Pixels above the first drawn row. */
  readonly top: number;
  /** Height of all rows in pixels. */
  readonly height: number;
}

/** Rows drawn beyond each edge. */
const MORE = 12;

export function rows(count: number, rowHeight: number, scrollTop: number, viewHeight: number): Rows {
  const height = count * rowHeight;
  // A list that has become shorter may be scrolled beyond its end for a moment.
  const top = Math.max(0, Math.min(scrollTop, height - viewHeight));
  const from = Math.max(0, Math.floor(top / rowHeight) - MORE);
  const to = Math.min(count, Math.ceil((top + viewHeight) / rowHeight) + MORE);
  return { from, to, top: from * rowHeight, height };
}

/** Less than a row from the end counts as the end, because browsers round. */
export function atEnd(scrollTop: number, viewHeight: number, height: number, rowHeight: number): boolean {
  return scrollTop + viewHeight >= height - rowHeight;
}
