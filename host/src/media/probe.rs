//! Probes audio that a processor returned: container, codec, duration.
