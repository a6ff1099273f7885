//! Where secrets could go: other hosts, messages, logs.
