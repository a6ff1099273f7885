//! See `swaps::crowd`.

#[test]
fn a_hundred_spinning_stages_do_not_hold_up_a_quick_one() {
    crate::swaps::crowd::a_quick_stage_is_quick();
}
