//! Snapshots: JSON with the name of its writer, so that the state of another stage is rejected instead of misread.
//!
//! Increase LAYOUT when the state changes in such a way that old snapshots cannot be read any more.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The format is that of {{like}}, so that each of the two stages can take over from the other on air.
const STAGE: &str = "{{like}}";
const LAYOUT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Snapshot<T> {
    stage: String,
    layout: u32,
    state: T,
}

pub fn write<T: Serialize>(state: &T) -> Vec<u8> {
    serde_json::to_vec(&Snapshot { stage: STAGE.to_owned(), layout: LAYOUT, state }).unwrap_or_default()
}

/// Fails with a sentence that says why the snapshot cannot be read.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let found: Snapshot<serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|error| format!("this is not a snapshot: {error}"))?;
    if (found.stage.as_str(), found.layout) != (STAGE, LAYOUT) {
        return Err(format!(
            "the snapshot is {:?}, layout {}; this stage reads {STAGE:?}, layout {LAYOUT}",
            found.stage, found.layout
        ));
    }
    serde_json::from_value(found.state).map_err(|error| format!("the snapshot's state is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_here_is_read() {
        assert_eq!(read::<Vec<u64>>(&write(&vec![1_u64, 2])), Ok(vec![1, 2]));
        assert!(read::<u64>(b"?").unwrap_err().contains("not a snapshot"));
        assert!(read::<u64>(br#"{"stage":"x","layout":1,"state":1}"#).unwrap_err().contains("\"x\""));
        assert!(read::<u64>(&write(&"text")).unwrap_err().contains("damaged"));
    }
}
