// Counts the user's actions on the page of a tenant, or of all tenants, so that the audit log on it is reloaded. The
// server has no subscription for that log.

let count = $state(0);

export const changes = {
  get count(): number {
    return count;
  },
};

/** Called after an action that the server records in its audit log. */
export function noted(): void {
  count += 1;
}
