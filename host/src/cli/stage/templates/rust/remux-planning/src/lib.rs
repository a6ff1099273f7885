//! {{name}}: a remux-planning stage for Outboard. Only the contract's calls are here; the rule is in `planner.rs`.

mod planner;
mod settings;
mod snapshot;

mod contract {
    wit_bindgen::generate!({
        path: "wit",
        world: "remux-planning-stage",
        additional_derives: [PartialEq],
        pub_export_macro: true,
        default_bindings_module: "crate::contract",
    });
}

use contract::exports::outboard::stage::{lifecycle, remux_planning};
use contract::outboard::stage::types::Error;
use planner::Planner;
use settings::Settings;
use std::cell::RefCell;

thread_local! {
    // One instance serves one pipeline, so its state can be kept here.
    static PLANNER: RefCell<Option<Planner>> = const { RefCell::new(None) };
}

struct Stage;

// Only the component has exports; the tests need the types only.
#[cfg(target_family = "wasm")]
contract::export!(Stage);

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
        let settings = Settings::read(&settings).map_err(Error::InvalidSettings)?;
        let planner = Planner::new(settings, state.as_deref()).map_err(Error::UnreadableState)?;
        PLANNER.set(Some(planner));
        Ok(())
    }

    fn snapshot() -> Vec<u8> {
        PLANNER.with_borrow(|planner| planner.as_ref().map(Planner::snapshot).unwrap_or_default())
    }
}

impl remux_planning::Guest for Stage {
    fn plan(facts: remux_planning::Facts) -> Result<remux_planning::RemuxPlan, Error> {
        PLANNER.with_borrow_mut(|planner| match planner {
            Some(planner) => Ok(planner.plan(&facts)),
            None => Err(Error::Other("not opened".to_owned())),
        })
    }
}
