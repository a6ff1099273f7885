import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { batching, lifecycle } from '../src/stage.js';

const segment = (index, more = {}) => ({
  index: BigInt(index),
  mediaSequence: BigInt(index),
  durationUs: 4_000_000n,
  sizeBytes: 1n,
  discontinuity: false,
  cues: [],
  ...more,
});
const cut = (first, last, reason) => ({ first: BigInt(first), last: BigInt(last), reason });
const TEN_SECONDS = '{"batch_seconds":10}';

test('describes itself as package.json does', () => {
  const { name, version, description } = JSON.parse(readFileSync('package.json', 'utf8'));
  const described = lifecycle.describe();
  assert.deepEqual([described.name, described.version, described.summary], [name, version, description]);
  assert.equal(JSON.parse(described.settingsSchema).properties.batch_seconds.default, 30);
});

test('cuts with the segment that makes it long enough', () => {
  lifecycle.open(TEN_SECONDS);
  const cuts = [0, 1, 2, 3].flatMap((index) => batching.push(segment(index)));
  assert.deepEqual(cuts, [cut(0, 2, 'length')]);
  assert.deepEqual(batching.flush(), cut(3, 3, 'flush'));
  assert.equal(batching.flush(), undefined);
});

test('cuts before a discontinuity, and forgets what the host cut by itself', () => {
  lifecycle.open(TEN_SECONDS);
  batching.push(segment(0));
  assert.deepEqual(batching.push(segment(1, { discontinuity: true })), [cut(0, 0, 'discontinuity')]);
  batching.push(segment(5));
  assert.deepEqual(batching.flush(), cut(5, 5, 'flush'));
});

test('another instance goes on from the snapshot', () => {
  lifecycle.open(TEN_SECONDS);
  batching.push(segment(0));
  batching.push(segment(1));
  lifecycle.open(TEN_SECONDS, lifecycle.snapshot());
  assert.deepEqual(batching.push(segment(2)), [cut(0, 2, 'length')]);
});

test('settings and state that cannot be used are refused with the reason', () => {
  assert.throws(() => lifecycle.open('{"batch_seconds":1,"x":2}'), (error) => {
    assert.deepEqual([error.tag, error.val.map(({ path }) => path)], ['invalid-settings', ['batch_seconds', 'x']]);
    return true;
  });
  assert.throws(() => lifecycle.open('', new TextEncoder().encode('?')), { tag: 'unreadable-state' });
});
