//! never_silent
