//! Variables of playlists (EXT-X-DEFINE, draft-pantos-hls-rfc8216bis section 4.4.2.3): definitions and references.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use url::Url;

use super::attributes::Attributes;
use super::error::PlaylistError;
use crate::limits::{EXPANDED_BYTES_MAX, VARIABLE_NAME_BYTES_MAX, VARIABLE_VALUE_BYTES_MAX, VARIABLES_MAX};

/// The variables of one playlist. Values may be tokens, so only the names are shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Parses the text after `#EXT-X-DEFINE:`. `base` is the playlist's final URL; `imports` are the variables of the
    /// master playlist that led to it.
    ///
    /// # Errors
    /// [`PlaylistError::Define`] if the tag is malformed, or a variable cannot be imported.
    pub(super) fn define(
        &mut self,
        line: usize,
        text: &str,
        base: &Url,
        imports: Option<&Self>,
    ) -> Result<(), PlaylistError> {
        let wrong = |why: String| PlaylistError::Define { line, why };
        let list = Attributes::parse(text);
        let (name, value) = if let Some(name) = list.get("NAME") {
            let value = list.get("VALUE").ok_or_else(|| wrong(format!("NAME=\"{}\" has no VALUE", short(name))))?;
            (name, value.to_owned())
        } else if let Some(name) = list.get("IMPORT") {
            let Some(imports) = imports else {
                let why = format!("IMPORT=\"{}\": this playlist was not reached by a master playlist", short(name));
                return Err(wrong(why));
            };
            let value = imports.0.get(name);
            let why = || wrong(format!("IMPORT=\"{}\": the master playlist does not define it", short(name)));
            (name, value.ok_or_else(why)?.clone())
        } else if let Some(name) = list.get("QUERYPARAM") {
            let value = base.query_pairs().find(|(key, value)| key == name && !value.is_empty());
            let why = || {
                wrong(format!(
                    "QUERYPARAM=\"{}\": the playlist's address has no such parameter with a value",
                    short(name)
                ))
            };
            (name, value.ok_or_else(why)?.1.into_owned())
        } else {
            return Err(wrong("expected NAME with VALUE, IMPORT or QUERYPARAM".to_owned()));
        };
        self.insert(name, value).map_err(wrong)
    }

    fn insert(&mut self, name: &str, value: String) -> Result<(), String> {
        let shown = short(name);
        if !is_name(name) {
            return Err(format!(
                "'{shown}' is not a name: expected a-z, A-Z, 0-9, - and _, at most {VARIABLE_NAME_BYTES_MAX}"
            ));
        }
        if value.len() > VARIABLE_VALUE_BYTES_MAX {
            return Err(format!("the value of '{shown}' is longer than {VARIABLE_VALUE_BYTES_MAX} bytes"));
        }
        if value.contains(['"', '\r', '\n']) {
            return Err(format!("the value of '{shown}' has a quotation mark or a line break"));
        }
        if self.0.get(name).is_some_and(|known| *known != value) {
            return Err(format!("'{shown}' is defined twice, with different values"));
        }
        if self.0.len() >= VARIABLES_MAX && !self.0.contains_key(name) {
            return Err(format!("more than {VARIABLES_MAX} variables"));
        }
        self.0.insert(name.to_owned(), value);
        Ok(())
    }

    /// [`Self::expand`] for an optional text.
    ///
    /// # Errors
    /// Those of [`Self::expand`].
    pub(super) fn optional(&self, line: usize, text: Option<&str>) -> Result<Option<String>, PlaylistError> {
        text.map(|text| self.expand(line, text).map(Cow::into_owned)).transpose()
    }

    /// Replaces references such as `{$name}` with their values.
    ///
    /// # Errors
    /// [`PlaylistError::Undefined`], and [`PlaylistError::Define`] if the text becomes too long.
    pub(super) fn expand<'a>(&self, line: usize, text: &'a str) -> Result<Cow<'a, str>, PlaylistError> {
        if !text.contains("{$") {
            return Ok(Cow::Borrowed(text));
        }
        let (mut expanded, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{$") {
            expanded.push_str(before);
            match after.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, next)) => {
                    let value = self.0.get(name);
                    let value = value.ok_or_else(|| PlaylistError::Undefined { line, name: name.to_owned() })?;
                    expanded.push_str(value);
                    rest = next;
                }
                // Not a reference.
                None => {
                    expanded.push_str("{$");
                    rest = after;
                }
            }
            if expanded.len() > EXPANDED_BYTES_MAX {
                let why = format!("the line has more than {EXPANDED_BYTES_MAX} bytes with its variables filled in");
                return Err(PlaylistError::Define { line, why });
            }
        }
        expanded.push_str(rest);
        Ok(Cow::Owned(expanded))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=VARIABLE_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// A name, shortened for an error text.
fn short(name: &str) -> String {
    name.chars().take(VARIABLE_NAME_BYTES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn define(variables: &mut Variables, text: &str, imports: Option<&Variables>) -> Result<(), PlaylistError> {
        let base = Url::parse("https://h/live.m3u8?token=a%2Fb&token=second&empty=&flag").unwrap();
        variables.define(3, text, &base, imports)
    }

    #[test]
    fn values_come_from_the_tag_the_master_playlist_and_the_address() {
        let (mut master, mut media) = (Variables::default(), Variables::default());
        define(&mut master, r#"NAME="dir",VALUE="media/{x}""#, None).unwrap();
        define(&mut master, r#"NAME="none",VALUE="""#, None).unwrap();
        for text in [r#"IMPORT="dir""#, r#"QUERYPARAM="token""#, r#"IMPORT="none""#] {
            define(&mut media, text, Some(&master)).unwrap();
        }
        let expanded = media.expand(9, "{$dir}/a{$none}.ts?t={$token}&{$}{$ dir}{dir}").unwrap();
        assert_eq!(expanded, "media/{x}/a.ts?t=a/b&{$}{$ dir}{dir}");
        assert_eq!(format!("{media:?}"), r#"{"dir", "none", "token"}"#, "values may be secrets");
    }

    #[test]
    fn what_is_not_defined_is_named() {
        let mut media = Variables::default();
        assert_eq!(media.expand(7, "{$dir}/a.ts"), Err(PlaylistError::Undefined { line: 7, name: "dir".into() }));
        let mut why = |text: &str, imports: Option<&Variables>| match define(&mut media, text, imports) {
            Err(PlaylistError::Define { line: 3, why }) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(r#"IMPORT="dir""#, None).contains("not reached by a master playlist"));
        assert!(why(r#"IMPORT="dir""#, Some(&Variables::default())).contains("IMPORT=\"dir\""));
        for name in ["none", "empty", "flag"] {
            assert!(why(&format!("QUERYPARAM=\"{name}\""), None).contains(name));
        }
        assert!(why(r#"NAME="x""#, None).contains("no VALUE"));
        assert!(why(r#"NAME="a b",VALUE="1""#, None).contains("'a b'"));
        assert!(why("", None).contains("expected NAME"));
    }

    #[test]
    fn a_name_has_one_value() {
        let mut media = Variables::default();
        define(&mut media, r#"NAME="a",VALUE="1""#, None).unwrap();
        define(&mut media, r#"NAME="a",VALUE="1""#, None).unwrap();
        assert!(define(&mut media, r#"NAME="a",VALUE="2""#, None).is_err());
    }

    #[test]
    fn count_and_length_are_bounded() {
        let mut many = Variables::default();
        for n in 0..VARIABLES_MAX {
            define(&mut many, &format!("NAME=\"v{n}\",VALUE=\"1\""), None).unwrap();
        }
        assert!(define(&mut many, r#"NAME="more",VALUE="1""#, None).is_err());
        let mut long = Variables::default();
        assert!(define(&mut long, &format!("NAME=\"a\",VALUE=\"{}\"", "x".repeat(4097)), None).is_err());
        define(&mut long, &format!("NAME=\"a\",VALUE=\"{}\"", "x".repeat(4096)), None).unwrap();
        assert_eq!(long.expand(1, &"{$a}".repeat(4)).unwrap().len(), EXPANDED_BYTES_MAX);
        assert!(matches!(long.expand(1, &"{$a}".repeat(100)), Err(PlaylistError::Define { .. })));
    }
}
