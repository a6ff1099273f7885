//! Arithmetic with times that saturates instead of panicking, whatever is configured or measured.

use std::time::Duration;

use tokio::time::Instant;

/// A span of time that is longer counts as this one: a hundred years.
pub(super) const SPAN_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The instant `span` after `at`; a span above [`SPAN_MAX`] counts as [`SPAN_MAX`].
pub(super) fn after(at: Instant, span: Duration) -> Instant {
    at.checked_add(span.min(SPAN_MAX)).unwrap_or(at)
}

/// The instant `span` before `at`; `at` itself where the platform has none so early.
pub(super) fn before(at: Instant, span: Duration) -> Instant {
    at.checked_sub(span).unwrap_or(at)
}

/// `span` times `factor`; [`Duration::MAX`] where that is too long, or no number.
pub(super) fn scaled(span: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(span.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// Milliseconds from one instant to another; negative where `to` lies before `from`.
pub(crate) fn signed_ms(from: Instant, to: Instant) -> i64 {
    let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    match to.checked_duration_since(from) {
        Some(ahead) => ms(ahead),
        None => -ms(from.duration_since(to)),
    }
}
