// Snapshots: JSON with the name of its writer, so that the state of another stage is rejected instead of misread.
// Increase LAYOUT when the state changes in such a way that old snapshots cannot be read any more.

// The format is that of {{like}}, so that each of the two stages can take over from the other on air.
const STAGE = '{{like}}';
const LAYOUT = 1;

export function write(state) {
  return new TextEncoder().encode(JSON.stringify({ stage: STAGE, layout: LAYOUT, state }));
}

/** Throws the contract's `unreadable-state` with a sentence. */
export function read(bytes) {
  let found;
  try {
    found = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw unreadable(`this is not a snapshot: ${error.message}`);
  }
  if (found?.stage !== STAGE || found.layout !== LAYOUT) {
    throw unreadable(`the snapshot is "${found?.stage}", layout ${found?.layout}; this stage reads "${STAGE}", layout ${LAYOUT}`);
  }
  return found.state;
}

export function unreadable(message) {
  return { tag: 'unreadable-state', val: message };
}
