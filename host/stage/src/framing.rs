//! demux -> **exchange** -> remux: one pipeline's framing stage.
//!
//! In: fragments and a processor's messages. Out: messages and events that keep the contract's rules ([`check`]). If the stage
//! fails, the host's default is to send nothing and to ignore the message: the batch goes on air with its original audio, and the
//! connection stays open.

mod check;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
mod in_flight;
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::messages as fuzz_messages;
mod text;

use super::calls::StageInterface;
use super::component::{KindIndices, StageComponent};
use super::contract::exports::framing::Guest;
pub use super::contract::framing::{
    Connection, Event, Failure, Format, Fragment, Greeting, Message, Note, Pcm, Processed, Reference,
};
use super::counters::StageCounters;
use super::error::StageError;
use super::kind::StageKind;
use super::opening::Opening;
use super::runtime::StageRuntime;
use super::sandbox::Sandbox;
use super::slot::{Answer, StageSlot};
use super::supervised_instance::{CallableStage, SupervisedInstance};
use super::swappable::Swappable;
use bytes::Bytes;
use in_flight::InFlight;
use outboard_base::Digest;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wasmtime::Store;

pub(super) struct Framing;

/// A call of a framing stage.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Input {
    Connect(Connection),
    Encode {
        fragment: Fragment,
        #[serde(with = "text::bytes")]
        audio: Bytes,
    },
    Decode {
        #[serde(with = "text::message")]
        message: Message,
        now_ms: u64,
    },
    Disconnect(String),
}

/// The answer of a framing stage's call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    Greeting(Greeting),
    Messages(Vec<Message>),
    Events(Vec<Event>),
    Nothing,
}

impl StageInterface for Framing {
    const KIND: StageKind = StageKind::Framing;
    const DIVERGES: bool = false;
    const KEEPS_PREDECESSOR: bool = true;
    type Guest = Guest;
    type Input = Input;
    type Output = Output;
    type CallHistory = ();

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

    fn name(input: &Input) -> &'static str {
        match input {
            Input::Connect(_) => "on-connect",
            Input::Encode { .. } => "encode",
            Input::Decode { .. } => "decode",
            Input::Disconnect(_) => "on-disconnect",
        }
    }

    fn bytes(input: &Input) -> usize {
        let content = match input {
            Input::Connect(_) | Input::Disconnect(_) => 0,
            Input::Encode { audio, .. } => audio.len(),
            Input::Decode { message, .. } => {
                message.arguments.len() + message.attachments.iter().map(Vec::len).sum::<usize>()
            }
        };
        size_of::<Input>() + content
    }

    fn is_opening(input: &Input) -> bool {
        matches!(input, Input::Connect(_))
    }

    fn is_batch(input: &Input, _: &Output) -> bool {
        matches!(input, Input::Encode { .. })
    }
}

impl CallableStage for Framing {
    async fn perform_call(
        supervised: &mut SupervisedInstance<Self>,
        (): &(),
        input: &Input,
    ) -> Result<Output, StageError> {
        let call = Self::name(input);
        supervised.ensure_started(call).await?;
        let (meter, guest, store) = supervised.begin(call)?;
        let output = match input {
            Input::Connect(connection) => {
                let outcome = meter.run(guest.call_on_connect(store, connection)).await;
                let greeting = supervised.finish(outcome)?;
                check::messages(&greeting.messages).map_err(|reason| supervised.reject(call, reason))?;
                Output::Greeting(greeting)
            }
            Input::Encode { fragment, audio } => {
                let outcome = meter.run(guest.call_encode(store, fragment, audio)).await;
                let messages = supervised.finish(outcome)?;
                check::encoded(&messages).map_err(|reason| supervised.reject(call, reason))?;
                Output::Messages(messages)
            }
            Input::Decode { message, now_ms } => {
                let outcome = meter.run(guest.call_decode(store, message, *now_ms)).await;
                let mut events = supervised.finish(outcome)?;
                check::events(&mut events).map_err(|reason| supervised.reject(call, reason))?;
                Output::Events(events)
            }
            Input::Disconnect(reason) => {
                let outcome = meter.run(guest.call_on_disconnect(store, reason)).await;
                supervised.finish(outcome)?;
                Output::Nothing
            }
        };
        supervised.save_state().await?;
        Ok(output)
    }
}

/// One pipeline's framing stage.
pub struct FramingStage {
    slot: StageSlot<Framing>,
    /// The audio format that the version with this digest wants.
    format: Option<(Digest, Format)>,
    in_flight: InFlight,
}

impl FramingStage {
    /// Opens the stage and asks which audio format it wants.
    ///
    /// # Errors
    /// [`StageError`] of `instantiate`, `open` or `audio-format`.
    pub async fn open(
        runtime: &StageRuntime,
        component: Arc<StageComponent>,
        opening: Opening,
    ) -> Result<Self, StageError> {
        let mut stage = Self::new(StageSlot::open(runtime, component, opening).await?);
        stage.ask_format().await?;
        Ok(stage)
    }

    /// Like [`open`](Self::open), but if the stage does not open, the start is tried again later, and original audio goes on air
    /// meanwhile. For pipelines that were accepted before and must run.
    pub async fn resume(runtime: &StageRuntime, component: Arc<StageComponent>, opening: Opening) -> Self {
        let mut stage = Self::new(StageSlot::resume(runtime, component, opening).await);
        let _ = stage.ask_format().await;
        stage
    }

    fn new(slot: StageSlot<Framing>) -> Self {
        Self { slot, format: None, in_flight: InFlight::default() }
    }

    /// The audio format that `encode` wants. The default, if the stage fails to answer, is fMP4.
    pub async fn audio_format(&mut self) -> Answer<Format> {
        let result = self.ask_format().await;
        self.slot.answer(result, || Format::Fmp4)
    }

    /// Tells the stage of a new connection. The default is to send nothing and to allow fragments.
    pub async fn on_connect(&mut self, connection: &Connection) -> Answer<Greeting> {
        let greeting = self.slot.call(&(), Input::Connect(connection.clone())).await.map(|output| match output {
            Output::Greeting(greeting) => greeting,
            _ => quiet(),
        });
        self.slot.answer(greeting, quiet)
    }

    /// Encodes a fragment as messages. The default is none: the batch then goes on air with its original audio.
    pub async fn encode(&mut self, fragment: &Fragment, audio: Bytes) -> Answer<Vec<Message>> {
        let input = Input::Encode { fragment: fragment.clone(), audio };
        self.in_flight.note_fresh_starts(self.slot.fresh_starts());
        let messages = self.slot.call(&(), input).await.map(|output| match output {
            Output::Messages(messages) => messages,
            _ => Vec::new(),
        });
        self.in_flight.note_fresh_starts(self.slot.fresh_starts());
        if messages.as_ref().is_ok_and(|messages| !messages.is_empty()) {
            self.in_flight.sent(fragment);
        }
        self.slot.answer(messages, Vec::new)
    }

    /// Decodes a processor's message into events. The default is none. If a version with another dialect took over, replies to
    /// fragments of the version before it are decoded by that version.
    pub async fn decode(&mut self, message: Message, now_ms: u64) -> Answer<Vec<Event>> {
        self.in_flight.note_fresh_starts(self.slot.fresh_starts());
        if let Some(events) = self.ask_predecessor(&message, now_ms).await {
            return Answer { value: events, failure: None };
        }
        let events = self.slot.call(&(), Input::Decode { message, now_ms }).await.map(|output| match output {
            Output::Events(events) => events,
            _ => Vec::new(),
        });
        if let Ok(events) = &events {
            self.in_flight.answered(events);
        }
        self.slot.answer(events, Vec::new)
    }

    /// Decodes a message with the version before, if it is about one of that version's fragments.
    async fn ask_predecessor(&mut self, message: &Message, now_ms: u64) -> Option<Vec<Event>> {
        if !self.in_flight.awaits_predecessor_replies() {
            self.slot.drop_predecessor();
            return None;
        }
        let predecessor = self.slot.predecessor()?;
        let input = Input::Decode { message: message.clone(), now_ms };
        match Framing::perform_call(predecessor, &(), &input).await {
            Ok(Output::Events(events)) if self.in_flight.answered_by_predecessor(&events) => Some(events),
            _ => None,
        }
    }

    /// Tells the stage that the connection was lost; `reason` is the host's sentence.
    pub async fn on_disconnect(&mut self, reason: &str) -> Answer<()> {
        // What is still wanted is sent again over the next connection, by the version that is in use then.
        self.in_flight = InFlight::after(self.slot.fresh_starts());
        self.slot.drop_predecessor();
        let result = self.slot.call(&(), Input::Disconnect(reason.to_owned())).await.map(drop);
        self.slot.answer(result, || ())
    }

    /// True once after a version took over without state: the caller must call [`on_connect`](Self::on_connect) again.
    pub fn take_greeting_due(&mut self) -> bool {
        self.slot.take_fresh_start()
    }

    /// The last snapshot, to be stored in the journal.
    pub fn snapshot(&self) -> Option<&[u8]> {
        self.slot.snapshot()
    }

    /// Counts of the stage's calls, by outcome.
    pub fn counters(&self) -> &Arc<StageCounters> {
        self.slot.counters()
    }

    /// The component of the version that decides now.
    pub fn component(&self) -> &Arc<StageComponent> {
        self.slot.component()
    }

    async fn ask_format(&mut self) -> Result<Format, StageError> {
        let digest = self.slot.component().digest();
        match self.format {
            Some((of, format)) if of == digest => return Ok(format),
            _ => {}
        }
        let format = format_of(self.slot.current()).await?;
        self.format = Some((digest, format));
        Ok(format)
    }
}

impl Swappable for FramingStage {
    type Interface = Framing;

    fn slot(&mut self) -> &mut StageSlot<Framing> {
        &mut self.slot
    }
}

/// Asks a version which audio format it wants.
pub(super) async fn format_of(supervised: &mut SupervisedInstance<Framing>) -> Result<Format, StageError> {
    const CALL: &str = "audio-format";
    supervised.ensure_started(CALL).await?;
    let (meter, guest, store) = supervised.begin(CALL)?;
    let outcome = meter.run(guest.call_audio_format(store)).await;
    let format = supervised.finish_infallible(outcome)?;
    check::format(&format).map_err(|reason| supervised.reject(CALL, reason))?;
    Ok(format)
}

/// The host's default at a new connection: nothing is sent, and fragments may follow.
fn quiet() -> Greeting {
    Greeting { messages: Vec::new(), ready: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StageRuntimeConfig;

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
    async fn the_bundled_stage_encodes_and_decodes() {
        let runtime = StageRuntime::new(&StageRuntimeConfig { instances: 4, ..Default::default() }).unwrap();
        let component = runtime.bundled(StageKind::Framing).await.unwrap();
        let mut stage = FramingStage::open(&runtime, component, Opening::default()).await.unwrap();
        assert!(matches!(stage.audio_format().await.value, Format::Fmp4));

        let connection = Connection { stream_id: "cam".into(), attempt: 0, max_payload_bytes: None, now_ms: 0 };
        let greeting = stage.on_connect(&connection).await.value;
        assert!(greeting.ready && greeting.messages.is_empty());

        let audio = vec![7; 512 << 10];
        let sent = stage.encode(&fragment(), audio.clone().into()).await;
        assert!(!sent.is_default(), "{:?}", sent.failure);
        let [sent] = sent.value.try_into().unwrap();
        assert_eq!((sent.event.as_str(), &sent.attachments), ("fragment:data", &vec![audio.clone()]));

        // An echo.
        let reply = Message { event: "fragment:processed".into(), ..sent };
        let events = stage.decode(reply, 0).await;
        assert!(!events.is_default(), "{:?}", events.failure);
        let [Event::Processed(processed)] = <[Event; 1]>::try_from(events.value).unwrap() else { panic!() };
        assert_eq!((processed.fragment, processed.audio), (Reference::Id("cam-0".into()), audio));

        let garbage = Message { event: "fragment:ack".into(), arguments: "{".into(), attachments: vec![] };
        let heard = stage.decode(garbage, 0).await;
        assert!(heard.value.is_empty() && matches!(heard.failure, Some(StageError::Answered { .. })));
        assert!(!stage.on_disconnect("bye").await.is_default());
        let counts = stage.counters().read();
        assert_eq!((counts.calls, counts.errors, counts.defaults, counts.restarts), (6, 1, 1, 0));
    }
}
