//! What the stages of all kinds have in common for whoever swaps them.

use super::occupant::Perform;
use super::seat::Seat;

/// A stage with a seat, in which versions follow each other.
pub(super) trait Seated {
    /// Of which kind.
    type Kind: Perform;

    /// The seat.
    fn seat(&mut self) -> &mut Seat<Self::Kind>;

    /// After another version took over: what the stage itself remembers may have to be told to it.
    fn settle_in(&mut self) {}
}
