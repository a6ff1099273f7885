// An exception becomes a trap, of which the host sees nothing but that it happened. So its message and stack are printed first:
// what a call printed is the first thing that the host's error says.

/** The same calls. What they throw is printed, unless it is the contract's error `{ tag, val }`. */
export function told(calls) {
  const wrapped = Object.entries(calls).map(([name, call]) => [name, (...given) => attempt(name, call, given)]);
  return Object.fromEntries(wrapped);
}

function attempt(name, call, given) {
  try {
    return call(...given);
  } catch (thrown) {
    if (typeof thrown?.tag !== 'string') console.error(`${name}: ${thrown}\n${thrown?.stack ?? ''}`);
    throw thrown;
  }
}
