//! AMF0, as far as a publisher needs it: writes commands, parses responses.
//!
//! In: bytes of an untrusted server. Limits: depth and number of values. The parser stops at an unknown value and keeps
//! the values before it.
//!
//! Source: Adobe Action Message Format AMF 0.

use crate::limits::{AMF_DEPTH_MAX, AMF_VALUES_MAX};

/// A value of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Marker 0: a 64-bit float.
    Number(f64),
    /// Marker 1: true or false.
    Bool(bool),
    /// Markers 2 and 12: a string.
    Text(String),
    /// Markers 3 and 8: named values in the order sent.
    Object(Vec<(String, Value)>),
    /// Marker 10: values without names.
    List(Vec<Value>),
    /// Markers 5 and 6: null and undefined.
    Null,
}

impl Value {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text under this name of an object.
    pub fn field(&self, name: &str) -> Option<&str> {
        match self {
            Self::Object(fields) => fields.iter().find(|(key, _)| key == name)?.1.text(),
            _ => None,
        }
    }
}

/// Appends the values to `out` in AMF0.
pub fn write(out: &mut Vec<u8>, values: &[Value]) {
    for value in values {
        match value {
            Value::Number(number) => {
                out.push(0);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Value::Bool(on) => out.extend_from_slice(&[1, u8::from(*on)]),
            Value::Text(text) if text.len() > usize::from(u16::MAX) => {
                out.push(12);
                out.extend_from_slice(&(text.len() as u32).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            Value::Text(text) => {
                out.push(2);
                write_name(out, text);
            }
            Value::Object(fields) => {
                out.push(3);
                for (name, value) in fields {
                    write_name(out, name);
                    write(out, std::slice::from_ref(value));
                }
                out.extend_from_slice(&[0, 0, 9]);
            }
            Value::List(values) => {
                out.push(10);
                out.extend_from_slice(&(values.len() as u32).to_be_bytes());
                write(out, values);
            }
            Value::Null => out.push(5),
        }
    }
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(name.as_bytes().get(..usize::from(len)).unwrap_or_default());
}

/// Parses values up to the first unknown one.
pub fn read(bytes: &[u8]) -> Vec<Value> {
    let mut reader = Reader { rest: bytes, left: AMF_VALUES_MAX };
    let mut values = Vec::new();
    while let Some(value) = reader.value(0) {
        values.push(value);
    }
    values
}

struct Reader<'a> {
    rest: &'a [u8],
    left: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        if depth > AMF_DEPTH_MAX {
            return None;
        }
        let [marker] = self.take()?;
        Some(match marker {
            0 => Value::Number(f64::from_be_bytes(self.take()?)),
            1 => Value::Bool(self.take::<1>()? != [0]),
            2 => Value::Text(self.name()?),
            12 => {
                let len = u32::from_be_bytes(self.take()?) as usize;
                Value::Text(self.text(len)?)
            }
            3 => Value::Object(self.fields(depth)?),
            8 => {
                self.take::<4>()?;
                Value::Object(self.fields(depth)?)
            }
            10 => {
                let len = u32::from_be_bytes(self.take()?);
                let mut values = Vec::new();
                for _ in 0..len {
                    values.push(self.value(depth + 1)?);
                }
                Value::List(values)
            }
            5 | 6 => Value::Null,
            _ => return None,
        })
    }

    fn fields(&mut self, depth: usize) -> Option<Vec<(String, Value)>> {
        let mut fields = Vec::new();
        loop {
            let name = self.name()?;
            if name.is_empty() && self.rest.first() == Some(&9) {
                self.take::<1>()?;
                return Some(fields);
            }
            fields.push((name, self.value(depth + 1)?));
        }
    }

    fn name(&mut self) -> Option<String> {
        let len = usize::from(u16::from_be_bytes(self.take()?));
        self.text(len)
    }

    fn text(&mut self, len: usize) -> Option<String> {
        let (text, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive() {
        let values = vec![
            Value::Text("connect".into()),
            Value::Number(1.0),
            Value::Object(vec![
                ("app".into(), Value::Text("live".into())),
                ("list".into(), Value::List(vec![Value::Bool(true), Value::Null])),
            ]),
            Value::Text("x".repeat(70_000)),
        ];
        let mut bytes = Vec::new();
        write(&mut bytes, &values);
        assert_eq!(read(&bytes), values);
        assert_eq!(
            (values[0].text(), values[1].number(), values[2].field("app")),
            (Some("connect"), Some(1.0), Some("live"))
        );
        assert_eq!((values[1].text(), values[0].number(), values[0].field("app")), (None, None, None));
        for cut in 0..bytes.len().min(60) {
            read(&bytes[..cut]);
        }
    }

    #[test]
    fn ecma_arrays_read_as_objects_and_the_unknown_ends_the_list() {
        let mut bytes = vec![8, 0, 0, 0, 1, 0, 1, b'a', 6, 0, 0, 9];
        assert_eq!(read(&bytes), [Value::Object(vec![("a".into(), Value::Null)])]);
        bytes.extend([0x11, 1, 2]);
        assert_eq!(read(&bytes).len(), 1);
    }

    #[test]
    fn depth_and_number_are_bounded() {
        assert_eq!(read(&[10, 0, 0, 0, 1].repeat(10_000)), []);
        assert_eq!(read(&[5; 10_000]).len(), AMF_VALUES_MAX);
        assert_eq!(read(&[10, 0xFF, 0xFF, 0xFF, 0xFF, 5, 5]), []);
    }
}
