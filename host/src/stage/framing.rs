//! demux -> [exchange] -> remux: one pipeline's framing stage.
//!
//! In: fragments and a processor's messages. Out: messages and events that keep the contract's rules ([`check`]). Where the
//! stage fails, the host's default is to send nothing and to hear nothing, so that the batch ends in its original audio
//! while the connection stays up.

mod check;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::messages as fuzz_messages;

use super::component::{KindIndices, StageComponent, StageKind};
use super::contract::exports::framing::Guest;
pub use super::contract::framing::{
    Connection, Event, Failure, Format, Fragment, Greeting, Message, Note, Pcm, Processed, Reference,
};
use super::counters::StageCounters;
use super::error::StageError;
use super::instance::Kind;
use super::runtime::StageRuntime;
use super::sandbox::Sandbox;
use super::seat::{Answer, Opening, Seat};
use std::sync::Arc;
use wasmtime::Store;

pub(super) struct Framing;

impl Kind for Framing {
    const KIND: StageKind = StageKind::Framing;
    type Guest = Guest;

    fn find(
        indices: &KindIndices,
        store: &mut Store<Sandbox>,
        instance: &wasmtime::component::Instance,
    ) -> Option<wasmtime::Result<Guest>> {
        match indices {
            KindIndices::Framing(indices) => Some(indices.load(store, instance)),
            _ => None,
        }
    }
}

/// One pipeline's framing stage.
pub struct FramingStage {
    seat: Seat<Framing>,
    format: Option<Format>,
}

impl FramingStage {
    /// Opens the stage and asks which audio it wants.
    ///
    /// # Errors
    /// [`StageError`] of `instantiate`, `open` or `audio-format`.
    pub async fn open(
        runtime: &StageRuntime,
        component: Arc<StageComponent>,
        opening: Opening,
    ) -> Result<Self, StageError> {
        let mut stage = Self { seat: Seat::open(runtime, component, opening).await?, format: None };
        stage.ask_format().await?;
        Ok(stage)
    }

    /// Like [`open`](Self::open), but a stage that does not open is tried again later, and meanwhile original audio goes
    /// on air: for pipelines that were accepted before and must run.
    pub async fn resume(runtime: &StageRuntime, component: Arc<StageComponent>, opening: Opening) -> Self {
        let mut stage = Self { seat: Seat::resume(runtime, component, opening).await, format: None };
        let _ = stage.ask_format().await;
        stage
    }

    /// The audio that `encode` wants. Until the stage has told, which it does when it is opened: fMP4.
    pub async fn audio_format(&mut self) -> Answer<Format> {
        let result = self.ask_format().await;
        self.seat.answer(result, || Format::Fmp4)
    }

    /// A connection was made. By default nothing is said and fragments may follow.
    pub async fn on_connect(&mut self, connection: &Connection) -> Answer<Greeting> {
        let result = self.try_on_connect(connection).await;
        self.seat.answer(result, || Greeting { messages: Vec::new(), ready: true })
    }

    /// The messages that send a fragment. By default none: the batch then goes on air with its original audio.
    pub async fn encode(&mut self, fragment: &Fragment, audio: &[u8]) -> Answer<Vec<Message>> {
        let result = self.try_encode(fragment, audio).await;
        self.seat.answer(result, Vec::new)
    }

    /// What a processor's message means. By default nothing.
    pub async fn decode(&mut self, message: &Message, now_ms: u64) -> Answer<Vec<Event>> {
        let result = self.try_decode(message, now_ms).await;
        self.seat.answer(result, Vec::new)
    }

    /// The connection is gone; `reason` is the host's sentence.
    pub async fn on_disconnect(&mut self, reason: &str) -> Answer<()> {
        let result = self.try_on_disconnect(reason).await;
        self.seat.answer(result, || ())
    }

    /// The last snapshot, to be stored with the journal.
    pub fn snapshot(&self) -> Option<&[u8]> {
        self.seat.snapshot()
    }

    /// What happened so far, by cause.
    pub fn counters(&self) -> &Arc<StageCounters> {
        self.seat.counters()
    }

    /// The component that sits here.
    pub fn component(&self) -> &Arc<StageComponent> {
        self.seat.component()
    }

    async fn ask_format(&mut self) -> Result<Format, StageError> {
        const CALL: &str = "audio-format";
        if let Some(format) = self.format {
            return Ok(format);
        }
        self.seat.ready(CALL).await?;
        let (meter, guest, store) = self.seat.begin(CALL)?;
        let outcome = meter.run(guest.call_audio_format(store)).await;
        let format = self.seat.settle_plain(outcome)?;
        check::format(&format).map_err(|reason| self.seat.reject(CALL, reason))?;
        self.format = Some(format);
        Ok(format)
    }

    async fn try_on_connect(&mut self, connection: &Connection) -> Result<Greeting, StageError> {
        const CALL: &str = "on-connect";
        self.seat.ready(CALL).await?;
        let (meter, guest, store) = self.seat.begin(CALL)?;
        let outcome = meter.run(guest.call_on_connect(store, connection)).await;
        let greeting = self.seat.settle(outcome)?;
        check::messages(&greeting.messages).map_err(|reason| self.seat.reject(CALL, reason))?;
        self.seat.keep().await?;
        Ok(greeting)
    }

    async fn try_encode(&mut self, fragment: &Fragment, audio: &[u8]) -> Result<Vec<Message>, StageError> {
        const CALL: &str = "encode";
        self.seat.ready(CALL).await?;
        let (meter, guest, store) = self.seat.begin(CALL)?;
        let outcome = meter.run(guest.call_encode(store, fragment, audio)).await;
        let messages = self.seat.settle(outcome)?;
        check::encoded(&messages).map_err(|reason| self.seat.reject(CALL, reason))?;
        self.seat.keep().await?;
        Ok(messages)
    }

    async fn try_decode(&mut self, message: &Message, now_ms: u64) -> Result<Vec<Event>, StageError> {
        const CALL: &str = "decode";
        self.seat.ready(CALL).await?;
        let (meter, guest, store) = self.seat.begin(CALL)?;
        let outcome = meter.run(guest.call_decode(store, message, now_ms)).await;
        let mut events = self.seat.settle(outcome)?;
        check::events(&mut events).map_err(|reason| self.seat.reject(CALL, reason))?;
        self.seat.keep().await?;
        Ok(events)
    }

    async fn try_on_disconnect(&mut self, reason: &str) -> Result<(), StageError> {
        const CALL: &str = "on-disconnect";
        self.seat.ready(CALL).await?;
        let (meter, guest, store) = self.seat.begin(CALL)?;
        let outcome = meter.run(guest.call_on_disconnect(store, reason)).await;
        self.seat.settle(outcome)?;
        self.seat.keep().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::StageRuntimeConfig;

    fn fragment() -> Fragment {
        Fragment {
            id: "cam-0".into(),
            stream_id: "cam".into(),
            batch: 0,
            pts_us: 1_400_000,
            duration_us: 30_000_000,
            codec: "aac".into(),
            sample_rate_hz: 48_000,
            channels: 2,
            content_type: "audio/mp4".into(),
            file_name: "audio.fmp4".into(),
            created_ms: 1_700_000_000_000,
            now_ms: 1_700_000_000_001,
            attempt: 0,
        }
    }

    #[tokio::test]
    async fn the_bundled_stage_sends_and_hears() {
        let runtime = StageRuntime::new(&StageRuntimeConfig { instances: 4, ..Default::default() }).unwrap();
        let component = runtime.bundled(StageKind::Framing).await.unwrap();
        let mut stage = FramingStage::open(&runtime, component, Opening::default()).await.unwrap();
        assert!(matches!(stage.audio_format().await.value, Format::Fmp4));

        let connection = Connection { stream_id: "cam".into(), attempt: 0, max_payload_bytes: None, now_ms: 0 };
        let greeting = stage.on_connect(&connection).await.value;
        assert!(greeting.ready && greeting.messages.is_empty());

        let audio = vec![7; 512 << 10];
        let sent = stage.encode(&fragment(), &audio).await;
        assert!(!sent.is_default(), "{:?}", sent.failure);
        let [sent] = sent.value.try_into().unwrap();
        assert_eq!((sent.event.as_str(), &sent.attachments), ("fragment:data", &vec![audio.clone()]));

        // An echo.
        let reply = Message { event: "fragment:processed".into(), ..sent };
        let events = stage.decode(&reply, 0).await;
        assert!(!events.is_default(), "{:?}", events.failure);
        let [Event::Processed(processed)] = <[Event; 1]>::try_from(events.value).unwrap() else { panic!() };
        assert_eq!((processed.fragment, processed.audio), (Reference::Id("cam-0".into()), audio));

        let garbage = Message { event: "fragment:ack".into(), arguments: "{".into(), attachments: vec![] };
        let heard = stage.decode(&garbage, 0).await;
        assert!(heard.value.is_empty() && matches!(heard.failure, Some(StageError::Answered { .. })));
        assert!(!stage.on_disconnect("bye").await.is_default());
        let counts = stage.counters().read();
        assert_eq!((counts.calls, counts.errors, counts.defaults, counts.restarts), (6, 1, 1, 0));
    }
}
