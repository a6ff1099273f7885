//! Macros that export the functions of the contract and convert between this crate's types and those of `wit-bindgen`.
//!
//! `wit-bindgen` generates its types in each stage anew, so code that uses them can be shared by macros only. A macro is called in a
//! module that has the bindings as `bindings`, the stage as `Stage` and its settings as `settings`.

/// Exports `lifecycle`. The stage's state is one `$state`, which `open` creates by `$state::new(settings, state)` and `snapshot`
/// serialises by `$state::snapshot`. Defines `with_state`, with which the other functions use it.
#[macro_export]
macro_rules! lifecycle {
    ($state:ty) => {
        use bindings::exports::outboard::stage::lifecycle;
        use bindings::outboard::stage::types::{Error, Problem};

        thread_local! {
            static STATE: std::cell::RefCell<Option<$state>> = const { std::cell::RefCell::new(None) };
        }

        impl lifecycle::Guest for Stage {
            fn describe() -> lifecycle::Description {
                lifecycle::Description {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    summary: env!("CARGO_PKG_DESCRIPTION").to_owned(),
                    settings_schema: settings::schema(),
                }
            }

            fn open(settings: String, state: Option<Vec<u8>>) -> Result<(), Error> {
                let settings = settings::Settings::read(&settings).map_err(|problems| {
                    let problem = |one: $crate::settings::Problem| Problem { path: one.path, message: one.message };
                    Error::InvalidSettings(problems.into_iter().map(problem).collect())
                })?;
                let opened = <$state>::new(settings, state.as_deref()).map_err(Error::UnreadableState)?;
                STATE.set(Some(opened));
                Ok(())
            }

            fn snapshot() -> Vec<u8> {
                STATE.with_borrow(|state| state.as_ref().map(<$state>::snapshot).unwrap_or_default())
            }
        }

        fn with_state<T>(work: impl FnOnce(&mut $state) -> T) -> Result<T, Error> {
            STATE.with_borrow_mut(|state| match state {
                Some(state) => Ok(work(state)),
                None => Err(Error::Other("the stage was not opened".to_owned())),
            })
        }
    };
}

/// Exports a batching stage: [`lifecycle!`] and `batching`, by the methods `push` and `flush` of `$batcher`.
#[macro_export]
macro_rules! batching_stage {
    ($batcher:ty) => {
        $crate::lifecycle!($batcher);
        use bindings::exports::outboard::stage::batching as wit;
        use $crate::batching as kit;

        impl wit::Guest for Stage {
            fn push(segment: wit::Segment) -> Result<Vec<wit::Cut>, Error> {
                with_state(|batcher| {
                    let cuts = batcher.push(kit::Segment {
                        index: segment.index,
                        duration_us: segment.duration_us,
                        discontinuity: segment.discontinuity,
                        program_date_time_us: segment.program_date_time_us,
                        cue: segment.cues.iter().any(|cue| match cue {
                            wit::Cue::Other(tag) => kit::is_border(tag),
                            wit::Cue::Out(_) | wit::Cue::In => true,
                        }),
                    });
                    cuts.into_iter().map(cut).collect()
                })
            }

            fn flush() -> Result<Option<wit::Cut>, Error> {
                with_state(|batcher| batcher.flush().map(cut))
            }
        }

        fn cut(cut: kit::Cut) -> wit::Cut {
            let reason = match cut.reason {
                kit::Reason::Length => wit::Reason::Length,
                kit::Reason::Discontinuity => wit::Reason::Discontinuity,
                kit::Reason::Cue => wit::Reason::Cue,
                kit::Reason::Aligned => wit::Reason::Aligned,
                kit::Reason::Flush => wit::Reason::Flush,
                kit::Reason::Other => wit::Reason::Other,
            };
            wit::Cut { first: cut.first, last: cut.last, reason }
        }
    };
}

/// Defines the conversions of a framing stage's answers to the contract's types: `to_wit` for messages, `event` for events.
#[macro_export]
macro_rules! framing_answers {
    () => {
        use bindings::exports::outboard::stage::framing as wit;
        use bindings::outboard::stage::types::Level;
        use $crate::framing::{Event, Message, Reference};

        fn event(event: Event) -> wit::Event {
            match event {
                Event::Ready => wit::Event::Ready,
                Event::Acknowledged(fragment) => wit::Event::Acknowledged(reference(fragment)),
                Event::Processed { fragment, audio, metadata } => {
                    wit::Event::Processed(wit::Processed { fragment: reference(fragment), audio, metadata })
                }
                Event::Failed { fragment, reason, retryable } => {
                    wit::Event::Failed(wit::Failure { fragment: fragment.map(reference), reason, retryable })
                }
                Event::Pause => wit::Event::Pause,
                Event::Resume => wit::Event::Resume,
                Event::SlowDown(ms) => wit::Event::SlowDown(ms),
                Event::Reply(message) => wit::Event::Reply(to_wit(message)),
                Event::Note { warn, text } => {
                    wit::Event::Note(wit::Note { level: if warn { Level::Warn } else { Level::Info }, text })
                }
            }
        }

        fn to_wit(message: Message) -> wit::Message {
            wit::Message { event: message.event, arguments: message.arguments, attachments: message.attachments }
        }

        fn from_wit(message: wit::Message) -> Message {
            Message { event: message.event, arguments: message.arguments, attachments: message.attachments }
        }

        fn reference(reference: Reference) -> wit::Reference {
            match reference {
                Reference::Id(id) => wit::Reference::Id(id),
                Reference::Batch(batch) => wit::Reference::Batch(batch),
            }
        }
    };
}

/// Exports a remux-planning stage: [`lifecycle!`] and `remux-planning`, by `planner::plan`. Plans do not depend on earlier ones, so the
/// snapshot has no state; `$origin` names its writer.
#[macro_export]
macro_rules! remux_stage {
    ($origin:expr) => {
        use bindings::exports::outboard::stage::remux_planning as wit;
        use $crate::remux as kit;

        struct Opened(settings::Settings);

        impl Opened {
            /// Checks who wrote the state; its content is ignored.
            fn new(settings: settings::Settings, state: Option<&[u8]>) -> Result<Self, String> {
                if let Some(state) = state {
                    kit::check_state(state)?;
                }
                Ok(Self(settings))
            }

            fn snapshot(&self) -> Vec<u8> {
                $crate::snapshot::write($origin, &())
            }
        }

        $crate::lifecycle!(Opened);

        impl wit::Guest for Stage {
            fn plan(facts: wit::Facts) -> Result<wit::RemuxPlan, Error> {
                with_state(|opened| answer(planner::plan(&opened.0, &read(&facts))))
            }
        }

        fn read(facts: &wit::Facts) -> kit::Facts {
            let reply = match &facts.reply {
                wit::Reply::Returned(audio) => Ok(kit::Returned {
                    duration_us: audio.duration_us,
                    sample_rate_hz: audio.sample_rate_hz,
                    channels: audio.channels,
                    copyable: audio.copyable,
                }),
                wit::Reply::Absent(why) => Err(reason(why)),
            };
            kit::Facts {
                audio: facts.audio.as_ref().map(|audio| kit::Audio {
                    duration_us: audio.duration_us,
                    sample_rate_hz: audio.sample_rate_hz,
                    channels: audio.channels,
                    packet_us: audio.packet_us,
                }),
                reply,
                not_sent: matches!(facts.reply, wit::Reply::Absent(wit::Absence::NotSent)),
                max_stretch_permille: facts.policy.max_stretch_permille,
                max_gain_centibel: facts.policy.max_gain_centibel,
            }
        }

        fn reason(why: &wit::Absence) -> String {
            match why {
                wit::Absence::Late => "no reply in time".to_owned(),
                wit::Absence::Failed(why) => format!("the processor failed: {why}"),
                wit::Absence::Invalid(why) => format!("the reply could not be used: {why}"),
                wit::Absence::Disconnected => "the processor was not connected".to_owned(),
                wit::Absence::BreakerOpen => {
                    "the processor failed too often, and nothing is sent to it for a while".to_owned()
                }
                wit::Absence::TooLarge(why) => format!("the fragment is too large for the processor: {why}"),
                wit::Absence::NotSent => "nothing was sent to the processor".to_owned(),
            }
        }

        fn answer(plan: kit::Plan) -> wit::RemuxPlan {
            wit::RemuxPlan {
                audio: match plan.choice {
                    kit::Choice::None => wit::AudioChoice::None,
                    kit::Choice::Original => wit::AudioChoice::Original,
                    kit::Choice::Processed => wit::AudioChoice::Processed,
                    kit::Choice::Mix { original_centibel, processed_centibel, ramp_ms } => {
                        wit::AudioChoice::Mix(wit::Mix {
                            original_gain_centibel: original_centibel,
                            processed_gain_centibel: processed_centibel,
                            ramp_ms,
                        })
                    }
                },
                coding: plan.encode.map_or(wit::Coding::Copy, wit::Coding::Encode),
                stretch_permille: plan.stretch_permille,
                fit: if plan.trim_or_pad { wit::Fit::TrimOrPad } else { wit::Fit::Leave },
                offset_us: 0,
                note: plan.note,
                marked: plan.marked,
            }
        }
    };
}
