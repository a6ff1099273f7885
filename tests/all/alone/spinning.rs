//! Stages that spin, a hundred of them and each another tenant's, beside one that is quick.

use std::time::Duration;

use crate::swaps::crowd::{CROWD, measured};

/// For an answer of the quick one.
const WITHIN: Duration = Duration::from_millis(50);

#[test]
fn a_hundred_spinning_stages_do_not_hold_up_a_quick_one() {
    let (median, most) = measured();
    eprintln!("beside {CROWD} stages that spin: median {median:?}, 99 of 100 within {most:?}");
    assert!(most <= WITHIN, "{most:?}");
}
