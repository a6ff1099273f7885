//! Reads `multipart/form-data` part by part, with at most one piece from the network in memory.
//!
//! General-purpose readers buffer without a limit, or allow headers of any length. Here the body is read only as fast as it is used,
//! headers are limited, and the caller limits each part.

use axum::body::{Body, BodyDataStream, Bytes};
use bytes::BytesMut;
use futures_util::StreamExt;
use memchr::memmem;

use crate::limits::GRAPHQL_PART_HEAD_BYTES_MAX;

/// Most characters of a boundary (RFC 2046).
const BOUNDARY_CHARS_MAX: usize = 70;

/// Why a form is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormError {
    /// It is not a valid form; the sentence says why.
    Form(String),
    /// A part is longer than this many bytes.
    TooLong(usize),
}

/// The head of a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Name of the form's field, from Content-Disposition.
    pub name: String,
    /// The name of the file, if it is one.
    pub file: Option<String>,
}

/// A form that is being read.
pub struct Form {
    body: BodyDataStream,
    /// Bytes that were read from the body and not returned yet.
    have: BytesMut,
    /// The delimiter before each part and after the last one.
    delimiter: Vec<u8>,
}

impl Form {
    /// Begins to read a form. `kind`: the value of the `Content-Type` header.
    ///
    /// # Errors
    /// [`FormError::Form`] if it has no valid boundary.
    pub fn new(kind: &str, body: Body) -> Result<Self, FormError> {
        let boundary = parameter(kind, "boundary").unwrap_or_default();
        let whole = !boundary.is_empty() && boundary.len() <= BOUNDARY_CHARS_MAX;
        if !whole || boundary.bytes().any(|byte| !(byte.is_ascii_graphic() || byte == b' ')) {
            let text = format!("its Content-Type has no boundary of 1 to {BOUNDARY_CHARS_MAX} characters");
            return Err(FormError::Form(text));
        }
        // The first delimiter is at the beginning; the others follow the end of a line.
        let have = BytesMut::from(b"\r\n".as_slice());
        Ok(Self { body: body.into_data_stream(), have, delimiter: format!("\r\n--{boundary}").into_bytes() })
    }

    /// Reads the head of the next part; `None` after the last one.
    ///
    /// # Errors
    /// [`FormError::Form`] if the part or its head is malformed.
    pub async fn part(&mut self) -> Result<Option<Part>, FormError> {
        let start = self.delimiter.len();
        while self.have.len() < start + 2 {
            self.more().await?;
        }
        if !self.have.starts_with(&self.delimiter) {
            return Err(FormError::Form("a part does not begin with the boundary".to_owned()));
        }
        let after = self.have.split_off(start);
        self.have = after;
        if self.have.starts_with(b"--") {
            return Ok(None);
        }
        if !self.have.starts_with(b"\r\n") {
            return Err(FormError::Form("the boundary is not followed by a line's end".to_owned()));
        }
        let end = loop {
            if let Some(end) = memmem::find(&self.have, b"\r\n\r\n") {
                break end;
            }
            // An end within the bound would have been seen.
            if self.have.len() >= GRAPHQL_PART_HEAD_BYTES_MAX + 4 {
                break self.have.len();
            }
            self.more().await?;
        };
        if end > GRAPHQL_PART_HEAD_BYTES_MAX {
            let text = format!("a part's headers are longer than {GRAPHQL_PART_HEAD_BYTES_MAX} bytes");
            return Err(FormError::Form(text));
        }
        let head = self.have.split_to(end + 4);
        head_of(&head).map(Some)
    }

    /// Reads a piece of the current part; `None` after the last piece.
    ///
    /// # Errors
    /// [`FormError::Form`] if the form ends early.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, FormError> {
        loop {
            match memmem::find(&self.have, &self.delimiter) {
                Some(0) => return Ok(None),
                Some(end) => return Ok(Some(self.have.split_to(end).freeze())),
                None => {}
            }
            // The last bytes may be the beginning of the delimiter.
            let sure = self.have.len().saturating_sub(self.delimiter.len() - 1);
            if sure > 0 {
                return Ok(Some(self.have.split_to(sure).freeze()));
            }
            self.more().await?;
        }
    }

    /// Reads the whole current part.
    ///
    /// # Errors
    /// [`FormError::Form`] if the form ends early; [`FormError::TooLong`] as soon as the part exceeds `most` bytes.
    pub async fn whole(&mut self, most: usize) -> Result<Vec<u8>, FormError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            if whole.len() + piece.len() > most {
                return Err(FormError::TooLong(most));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    async fn more(&mut self) -> Result<(), FormError> {
        match self.body.next().await {
            Some(Ok(bytes)) => {
                self.have.extend_from_slice(&bytes);
                Ok(())
            }
            Some(Err(_)) | None => Err(FormError::Form("it breaks off".to_owned())),
        }
    }
}

fn head_of(head: &[u8]) -> Result<Part, FormError> {
    let head = std::str::from_utf8(head).map_err(|_| FormError::Form("a part's headers are not text".to_owned()))?;
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let of = |(name, value): (&str, &str)| {
        name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.trim().to_owned())
    };
    let disposition = lines.filter_map(of).next().unwrap_or_default();
    match (disposition.split(';').next().map(str::trim), parameter(&disposition, "name")) {
        (Some(kind), Some(name)) if kind.eq_ignore_ascii_case("form-data") => {
            Ok(Part { name, file: parameter(&disposition, "filename") })
        }
        _ => Err(FormError::Form("a part has no \"Content-Disposition: form-data; name=…\"".to_owned())),
    }
}

/// A parameter in a header's value: `…; name=value; name="value"`.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                let (value, left) = after.split_at_checked(end)?;
                (value.trim().to_owned(), left)
            }
        };
        if name.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = left;
    }
}

/// The text up to the closing quote, and the rest after it.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const KIND: &str = "multipart/form-data; charset=utf-8; boundary=\"a b\"";
    const FORM: &str = "--a b\r\ncontent-disposition: form-data; name=\"one\"\r\n\r\nfirst\r\n--a \r\n\r\n--a b\r\n\
        Content-Type: text/plain\r\nContent-Disposition: form-data; filename=\"a\\\"; name=b\"; name=two\r\n\r\n\r\n--a b--\r\nend";

    /// In pieces of so many bytes.
    fn form(kind: &str, text: &str, size: usize) -> Result<Form, FormError> {
        let pieces: Vec<_> = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).map(Ok::<_, Wrong2>).collect();
        Form::new(kind, Body::from_stream(stream::iter(pieces)))
    }

    type Wrong2 = std::io::Error;

    async fn parts(text: &str, size: usize) -> Result<Vec<(Part, String)>, FormError> {
        let mut form = form(KIND, text, size)?;
        let mut parts = Vec::new();
        while let Some(part) = form.part().await? {
            parts.push((part, String::from_utf8(form.whole(1000).await?).unwrap()));
        }
        Ok(parts)
    }

    #[tokio::test]
    async fn it_is_read_in_whatever_pieces_it_comes() {
        for size in 1..FORM.len() {
            let parts = parts(FORM, size).await.unwrap();
            let one = (Part { name: "one".into(), file: None }, "first\r\n--a \r\n".to_owned());
            let two = (Part { name: "two".into(), file: Some("a\"; name=b".into()) }, String::new());
            assert_eq!(parts, [one, two], "{size}");
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused_wherever_it_breaks_off() {
        for end in 0..FORM.len() - 7 {
            assert!(matches!(parts(&FORM[..end], 5).await, Err(FormError::Form(_))), "{}", &FORM[..end]);
        }
        for kind in ["multipart/form-data", "multipart/form-data; boundary=", "x; boundary=\"\u{e9}\""] {
            assert!(matches!(form(kind, FORM, 5), Err(FormError::Form(_))), "{kind}");
        }
        assert!(form(&format!("x; boundary={}", "a".repeat(71)), FORM, 5).is_err());
        let nameless = FORM.replacen("name=\"one\"", "", 1);
        assert!(matches!(parts(&nameless, 5).await, Err(FormError::Form(_))));
    }

    #[tokio::test]
    async fn lengths_are_bounded_before_the_rest_is_read() {
        // What comes after the bound is never asked for.
        let endless = |start: &str| {
            let start = Bytes::from(start.to_owned());
            let filler = stream::repeat_with(|| Bytes::from_static(&[b'x'; 1000]));
            Body::from_stream(stream::once(std::future::ready(start)).chain(filler).map(Ok::<_, Wrong2>))
        };
        let mut heads = Form::new(KIND, endless("--a b\r\nX: ")).unwrap_or_else(|_| unreachable!());
        assert!(matches!(heads.part().await, Err(FormError::Form(_))));
        let part = "--a b\r\ncontent-disposition: form-data; name=x\r\n\r\n";
        let mut long = Form::new(KIND, endless(part)).unwrap_or_else(|_| unreachable!());
        assert_eq!(long.part().await.unwrap().unwrap().name, "x");
        assert_eq!(long.whole(5000).await, Err(FormError::TooLong(5000)));
    }
}
