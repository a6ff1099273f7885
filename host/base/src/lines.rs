//! Splits a program's output into lines that are safe to log.

/// Assembles lines from pieces of output. Holds at most one line.
#[derive(Debug)]
pub struct Lines {
    partial: Vec<u8>,
    most: usize,
}

impl Lines {
    /// Lines of at most `most` bytes; the rest of a longer line is dropped.
    pub fn new(most: usize) -> Self {
        Self { partial: Vec::new(), most }
    }

    /// Adds a piece of output; calls `line` with each complete line.
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

    /// Ends the output: calls `line` with the incomplete last line, if it is not empty.
    pub fn end(&mut self, mut line: impl FnMut(&str)) {
        let text = plain(&String::from_utf8_lossy(&self.partial));
        self.partial.clear();
        if !text.is_empty() {
            line(&text);
        }
    }
}

/// The text, trimmed, and without characters that control a terminal or begin a new line.
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
