//! Values of single tags: seconds, date-times, ad markers.

use super::attributes::Attributes;
use outboard_media::segment::Cue;

/// Converts decimal seconds to microseconds; an invalid value counts as zero, and the maximum is one day.
pub(super) fn micros(text: &str) -> i64 {
    const DAY: f64 = 86_400.0;
    let seconds = text.trim().parse::<f64>().ok().filter(|value| value.is_finite()).unwrap_or_default();
    // In range after the clamp, so the cast is exact to the microsecond.
    (seconds.clamp(0.0, DAY) * 1e6).round() as i64
}

/// Converts signed decimal seconds to microseconds, at most one day in either direction; `None` for an invalid value.
pub(super) fn offset_us(text: Option<&str>) -> Option<i64> {
    let text = text?.trim();
    text.parse::<f64>().ok().filter(|value| value.is_finite())?;
    match text.strip_prefix('-') {
        Some(before_the_end) => Some(-micros(before_the_end)),
        None => Some(micros(text)),
    }
}

/// Parses an ISO 8601 date-time; without an offset it counts as UTC, as most origins intend.
pub(super) fn date_us(text: &str) -> Option<i64> {
    let stamp = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}Z").parse()).ok()?;
    Some(stamp.as_microsecond())
}

/// Parses the common forms of ad markers; `None` for every other tag.
pub(super) fn cue(name: &str, value: &str, tag: &str) -> Option<Cue> {
    match name {
        "EXT-X-CUE-OUT" => {
            let list = Attributes::parse(value);
            let seconds = list.get("DURATION").or(Some(value)).filter(|text| !text.is_empty());
            let length = seconds.and_then(|text| text.parse::<f64>().ok()).map(|_| micros(seconds.unwrap_or_default()));
            Some(Cue::Out(length.map(i64::unsigned_abs)))
        }
        "EXT-X-CUE-IN" => Some(Cue::In),
        "EXT-X-CUE-OUT-CONT"
        | "EXT-X-DATERANGE"
        | "EXT-OATCLS-SCTE35"
        | "EXT-X-SCTE35"
        | "EXT-X-ASSET"
        | "EXT-X-SPLICEPOINT-SCTE35"
        | "EXT-X-CUE" => Some(Cue::Other(tag.to_owned())),
        _ => None,
    }
}
