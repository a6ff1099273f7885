// Counts what was done on the page of a tenant, or of all: the audit log that stands on it is read again then. The server has
// no subscription for that log.

let count = $state(0);

export const changes = {
  get count(): number {
    return count;
  },
};

/** Something was done that the server writes into its audit log. */
export function noted(): void {
  count += 1;
}
