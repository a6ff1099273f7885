//! Names streams by their numbers, which each container has its own word for.

use super::event::Stream;

/// What the number of a stream is called in its container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Numbering {
    /// A PID of a transport stream.
    #[default]
    Pid,
    /// A track_ID of MP4.
    Track,
    /// Packed audio has one stream without a number.
    None,
}

impl Numbering {
    /// Names a stream: `PID 256`.
    pub fn name(self, number: u32) -> String {
        match self {
            Self::Pid => format!("PID {number}"),
            Self::Track => format!("track {number}"),
            Self::None => "packed audio".to_owned(),
        }
    }

    /// Describes a stream: `PID 257: aac (deu)`.
    pub fn stream(self, stream: &Stream) -> String {
        let Stream { number, codec, language, .. } = stream;
        let language = language.as_ref().map(|language| format!(" ({language})")).unwrap_or_default();
        format!("{}: {}{language}", self.name(*number), codec.name())
    }
}
