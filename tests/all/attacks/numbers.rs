//! Numbers from outside that become waits, sizes and counts.
