// An exception becomes a trap, and the host does not get its message. So its message and stack are printed first: the host's error
// begins with what a call printed.

/** Wraps calls: exceptions are printed, unless they are the contract's error `{ tag, val }`. */
export function printingErrors(calls) {
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
