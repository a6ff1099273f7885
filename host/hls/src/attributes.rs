//! Attribute lists of playlist tags (RFC 8216 section 4.2), parsed leniently: spaces around names and commas are
//! skipped, quotes are optional, names are case-insensitive, and items without `=` are ignored.

use std::borrow::Cow;

use crate::limits::ATTRIBUTES_MAX;

/// The attributes of one tag, borrowed from its line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes<'a>(Vec<Attribute<'a>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute<'a> {
    name: &'a str,
    value: Cow<'a, str>,
    /// Whether a list of codecs without quotes was split at its commas; its rest follows as items without a value.
    open: bool,
}

impl<'a> Attributes<'a> {
    /// Parses the text after the tag's colon.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut list: Vec<Attribute<'a>> = Vec::new();
        let mut rest = text;
        while list.len() < ATTRIBUTES_MAX
            && let Some((name, after)) = rest.split_once('=')
        {
            // Items without a value before it must not become part of the name.
            let (stray, name) = name.rsplit_once(',').unwrap_or(("", name));
            carry_on(&mut list, stray);
            let name = name.trim();
            let after = after.trim_start();
            let (value, next, quoted) = match after.strip_prefix('"') {
                Some(quoted) => match quoted.split_once('"') {
                    Some((value, next)) => (value, next.split_once(',').map_or("", |(_, next)| next), true),
                    None => (quoted.trim_end(), "", true),
                },
                None => match after.split_once(',') {
                    Some((value, next)) => (value.trim_end(), next, false),
                    None => (after.trim_end(), "", false),
                },
            };
            let open = !quoted && name.eq_ignore_ascii_case("CODECS");
            list.push(Attribute { name, value: Cow::Borrowed(value), open });
            rest = next;
        }
        if !rest.contains('=') {
            carry_on(&mut list, rest);
        }
        Self(list)
    }

    /// The value of an attribute, without its quotes.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name)).map(|attribute| &*attribute.value)
    }

    /// Whether an attribute is YES, in any case.
    pub(super) fn is_yes(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("YES"))
    }
}

fn carry_on(list: &mut [Attribute<'_>], items: &str) {
    let items = items.trim();
    if let Some(last) = list.last_mut().filter(|last| last.open && !items.is_empty()) {
        last.value = Cow::Owned(format!("{},{items}", last.value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_quoted_and_bare_values() {
        let list = Attributes::parse(r#"METHOD=AES-128, URI="https://k/?a=1,b=2" ,IV=0x0A,EMPTY="",TAIL=x "#);
        assert_eq!(list.get("METHOD"), Some("AES-128"));
        assert_eq!(list.get("URI"), Some("https://k/?a=1,b=2"));
        assert_eq!(list.get("IV"), Some("0x0A"));
        assert_eq!(list.get("EMPTY"), Some(""));
        assert_eq!(list.get("TAIL"), Some("x"));
        assert_eq!(list.get("NONE"), None);
    }

    #[test]
    fn survives_broken_lists() {
        assert_eq!(Attributes::parse("").get("A"), None);
        assert_eq!(Attributes::parse("FLAG,A=1").get("A"), Some("1"));
        assert_eq!(Attributes::parse("B=2,FLAG,A=1").get("B"), Some("2"));
        assert_eq!(Attributes::parse(r#"A="never closed"#).get("A"), Some("never closed"));
        assert_eq!(Attributes::parse("A=").get("A"), Some(""));
        let many = "A=1,".repeat(10 * ATTRIBUTES_MAX);
        assert_eq!(Attributes::parse(&many).0.len(), ATTRIBUTES_MAX);
    }

    #[test]
    fn case_and_missing_quotes_do_not_matter() {
        let list = Attributes::parse("codecs=avc1.4d401f, mp4a.40.2,Default=yes,AUTOSELECT=NO");
        assert_eq!(list.get("CODECS"), Some("avc1.4d401f,mp4a.40.2"));
        assert!(list.is_yes("DEFAULT") && !list.is_yes("AUTOSELECT") && !list.is_yes("FORCED"));
        assert_eq!(Attributes::parse("CODECS=avc1.4d401f,mp4a.40.2").get("CODECS"), Some("avc1.4d401f,mp4a.40.2"));
    }
}
