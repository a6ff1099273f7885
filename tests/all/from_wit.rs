//! The recipes of docs/stages-from-wit.md: the batching stages in C and in Go that `scripts/stages` builds from the
//! page work in the host. Without their tools they are not built, and the test reports that.

use outboard::stage::batching::{Cut, Reason, Segment};
use outboard::stage::{BatchingStage, Opening, StageError, StageKind};
use outboard_tests::authored::{built, load, runtime};

fn segment(index: u64) -> Segment {
    Segment {
        index,
        media_sequence: index,
        duration_us: 4_000_000,
        size_bytes: 1,
        discontinuity: index == 4,
        program_date_time_us: Some(1_700_000_000_000_000),
        cues: vec![],
    }
}

fn opening(state: Option<Vec<u8>>) -> Opening {
    Opening { state, ..Opening::default() }
}

#[tokio::test]
async fn stages_that_were_made_of_nothing_but_the_wit_decide() {
    for name in ["c-batching", "go-batching"] {
        if !built(name) {
            eprintln!("SKIPPED: {name} was not built, for its tools cannot be had here");
            continue;
        }
        let component = load(name).await;
        assert_eq!(component.kind(), StageKind::Batching, "{name}");
        let mut stage = BatchingStage::open(runtime(), component.clone(), opening(None), 30).await.unwrap();
        let mut cuts: Vec<Cut> = Vec::new();
        for index in 0..6 {
            // Another instance resumes in the middle of a batch.
            if index == 2 {
                let state = stage.snapshot().map(<[u8]>::to_vec);
                stage = BatchingStage::open(runtime(), component.clone(), opening(state), 30).await.unwrap();
                for known in 0..2 {
                    cuts.extend(stage.push(segment(known)).await.value);
                }
            }
            let answer = stage.push(segment(index)).await;
            assert!(!answer.is_default(), "{name}: {:?}", answer.failure);
            cuts.extend(answer.value);
        }
        let flushed = stage.flush().await;
        assert!(!flushed.is_default(), "{name}: {:?}", flushed.failure);
        cuts.extend(flushed.value);
        let cut = |first, last, reason| Cut { first, last, reason };
        let wanted = [cut(0, 2, Reason::Length), cut(3, 3, Reason::Discontinuity), cut(4, 5, Reason::Flush)];
        assert_eq!(cuts, wanted, "{name}");
        let foreign = opening(Some(b"{not ours".to_vec()));
        let refused = BatchingStage::open(runtime(), component, foreign, 30).await.err().unwrap();
        assert!(matches!(refused, StageError::Answered { .. }) && refused.is_unreadable_state(), "{name}: {refused}");
    }
}
