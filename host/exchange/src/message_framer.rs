//! The interface to the framing stage: the types of `wit/framing.wit` in plain Rust, and the trait that the host
//! implements for a stage instance. Independent of Wasm: the exchange only sends messages and receives events.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

/// The future result of a [`MessageFramer`] call.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, FramerError>> + Send + 'a>>;

/// Why a framer failed, as a sentence for the operator. The framer stays usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the framing stage: {0}")]
pub struct FramerError(pub String);

/// Converts fragments into a processor's messages, and its messages into events.
///
/// The exchange calls one method at a time and waits for the result. An implementation limits the time of each call and
/// provides a result for a failed stage.
pub trait MessageFramer: Send {
    /// The audio that [`MessageFramer::encode`] expects. Called once, before all other methods.
    fn audio_format(&mut self) -> Answer<'_, AudioFormat>;

    /// Changes since the last call, because another version of the stage took over. Called before fragments are sent.
    fn refresh(&mut self) -> Answer<'_, Option<Refresh>> {
        Box::pin(async { Ok(None) })
    }

    /// Called for each new connection, after Socket.IO's CONNECT was accepted.
    fn on_connect(&mut self, connection: Connection) -> Answer<'_, Greeting>;

    /// The messages that send this fragment, in order. Called again with a higher `attempt` if it is sent again.
    fn encode(&mut self, fragment: Fragment, audio: Bytes) -> Answer<'_, Vec<Message>>;

    /// The events that a message from the processor means, in order. `now_ms` is Unix time.
    fn decode(&mut self, message: Message, now_ms: u64) -> Answer<'_, Vec<Event>>;

    /// Called once for each [`MessageFramer::on_connect`], when the connection has ended.
    fn on_disconnect(&mut self, reason: String) -> Answer<'_, ()>;
}

/// PCM, signed 16 bit little endian; `None`: as in the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pcm {
    /// Sample rate in Hz.
    pub sample_rate_hz: Option<u32>,
    /// Number of audio channels.
    pub channels: Option<u32>,
}

/// The audio format that the processor expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioFormat {
    /// Fragmented MP4 with the source's own codec, not encoded again.
    Fmp4,
    /// AAC in ADTS, not encoded again.
    Adts,
    /// A WAV file with PCM samples in this format.
    Wav(Pcm),
    /// Samples without a header.
    Pcm(Pcm),
}

/// Another version of the stage took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// The audio format that it expects.
    pub audio_format: AudioFormat,
    /// Whether it must greet on the open connection, because it has no state of it.
    pub greeting_due: bool,
}

/// Properties of a new connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Stream id of the pipeline.
    pub stream_id: String,
    /// 0 for the first connection of the run, then 1, 2, ….
    pub attempt: u64,
    /// The largest packet that the server accepts, if announced.
    pub max_payload_bytes: Option<u64>,
    /// Unix time in milliseconds.
    pub now_ms: u64,
}

/// Properties of one batch's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Unique id of the fragment: `<stream-id>-<batch>`.
    pub id: String,
    /// Stream id of the pipeline.
    pub stream_id: String,
    /// Number of the batch, from 0.
    pub batch: u64,
    /// Presentation time of the first sample in the source's own time, in microseconds.
    pub pts_us: i64,
    /// Media time from the packets, in microseconds.
    pub duration_us: u64,
    /// Codec as probed, by ffmpeg's name.
    pub codec: String,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Number of audio channels.
    pub channels: u32,
    /// MIME type of the bytes.
    pub content_type: String,
    /// Name of the file, without folders.
    pub file_name: String,
    /// When the batch was complete, Unix time in milliseconds.
    pub created_ms: u64,
    /// Unix time of this call in milliseconds; set by the exchange at each transmission.
    pub now_ms: u64,
    /// 0 the first time, 1 when it is sent again, …; set by the exchange at each transmission.
    pub attempt: u32,
}

/// A Socket.IO event message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Name of the Socket.IO event.
    pub event: String,
    /// Its arguments as a JSON array, binary as `{"_placeholder":true,"num":n}` at any depth.
    pub arguments: String,
    /// The binary attachments, by `n`.
    pub attachments: Vec<Bytes>,
}

/// The fragment that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The id of the fragment, as it was sent.
    Id(String),
    /// The batch number, if the processor did not return the id.
    Batch(u64),
}

/// A reply with audio, as decoded by the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// The fragment that it answers.
    pub fragment: Reference,
    /// The bytes of the audio file.
    pub audio: Bytes,
    /// Further data from the processor, as a JSON object.
    pub metadata: String,
}

/// The processor could not process a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The fragment; `None`: the whole stream.
    pub fragment: Option<Reference>,
    /// The reason, in the processor's words.
    pub reason: String,
    /// Whether sending it again may help.
    pub retryable: bool,
}

/// The level of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For developers of the stage.
    Debug,
    /// For operators, as information.
    Info,
    /// For operators, as a warning.
    Warn,
}

/// A line for the pipeline's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Level of the log line.
    pub level: Level,
    /// Text of the log line, without line breaks.
    pub text: String,
}

/// The meaning of a message from the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The processor accepts fragments from now on.
    Ready,
    /// The processor has received this fragment.
    Acknowledged(Reference),
    /// The processor returned audio for a fragment.
    Processed(Processed),
    /// The processor could not process a fragment, or the stream.
    Failed(Failure),
    /// Send no further fragments until [`Event::Resume`].
    Pause,
    /// The processor accepts fragments again.
    Resume,
    /// Wait for this many milliseconds before the next fragment.
    SlowDown(u32),
    /// Send this message to the processor.
    Reply(Message),
    /// A line for the pipeline's log.
    Note(Note),
}

/// What a connection starts with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Greeting {
    /// Messages to send at once, in order.
    pub messages: Vec<Message>,
    /// Whether fragments may follow at once; false if [`Event::Ready`] must come first.
    pub ready: bool,
}
