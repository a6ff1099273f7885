// {{name}}: a batching stage for Outboard. Only the contract's calls are here; the rule is in batcher.js.
// A call that throws an object `{ tag, val }` returns the contract's error; any other exception is printed and becomes a trap.
import { Batcher } from './batcher.js';
import { printingErrors } from './calls.js';
import * as settings from './settings.js';
import * as snapshot from './snapshot.js';

const NAME = '{{name}}';

const SETTINGS = {
  batch_seconds: {
    type: 'integer',
    title: 'Batch length',
    description: 'A batch ends with the segment that makes it this long, in seconds of media.',
    minimum: 2,
    maximum: 120,
    default: 30,
  },
};

// One instance serves one pipeline, so its state can be kept here.
let batcher;

export const lifecycle = printingErrors({
  describe() {
    return {
      name: NAME,
      version: '0.1.0',
      summary: '{{summary}}',
      settingsSchema: settings.schema(NAME, SETTINGS),
    };
  },

  open(text, state) {
    const { batch_seconds: seconds } = settings.read(text, SETTINGS);
    batcher = new Batcher(seconds, state === undefined ? undefined : snapshot.read(state));
  },

  snapshot() {
    return snapshot.write(batcher?.state);
  },
});

export const batching = printingErrors({
  push: (segment) => opened().push(segment),
  flush: () => opened().flush(),
});

function opened() {
  if (!batcher) throw { tag: 'other', val: 'not opened' };
  return batcher;
}
