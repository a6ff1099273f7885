// An exception becomes a trap, and the host only sees that it happened. Its message and stack are therefore printed
// first: the host's error begins with the output of the call.

/** Wraps the calls: exceptions are printed, unless they are the contract's error `{ tag, val }`. */
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
