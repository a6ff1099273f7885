//! `remux-replace`: the processed audio takes the original's place. WIT glue only; see `planner.rs` for the rule.

pub mod planner;
pub mod settings;

#[cfg(target_family = "wasm")]
mod glue {
    #[expect(unsafe_code, reason = "generated from wit/")]
    mod bindings {
        wit_bindgen::generate!({ path: "../../wit", world: "remux-planning-stage" });
        export!(Stage with_types_in self);
        use super::Stage;
    }

    use crate::planner;
    use crate::settings::{self, Settings};
    use bindings::exports::outboard::stage::{lifecycle, remux_planning as wit};
    use bindings::outboard::stage::types::{Error, Problem};
    use serde::de::IgnoredAny;
    use stage_kit::remux::{self, Choice, READABLE};
    use stage_kit::snapshot;
    use std::cell::Cell;

    thread_local! {
        static SETTINGS: Cell<Option<Settings>> = const { Cell::new(None) };
    }

    struct Stage;

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
            let settings = Settings::read(&settings).map_err(|problems| {
                Error::InvalidSettings(
                    problems.into_iter().map(|p| Problem { path: p.path, message: p.message }).collect(),
                )
            })?;
            if let Some(state) = state {
                // Plans do not depend on earlier ones: what a stage that took over in between has put in is let go.
                snapshot::read::<IgnoredAny>(READABLE, &state).map_err(Error::UnreadableState)?;
            }
            SETTINGS.set(Some(settings));
            Ok(())
        }

        fn snapshot() -> Vec<u8> {
            // Plans do not depend on earlier ones: there is nothing to remember.
            snapshot::write(remux::REPLACE, &())
        }
    }

    impl wit::Guest for Stage {
        fn plan(facts: wit::Facts) -> Result<wit::RemuxPlan, Error> {
            let settings = SETTINGS.get().ok_or_else(|| Error::Other("the stage was not opened".to_owned()))?;
            Ok(answer(planner::plan(&settings, &read(&facts))))
        }
    }

    fn read(facts: &wit::Facts) -> remux::Facts {
        let reply = match &facts.reply {
            wit::Reply::Returned(audio) => Ok(remux::Returned {
                duration_us: audio.duration_us,
                sample_rate_hz: audio.sample_rate_hz,
                channels: audio.channels,
                copyable: audio.copyable,
            }),
            wit::Reply::Absent(why) => Err(reason(why)),
        };
        remux::Facts {
            audio: facts.audio.as_ref().map(|audio| remux::Audio {
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
            wit::Absence::BreakerOpen => "the processor failed too often and rests".to_owned(),
            wit::Absence::TooLarge(why) => format!("the fragment is too large for the processor: {why}"),
            wit::Absence::NotSent => "nothing was sent to the processor".to_owned(),
        }
    }

    fn answer(plan: remux::Plan) -> wit::RemuxPlan {
        wit::RemuxPlan {
            audio: match plan.choice {
                Choice::None => wit::AudioChoice::None,
                Choice::Original => wit::AudioChoice::Original,
                Choice::Processed => wit::AudioChoice::Processed,
                Choice::Mix { original_centibel, processed_centibel, ramp_ms } => wit::AudioChoice::Mix(wit::Mix {
                    original_gain_centibel: original_centibel,
                    processed_gain_centibel: processed_centibel,
                    ramp_ms,
                }),
            },
            coding: plan.encode.map_or(wit::Coding::Copy, wit::Coding::Encode),
            stretch_permille: plan.stretch_permille,
            fit: if plan.trim_or_pad { wit::Fit::TrimOrPad } else { wit::Fit::Leave },
            offset_us: 0,
            note: plan.note,
            marked: plan.marked,
        }
    }
}
