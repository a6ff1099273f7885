//! The interface to the framing stage: the types of `wit/framing.wit` in plain Rust, and the trait that the host implements
//! over the stage's instance. Nothing of Wasm shows here; the exchange only sees messages go out and events come in.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

/// What a [`MessageFramer`] answers with, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, FramerError>> + Send + 'a>>;

/// Why a framer did not answer, in a sentence for the operator. The framer stays usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the framing stage: {0}")]
pub struct FramerError(pub String);

/// Turns fragments into a processor's messages, and its messages into events.
///
/// The exchange calls one method at a time, never two at once, and waits for the answer: whoever implements this
/// bounds each call in time and answers for a stage that failed.
pub trait MessageFramer: Send {
    /// The audio that [`MessageFramer::encode`] wants. Called once, before anything else.
    fn audio_format(&mut self) -> Answer<'_, AudioFormat>;

    /// What became different since the last look, because another version of the stage took over. Asked before
    /// fragments are sent.
    fn refresh(&mut self) -> Answer<'_, Option<Refresh>> {
        Box::pin(async { Ok(None) })
    }

    /// Called for each new connection, after Socket.IO's CONNECT was accepted.
    fn on_connect(&mut self, connection: Connection) -> Answer<'_, Greeting>;

    /// The messages that send this fragment, in order. Called again with a higher `attempt` if it is sent again.
    fn encode(&mut self, fragment: Fragment, audio: Bytes) -> Answer<'_, Vec<Message>>;

    /// What a message from the processor means, in order. `now_ms` is Unix time.
    fn decode(&mut self, message: Message, now_ms: u64) -> Answer<'_, Vec<Event>>;

    /// The connection is gone; called once for each [`MessageFramer::on_connect`].
    fn on_disconnect(&mut self, reason: String) -> Answer<'_, ()>;
}

/// PCM, signed 16 bit little endian; what is `None` stays as in the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pcm {
    /// Sample rate in Hz.
    pub sample_rate_hz: Option<u32>,
    /// Number of audio channels.
    pub channels: Option<u32>,
}

/// The audio that the processor wants to be sent.
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
    /// The audio that it wants.
    pub audio_format: AudioFormat,
    /// It knows nothing of the connection that is up, and is to greet on it.
    pub greeting_due: bool,
}

/// Facts of a connection that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Stream id of the pipeline.
    pub stream_id: String,
    /// 0 for the first connection of the run, then 1, 2, ….
    pub attempt: u64,
    /// The largest packet that the server takes, where it told.
    pub max_payload_bytes: Option<u64>,
    /// Unix time in milliseconds.
    pub now_ms: u64,
}

/// The facts of one batch's audio.
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
    /// Codec as probed, in ffmpeg's words.
    pub codec: String,
    /// Sample rate in Hz.
    pub sample_rate_hz: u32,
    /// Number of audio channels.
    pub channels: u32,
    /// MIME type of the bytes.
    pub content_type: String,
    /// Name of the file that holds it, without folders.
    pub file_name: String,
    /// Unix time when the batch was complete.
    pub created_ms: u64,
    /// Unix time of this call; the exchange sets it at each sending.
    pub now_ms: u64,
    /// 0 the first time, 1 when it is sent again, …; the exchange sets it at each sending.
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

/// Which fragment an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// The id of the fragment, as it was sent.
    Id(String),
    /// By batch number, where the processor did not return the id.
    Batch(u64),
}

/// A reply with audio, as the stage understood it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// The fragment that it answers.
    pub fragment: Reference,
    /// The audio file's bytes.
    pub audio: Bytes,
    /// Whatever the processor told besides, as a JSON object.
    pub metadata: String,
}

/// The processor gave a fragment up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `None`: the whole stream, not one fragment.
    pub fragment: Option<Reference>,
    /// Why, in the processor's words.
    pub reason: String,
    /// True if sending it again may help.
    pub retryable: bool,
}

/// How talkative a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For people who work on the stage.
    Debug,
    /// For operators, in passing.
    Info,
    /// For operators: something to look at.
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

/// What a message from the processor means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The processor takes fragments from now on.
    Ready,
    /// The processor has this fragment.
    Acknowledged(Reference),
    /// The processor returned audio for a fragment.
    Processed(Processed),
    /// The processor gave a fragment, or the stream, up.
    Failed(Failure),
    /// Send no further fragments until [`Event::Resume`].
    Pause,
    /// The processor accepts fragments again.
    Resume,
    /// Wait so many milliseconds before the next fragment.
    SlowDown(u32),
    /// Send this to the processor.
    Reply(Message),
    /// A line for the pipeline's log.
    Note(Note),
}

/// What a connection starts with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Greeting {
    /// To send at once, in order.
    pub messages: Vec<Message>,
    /// True if fragments may follow at once; false if [`Event::Ready`] comes first.
    pub ready: bool,
}
