//! `batching-duration`: batches of a wanted length. WIT glue only; see `batcher.rs` for the rule.

pub mod batcher;
pub mod settings;

#[cfg(target_family = "wasm")]
mod glue {
    #[expect(unsafe_code, reason = "generated from wit/")]
    mod bindings {
        wit_bindgen::generate!({ path: "../../wit", world: "batching-stage" });
        export!(Stage with_types_in self);
        use super::Stage;
    }

    use crate::batcher::Batcher;
    use crate::settings::{self, Settings};
    use bindings::exports::outboard::stage::{batching, lifecycle};
    use bindings::outboard::stage::types::{Error, Problem};
    use stage_kit::batching as kit;
    use std::cell::RefCell;

    thread_local! {
        static BATCHER: RefCell<Option<Batcher>> = const { RefCell::new(None) };
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
            let batcher = Batcher::new(settings, state.as_deref()).map_err(Error::UnreadableState)?;
            BATCHER.set(Some(batcher));
            Ok(())
        }

        fn snapshot() -> Vec<u8> {
            BATCHER.with_borrow(|batcher| batcher.as_ref().map(Batcher::snapshot).unwrap_or_default())
        }
    }

    impl batching::Guest for Stage {
        fn push(segment: batching::Segment) -> Result<Vec<batching::Cut>, Error> {
            with_batcher(|batcher| {
                let cuts = batcher.push(kit::Segment {
                    index: segment.index,
                    duration_us: segment.duration_us,
                    discontinuity: segment.discontinuity,
                    program_date_time_us: segment.program_date_time_us,
                    cue: !segment.cues.is_empty(),
                });
                cuts.into_iter().map(cut).collect()
            })
        }

        fn flush() -> Result<Option<batching::Cut>, Error> {
            with_batcher(|batcher| batcher.flush().map(cut))
        }
    }

    fn with_batcher<T>(work: impl FnOnce(&mut Batcher) -> T) -> Result<T, Error> {
        BATCHER.with_borrow_mut(|batcher| match batcher {
            Some(batcher) => Ok(work(batcher)),
            None => Err(Error::Other("the stage was not opened".to_owned())),
        })
    }

    fn cut(cut: kit::Cut) -> batching::Cut {
        let reason = match cut.reason {
            kit::Reason::Length => batching::Reason::Length,
            kit::Reason::Discontinuity => batching::Reason::Discontinuity,
            kit::Reason::Cue => batching::Reason::Cue,
            kit::Reason::Aligned => batching::Reason::Aligned,
            kit::Reason::Flush => batching::Reason::Flush,
            kit::Reason::Other => batching::Reason::Other,
        };
        batching::Cut { first: cut.first, last: cut.last, reason }
    }
}
