// {{name}}: a remux-planning stage for Outboard. Only the contract's calls are here; the rule is in planner.js.
// A call that throws an object `{ tag, val }` returns the contract's error; any other exception is printed and becomes a trap.
import { Planner } from './planner.js';
import { printingErrors } from './calls.js';
import * as settings from './settings.js';
import * as snapshot from './snapshot.js';

const NAME = '{{name}}';

const SETTINGS = {
  mark_after: {
    type: 'integer',
    title: 'Mark after',
    description: 'Number of consecutive batches without processed audio after which they are marked for the operator.',
    minimum: 1,
    maximum: 100,
    default: 1,
  },
};

// One instance serves one pipeline, so its state can be kept here.
let planner;

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
    const { mark_after: markAfter } = settings.read(text, SETTINGS);
    planner = new Planner(markAfter, state === undefined ? undefined : snapshot.read(state));
  },

  snapshot() {
    return snapshot.write(planner?.state);
  },
});

export const remuxPlanning = printingErrors({
  plan(facts) {
    if (!planner) throw { tag: 'other', val: 'not opened' };
    return planner.plan(facts);
  },
});
