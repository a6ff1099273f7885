//! Scalars in addition to GraphQL's own: whole numbers above 2^31, and times.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use jiff::Timestamp;

/// Largest whole number that JavaScript reads from JSON exactly.
const SAFE_MAX: u64 = (1 << 53) - 1;

/// A whole number of 64 bits, for counters and sizes in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(transparent)]
pub struct BigInt(pub u64);

/// An integer from 0 to 2^64 - 1, for counters and bytes. Values up to 2^53 - 1 are JSON numbers, which every client
/// reads exactly; larger values are strings of digits. Input may have either form.
#[Scalar]
impl ScalarType for BigInt {
    fn parse(value: Value) -> InputValueResult<Self> {
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        number.map(Self).ok_or_else(|| InputValueError::custom("must be a whole number from 0 up"))
    }

    fn to_value(&self) -> Value {
        if self.0 <= SAFE_MAX { Value::Number(self.0.into()) } else { Value::String(self.0.to_string()) }
    }
}

impl From<u64> for BigInt {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl From<usize> for BigInt {
    fn from(value: usize) -> Self {
        Self(value as u64)
    }
}

/// A time, as Unix time in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime(pub u64);

/// A time in RFC 3339 form, in UTC with milliseconds: `2026-01-31T23:59:59.123Z`. Input may have any UTC offset.
#[Scalar]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        let parsed = text.parse::<Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
        parsed.map(Self).ok_or_else(|| {
            InputValueError::custom("must be a time since 1970 as RFC 3339 has it, such as 2026-01-31T23:59:59Z")
        })
    }

    fn to_value(&self) -> Value {
        let at =
            i64::try_from(self.0).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX);
        Value::String(format!("{at:.3}"))
    }
}

impl DateTime {
    /// Seconds from `before` to this time; 0 if `before` is later.
    pub fn seconds_since(self, before: Self) -> f64 {
        seconds(self.0.saturating_sub(before.0))
    }
}

/// Converts milliseconds to seconds.
pub fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_survive_javascript() {
        for (number, written) in [
            (0, Value::Number(0.into())),
            (SAFE_MAX, Value::Number(SAFE_MAX.into())),
            (SAFE_MAX + 1, Value::String("9007199254740992".into())),
            (u64::MAX, Value::String("18446744073709551615".into())),
        ] {
            assert_eq!(BigInt(number).to_value(), written);
            assert_eq!(BigInt::parse(written).unwrap(), BigInt(number));
        }
        for wrong in
            [Value::Number((-1).into()), Value::String(String::new()), Value::String("1e3".into()), Value::Null]
        {
            assert!(BigInt::parse(wrong.clone()).is_err(), "{wrong}");
        }
        assert!(BigInt::parse(Value::Number(async_graphql::Number::from_f64(1.5).unwrap())).is_err());
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let at = DateTime(1_700_000_000_120);
        assert_eq!(at.to_value(), Value::String("2023-11-14T22:13:20.120Z".into()));
        for same in ["2023-11-14T22:13:20.120Z", "2023-11-14T23:13:20.12+01:00"] {
            assert_eq!(DateTime::parse(Value::String(same.into())).unwrap(), at, "{same}");
        }
        for wrong in ["", "yesterday", "1969-12-31T23:59:59Z", "2023-11-14", "1700000000"] {
            assert!(DateTime::parse(Value::String(wrong.into())).is_err(), "{wrong}");
        }
        assert_eq!(DateTime(u64::MAX).to_value(), DateTime(253_402_207_200_999).to_value());
    }
}
