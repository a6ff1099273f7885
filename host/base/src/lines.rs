//! Cuts what a program writes into lines that are fit for the log.

/// Bytes in, lines out.
#[derive(Debug)]
pub struct Lines {
    partial: Vec<u8>,
    most: usize,
}

impl Lines {
    /// What is longer than `most` bytes is cut off at the end of its line.
    pub fn new(most: usize) -> Self {
        Self { partial: Vec::new(), most }
    }

    /// Takes what was written; calls with each line that ends in it.
    pub fn feed(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = self.most.saturating_sub(self.partial.len());
            self.partial.extend_from_slice(text.get(..room).unwrap_or(text));
            if ended {
                self.end(&mut line);
            }
        }
    }

    /// Nothing follows: calls with what is left, if anything is.
    pub fn end(&mut self, mut line: impl FnMut(&str)) {
        let text = plain(&String::from_utf8_lossy(&self.partial));
        self.partial.clear();
        if !text.is_empty() {
            line(&text);
        }
    }
}

/// The text without blanks around it and without what would steer a terminal or begin a new line.
pub fn plain(text: &str) -> String {
    crate::redact::plain(text.trim()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_cut_and_cleaned() {
        let mut lines = Lines::new(8);
        let mut seen = Vec::new();
        for bytes in [&b"one\ntw"[..], b"o\r\n\n\x1b[2Jx\n", b"0123456789\n", "éé".as_bytes()] {
            lines.feed(bytes, |line| seen.push(line.to_owned()));
        }
        assert_eq!(seen, ["one", "two", "\u{fffd}[2Jx", "01234567"]);
        lines.end(|line| seen.push(line.to_owned()));
        lines.end(|line| seen.push(line.to_owned()));
        assert_eq!(seen.split_off(4), ["éé"]);
    }
}
