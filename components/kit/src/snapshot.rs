//! Snapshots: JSON that says which stage and which layout wrote it.
//!
//! In and out: the bytes of `snapshot` and of `open`'s `state`. The layout number rises when old state cannot be read
//! as it is; a stage that knows how to go on from an older layout reads it itself.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Serialize)]
struct Outgoing<'a, T> {
    stage: &'a str,
    layout: u32,
    state: &'a T,
}

#[derive(Deserialize)]
struct Label {
    stage: String,
    layout: u32,
}

#[derive(Deserialize)]
struct Incoming<T> {
    state: T,
}

/// Writes `state` under the stage's name and layout number.
pub fn write<T: Serialize>(stage: &str, layout: u32, state: &T) -> Vec<u8> {
    // State is made of numbers, strings and lists, which always become JSON; were it not so, an empty snapshot would be
    // refused by `read`, with the reason.
    serde_json::to_vec(&Outgoing { stage, layout, state }).unwrap_or_default()
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// A sentence: not a snapshot, another stage's, another layout, or a state that does not fit it.
pub fn read<T: DeserializeOwned>(stage: &str, layout: u32, bytes: &[u8]) -> Result<T, String> {
    let label: Label = serde_json::from_slice(bytes).map_err(|error| format!("this is not a snapshot: {error}"))?;
    if label.stage != stage {
        return Err(format!("the snapshot is one of {:?}, this is {stage:?}", label.stage));
    }
    if label.layout != layout {
        return Err(format!("the snapshot has layout {}, this version reads {layout}", label.layout));
    }
    let Incoming { state } =
        serde_json::from_slice(bytes).map_err(|error| format!("the snapshot's state is damaged: {error}"))?;
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let bytes = write("s", 1, &vec![1_u64, u64::MAX]);
        assert_eq!(read::<Vec<u64>>("s", 1, &bytes), Ok(vec![1, u64::MAX]));
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        let bytes = write("s", 1, &1_u64);
        assert!(read::<u64>("t", 1, &bytes).unwrap_err().contains("one of \"s\", this is \"t\""));
        assert!(read::<u64>("s", 2, &bytes).unwrap_err().contains("layout 1, this version reads 2"));
        assert!(read::<String>("s", 1, &bytes).unwrap_err().contains("damaged"));
        assert!(read::<u64>("s", 1, b"\xff").unwrap_err().contains("not a snapshot"));
        assert!(read::<u64>("s", 1, b"").unwrap_err().contains("not a snapshot"));
    }
}
