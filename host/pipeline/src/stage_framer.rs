//! The framing stage as the exchange sees it: translates between the contract's types and the exchange's own.

use bytes::Bytes;

use outboard_exchange::message_framer as ours;
use outboard_exchange::message_framer::{Answer, FramerError, MessageFramer};
use outboard_stage::contract::{self, framing as wit};
use outboard_stage::swap::Shared;
use outboard_stage::{Digest, FramingStage};
use outboard_store::journal::{StageSnapshot, StreamJournal};

/// Keeps a stage's state in the journal, writing only what changed.
#[derive(Debug)]
pub struct StateKeeper {
    journal: StreamJournal,
    kind: &'static str,
    last: Option<Vec<u8>>,
}

impl StateKeeper {
    /// Keeps the state of the stage of this kind in the stream's journal.
    pub fn new(journal: StreamJournal, kind: &'static str) -> Self {
        Self { journal, kind, last: None }
    }

    /// Writes the state down if it is another than last time.
    pub async fn keep(&mut self, digest: String, state: Option<&[u8]>) {
        if state.is_none() || state == self.last.as_deref() {
            return;
        }
        let state = state.unwrap_or_default().to_vec();
        self.last = Some(state.clone());
        if let Err(error) = self.journal.stage(StageSnapshot { kind: self.kind.into(), digest, state }).await {
            tracing::warn!(kind = self.kind, %error, "stage state not journalled");
        }
    }
}

/// Frames messages with the framing stage of a pipeline.
pub struct StageFramer {
    /// The framing stage, shared with swaps.
    pub stage: Shared<FramingStage>,
    /// Its state in the journal; `None`: what it learns is not kept.
    pub keeper: Option<StateKeeper>,
    /// Digest of the version that answered at the last look.
    seen: Option<Digest>,
}

impl StageFramer {
    /// Frames with this stage; `keeper`: keeps its state in the journal.
    pub fn new(stage: Shared<FramingStage>, keeper: Option<StateKeeper>) -> Self {
        Self { stage, keeper, seen: None }
    }

    /// Keeps the state that a call left.
    async fn settle<T>(&mut self, answer: outboard_stage::Answer<T>) -> Result<T, FramerError> {
        if let Some(keeper) = &mut self.keeper {
            let stage = self.stage.lock().await;
            keeper.keep(stage.component().digest().to_string(), stage.snapshot()).await;
        }
        match answer.failure {
            None => Ok(answer.value),
            Some(failure) => Err(FramerError(failure.to_string())),
        }
    }
}

impl MessageFramer for StageFramer {
    fn audio_format(&mut self) -> Answer<'_, ours::AudioFormat> {
        Box::pin(async move {
            let mut stage = self.stage.lock().await;
            self.seen = Some(stage.component().digest());
            Ok(format(stage.audio_format().await.value))
        })
    }

    fn refresh(&mut self) -> Answer<'_, Option<ours::Refresh>> {
        Box::pin(async move {
            let mut stage = self.stage.lock().await;
            let (greeting_due, digest) = (stage.take_greeting_due(), stage.component().digest());
            if !greeting_due && self.seen == Some(digest) {
                return Ok(None);
            }
            self.seen = Some(digest);
            Ok(Some(ours::Refresh { audio_format: format(stage.audio_format().await.value), greeting_due }))
        })
    }

    fn on_connect(&mut self, connection: ours::Connection) -> Answer<'_, ours::Greeting> {
        Box::pin(async move {
            let connection = wit::Connection {
                stream_id: connection.stream_id,
                attempt: connection.attempt,
                max_payload_bytes: connection.max_payload_bytes,
                now_ms: connection.now_ms,
            };
            // The default lets the connection stay up.
            let answer = self.stage.lock().await.on_connect(&connection).await;
            let greeting = ours::Greeting {
                messages: answer.value.messages.iter().cloned().map(from_message).collect(),
                ready: answer.value.ready,
            };
            let _ = self.settle(answer).await;
            Ok(greeting)
        })
    }

    fn encode(&mut self, fragment: ours::Fragment, audio: Bytes) -> Answer<'_, Vec<ours::Message>> {
        Box::pin(async move {
            let fragment = wit::Fragment {
                id: fragment.id,
                stream_id: fragment.stream_id,
                batch: fragment.batch,
                pts_us: fragment.pts_us,
                duration_us: fragment.duration_us,
                codec: fragment.codec,
                sample_rate_hz: fragment.sample_rate_hz,
                channels: fragment.channels,
                content_type: fragment.content_type,
                file_name: fragment.file_name,
                created_ms: fragment.created_ms,
                now_ms: fragment.now_ms,
                attempt: fragment.attempt,
            };
            let answer = self.stage.lock().await.encode(&fragment, audio).await;
            let messages = self.settle(answer).await?;
            Ok(messages.into_iter().map(from_message).collect())
        })
    }

    fn decode(&mut self, message: ours::Message, now_ms: u64) -> Answer<'_, Vec<ours::Event>> {
        Box::pin(async move {
            let answer = self.stage.lock().await.decode(to_message(message), now_ms).await;
            let events = self.settle(answer).await?;
            Ok(events.into_iter().map(event).collect())
        })
    }

    fn on_disconnect(&mut self, reason: String) -> Answer<'_, ()> {
        Box::pin(async move {
            let answer = self.stage.lock().await.on_disconnect(&reason).await;
            self.settle(answer).await
        })
    }
}

fn format(format: wit::Format) -> ours::AudioFormat {
    let pcm = |pcm: wit::Pcm| ours::Pcm { sample_rate_hz: pcm.sample_rate_hz, channels: pcm.channels };
    match format {
        wit::Format::Fmp4 => ours::AudioFormat::Fmp4,
        wit::Format::Adts => ours::AudioFormat::Adts,
        wit::Format::Wav(wanted) => ours::AudioFormat::Wav(pcm(wanted)),
        wit::Format::Pcm(wanted) => ours::AudioFormat::Pcm(pcm(wanted)),
    }
}

fn from_message(message: wit::Message) -> ours::Message {
    ours::Message {
        event: message.event,
        arguments: message.arguments,
        attachments: message.attachments.into_iter().map(Bytes::from).collect(),
    }
}

fn to_message(message: ours::Message) -> wit::Message {
    wit::Message {
        event: message.event,
        arguments: message.arguments,
        attachments: message.attachments.into_iter().map(Vec::from).collect(),
    }
}

fn reference(reference: wit::Reference) -> ours::Reference {
    match reference {
        wit::Reference::Id(id) => ours::Reference::Id(id),
        wit::Reference::Batch(number) => ours::Reference::Batch(number),
    }
}

fn event(event: wit::Event) -> ours::Event {
    match event {
        wit::Event::Ready => ours::Event::Ready,
        wit::Event::Acknowledged(of) => ours::Event::Acknowledged(reference(of)),
        wit::Event::Processed(processed) => ours::Event::Processed(ours::Processed {
            fragment: reference(processed.fragment),
            audio: processed.audio.into(),
            metadata: processed.metadata,
        }),
        wit::Event::Failed(failure) => ours::Event::Failed(ours::Failure {
            fragment: failure.fragment.map(reference),
            reason: failure.reason,
            retryable: failure.retryable,
        }),
        wit::Event::Pause => ours::Event::Pause,
        wit::Event::Resume => ours::Event::Resume,
        wit::Event::SlowDown(ms) => ours::Event::SlowDown(ms),
        wit::Event::Reply(message) => ours::Event::Reply(from_message(message)),
        wit::Event::Note(note) => ours::Event::Note(ours::Note {
            level: match note.level {
                contract::Level::Debug => ours::Level::Debug,
                contract::Level::Info => ours::Level::Info,
                contract::Level::Warn => ours::Level::Warn,
            },
            text: note.text,
        }),
    }
}
