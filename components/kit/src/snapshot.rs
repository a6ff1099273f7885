//! Snapshots: JSON with the name of the stage that wrote it and the number of its layout.
//!
//! In and out: the bytes of `snapshot` and of `open`'s `state`. A stage reads its own layouts and those of the stages that it
//! names. Readers ignore unknown fields, and a new field has a default. The layout number increases only if old state cannot be read
//! any more.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The writer of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The name of the stage.
    pub stage: &'static str,
    /// The number of the state's layout.
    pub layout: u32,
}

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

/// Serialises `state` as a snapshot of `origin`.
pub fn write<T: Serialize>(origin: Origin, state: &T) -> Vec<u8> {
    let Origin { stage, layout } = origin;
    // State consists of numbers, strings and lists, which can always be serialised. If one could not, `read` would reject the empty
    // snapshot.
    serde_json::to_vec(&Outgoing { stage, layout, state }).unwrap_or_default()
}

/// Reads a snapshot that one of `readable` wrote.
///
/// # Errors
/// A sentence if it is not a snapshot, if its stage or layout is not among `readable`, or if its state cannot be parsed.
pub fn read<T: DeserializeOwned>(readable: &[Origin], bytes: &[u8]) -> Result<T, String> {
    let label: Label = serde_json::from_slice(bytes).map_err(|error| format!("this is not a snapshot: {error}"))?;
    let of_stage: Vec<Origin> = readable.iter().copied().filter(|origin| origin.stage == label.stage).collect();
    if of_stage.is_empty() {
        let mut stages: Vec<_> = readable.iter().map(|origin| format!("{:?}", origin.stage)).collect();
        stages.dedup();
        return Err(format!("the snapshot is one of {:?}; those of {} can be read", label.stage, stages.join(" and ")));
    }
    if of_stage.iter().all(|origin| origin.layout != label.layout) {
        let layouts: Vec<_> = of_stage.iter().map(|origin| origin.layout.to_string()).collect();
        return Err(format!(
            "the snapshot of {:?} has layout {}; layout {} can be read",
            label.stage,
            label.layout,
            layouts.join(" and ")
        ));
    }
    let Incoming { state } =
        serde_json::from_slice(bytes).map_err(|error| format!("the snapshot's state is damaged: {error}"))?;
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Origin = Origin { stage: "s", layout: 1 };
    const S2: Origin = Origin { stage: "s", layout: 2 };
    const T: Origin = Origin { stage: "t", layout: 1 };

    #[test]
    fn what_was_written_is_read_by_whoever_names_its_writer() {
        let bytes = write(S, &vec![1_u64, u64::MAX]);
        for readable in [&[S][..], &[S2, S], &[T, S]] {
            assert_eq!(read::<Vec<u64>>(readable, &bytes), Ok(vec![1, u64::MAX]));
        }
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        let bytes = write(S, &1_u64);
        let other = read::<u64>(&[T], &bytes).unwrap_err();
        assert!(other.contains("one of \"s\"; those of \"t\" can be read"), "{other}");
        let later = read::<u64>(&[T, S2], &bytes).unwrap_err();
        assert!(later.contains("has layout 1; layout 2 can be read"), "{later}");
        assert!(read::<String>(&[S], &bytes).unwrap_err().contains("damaged"));
        assert!(read::<u64>(&[S], b"\xff").unwrap_err().contains("not a snapshot"));
        assert!(read::<u64>(&[S], b"").unwrap_err().contains("not a snapshot"));
    }
}
