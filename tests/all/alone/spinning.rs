//! A hundred stages that spin, each of another tenant, beside one that is quick.

use std::time::Duration;

use crate::swaps::crowd::{CROWD, measured};

/// Limit for a call of the quick stage.
const WITHIN: Duration = Duration::from_millis(50);

#[test]
fn a_hundred_spinning_stages_do_not_hold_up_a_quick_one() {
    let (median, most) = measured();
    eprintln!("beside {CROWD} stages that spin: median {median:?}, 99 of 100 within {most:?}");
    assert!(most <= WITHIN, "{most:?}");
}
