//! Attribute lists of playlist tags (RFC 8216 section 4.2), read leniently: blanks around names and commas are skipped,
//! a value may be quoted or not, and what has no `=` is ignored.

/// The attributes of one tag, borrowed from its line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    /// Reads the text after the tag's colon.
    pub(super) fn parse(text: &'a str) -> Self {
        let mut list = Vec::new();
        let mut rest = text;
        while let Some((name, after)) = rest.split_once('=') {
            // A stray item without a value must not become part of the next name.
            let name = name.rsplit(',').next().unwrap_or(name).trim();
            let after = after.trim_start();
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => match quoted.split_once('"') {
                    Some((value, next)) => (value, next.split_once(',').map_or("", |(_, next)| next)),
                    None => (quoted.trim_end(), ""),
                },
                None => match after.split_once(',') {
                    Some((value, next)) => (value.trim_end(), next),
                    None => (after.trim_end(), ""),
                },
            };
            list.push((name, value));
            rest = next;
        }
        Self(list)
    }

    /// The value of an attribute, without its quotes.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
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
        assert_eq!(Attributes::parse(r#"A="never closed"#).get("A"), Some("never closed"));
        assert_eq!(Attributes::parse("A=").get("A"), Some(""));
    }
}
