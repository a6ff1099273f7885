//! A pipeline's seat for a stage: the version that decides now, and the one that takes over when it fails.
//!
//! A new version is cut over between two calls ([`Seat::cut_over`]) and is on probation for some batches: the old one is
//! given every input too, so that it can answer the very call in which the new one fails, and take over again. After
//! the probation the old version is kept as a recipe. Each call comes back with an answer or with the reason why there is
//! none; who then answers is the kind's affair.

use super::calls::Taped;
use super::component::StageComponent;
use super::counters::StageCounters;
use super::error::StageError;
use super::evidence::Witness;
use super::face::{Face, Seated, Trial, TrialEnd};
use super::failure;
use super::instance::Instance;
use super::kind::ComponentLabel;
use super::occupant::{Occupant, Perform, Recipe};
use super::opening::{FailurePolicy, Opening};
use super::runtime::StageRuntime;
use super::tape::Tape;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The answer to a call: the stage's own, or the host's default with the reason.
#[derive(Debug)]
pub struct Answer<T> {
    /// What to do.
    pub value: T,
    /// Why the host's default answered; absent if the stage did.
    pub failure: Option<StageError>,
}

impl<T> Answer<T> {
    /// Whether the host's default answered.
    pub fn is_default(&self) -> bool {
        self.failure.is_some()
    }
}

/// A version that is ready to be cut over to: an instance was started, which waits to be opened.
pub(super) struct Candidate<K: Perform> {
    pub(super) recipe: Recipe,
    pub(super) instance: Instance<K::Guest>,
    /// It starts from nothing, not from the running version's state.
    pub(super) fresh: bool,
    /// Batches of its probation.
    pub(super) probation: u32,
}

/// The old version, beside the new one.
struct Probation<K: Perform> {
    old: Occupant<K>,
    fresh: bool,
    /// The old version is not where the new one is; taking over, it starts from nothing.
    behind: bool,
    trial: Trial,
    report: watch::Sender<Trial>,
}

pub(super) struct Seat<K: Perform> {
    current: Occupant<K>,
    probation: Option<Probation<K>>,
    previous: Option<Recipe>,
    on_failure: FailurePolicy,
    witness: Witness,
    tape: Tape<K>,
    face: Arc<Face>,
    /// Whoever sits here now knows nothing of what was before.
    anew: bool,
    /// Who sat here before somebody took the seat anew: it alone understands what comes back to it.
    former: Option<Occupant<K>>,
    /// How often somebody took the seat anew.
    turns: u64,
}

impl<K: Perform> Seat<K> {
    /// Opens the first instance.
    ///
    /// # Errors
    /// Whatever kept the stage from opening; the caller decides what that means.
    pub(super) async fn open(
        runtime: &StageRuntime,
        component: Arc<StageComponent>,
        opening: Opening,
    ) -> Result<Self, StageError> {
        let recipe = Recipe::new(runtime, component, &opening);
        let occupant = Occupant::open(recipe, opening.state.clone()).await?;
        Ok(Self::new(occupant, opening))
    }

    /// Opens the first instance if it can; else the host's defaults answer until a later start succeeds.
    pub(super) async fn resume(runtime: &StageRuntime, component: Arc<StageComponent>, opening: Opening) -> Self {
        let recipe = Recipe::new(runtime, component, &opening);
        let occupant = Occupant::resume(recipe, opening.state.clone()).await;
        Self::new(occupant, opening)
    }

    fn new(current: Occupant<K>, opening: Opening) -> Self {
        let recipe = current.recipe();
        let previous = opening.previous.map(|(component, settings)| Recipe { component, settings, ..recipe.clone() });
        let face = Arc::new(Face::new(Seated {
            component: current.component().clone(),
            counters: current.counters().clone(),
            previous: previous.as_ref().map(|recipe| recipe.component.label()),
            trial: None,
            fell_back: None,
            stop: None,
        }));
        let (on_failure, witness) = (opening.on_failure, opening.witness);
        let tape = Tape::default();
        Self {
            current,
            probation: None,
            previous,
            on_failure,
            witness,
            tape,
            face,
            anew: false,
            former: None,
            turns: 0,
        }
    }

    pub(super) fn component(&self) -> &Arc<StageComponent> {
        self.current.component()
    }

    pub(super) fn counters(&self) -> &Arc<StageCounters> {
        self.current.counters()
    }

    /// What is seen of it from outside.
    pub(super) fn face(&self) -> &Arc<Face> {
        &self.face
    }

    /// The last snapshot: what a restart or another version goes on from.
    pub(super) fn snapshot(&self) -> Option<&[u8]> {
        self.current.snapshot()
    }

    /// How the version that sits here is started.
    pub(super) fn recipe(&self) -> &Recipe {
        self.current.recipe()
    }

    /// The last calls, oldest first.
    pub(super) fn tape(&self) -> Vec<Taped<K::Input>> {
        self.tape.calls()
    }

    /// Where evidence goes.
    pub(super) fn witness(&self) -> &Witness {
        &self.witness
    }

    /// True once after somebody took this seat who knows nothing of what was before.
    pub(super) fn take_anew(&mut self) -> bool {
        std::mem::take(&mut self.anew)
    }

    /// Who sat here before somebody took the seat anew, where the kind keeps it ([`KEEPS_FORMER`](super::calls::Kind::KEEPS_FORMER)).
    pub(super) fn former(&mut self) -> Option<&mut Occupant<K>> {
        match &mut self.probation {
            Some(probation) if probation.fresh && K::KEEPS_FORMER => Some(&mut probation.old),
            _ => self.former.as_mut(),
        }
    }

    /// Nothing comes back any more to who sat here before.
    pub(super) fn let_former_go(&mut self) {
        self.former = None;
    }

    /// How often somebody took the seat anew.
    pub(super) fn turns(&self) -> u64 {
        self.turns
    }

    /// The version that sits here, for calls that change nothing and are not kept.
    pub(super) fn current(&mut self) -> &mut Occupant<K> {
        &mut self.current
    }

    /// Makes a call: by the version that sits here; where that fails, by the one before it.
    pub(super) async fn call(&mut self, books: &K::Books, input: K::Input) -> Result<K::Output, StageError> {
        let (input, began) = (Arc::new(input), Instant::now());
        let result = K::perform(&mut self.current, books, &input).await;
        let took = began.elapsed();
        self.tape.record(input.clone(), took);
        match result {
            Ok(output) => {
                self.shadow(books, &input, &output).await;
                Ok(output)
            }
            Err(error) => self.failed(books, &input, error, took).await,
        }
    }

    /// The stage's answer, or the default in its place.
    pub(super) fn answer<T>(&self, result: Result<T, StageError>, default: impl FnOnce() -> T) -> Answer<T> {
        match result {
            Ok(value) => Answer { value, failure: None },
            Err(error) => {
                self.current.counters().default_answered();
                Answer { value: default(), failure: Some(error) }
            }
        }
    }

    // --- probation ---

    /// Lets another version decide from the next call on. Where it cannot open, nothing changes.
    ///
    /// # Errors
    /// [`StageError`] of `open` or `snapshot`, such as a state that it cannot read; [`StageError::Host`] while another
    /// version is on probation.
    pub(super) async fn cut_over(&mut self, candidate: Candidate<K>) -> Result<watch::Receiver<Trial>, StageError> {
        if self.probation.is_some() {
            let reason = "another version is on probation".to_owned();
            return Err(StageError::Host { call: "open", reason });
        }
        let Candidate { recipe, instance, fresh, probation } = candidate;
        let state = self.current.snapshot().filter(|_| !fresh).map(<[u8]>::to_vec);
        let new = Occupant::open_with(recipe, instance, state).await?;
        let old = std::mem::replace(&mut self.current, new);
        (self.anew, self.former) = (fresh, None);
        self.turns += u64::from(fresh);
        let trial = Trial { done: 0, wanted: probation.max(1), different: 0, end: None };
        let (report, followed) = watch::channel(trial.clone());
        self.probation = Some(Probation { old, fresh, behind: fresh && K::DIVERGES, trial, report });
        self.face.change(|seated| seated.fell_back = None);
        self.show();
        Ok(followed)
    }

    /// Another policy from now on.
    pub(super) fn set_on_failure(&mut self, policy: FailurePolicy) {
        self.on_failure = policy;
    }

    /// Changes the settings of every version here, where `change` answers others; they count from the next call on.
    pub(super) fn change_settings(&mut self, change: impl Fn(&str) -> Option<String>) {
        self.current.change_settings(&change);
        if let Some(probation) = &mut self.probation {
            probation.old.change_settings(&change);
        }
        if let Some(previous) = &mut self.previous
            && let Some(settings) = change(&previous.settings)
        {
            previous.settings = settings;
        }
    }

    /// Takes a version on probation back; false: none is.
    pub(super) fn roll_back(&mut self, reason: String) -> bool {
        let Some(probation) = self.probation.take() else { return false };
        self.take_over(probation, TrialEnd::RolledBack { reason, evidence: None });
        true
    }

    /// Gives the old version what the new one was given, and counts the batches of the probation.
    async fn shadow(&mut self, books: &K::Books, input: &Arc<K::Input>, output: &K::Output) {
        let Some(probation) = &mut self.probation else { return };
        if !probation.behind {
            let same = K::perform(&mut probation.old, books, input).await.is_ok_and(|old| old == *output);
            if !same {
                probation.trial.different += 1;
                if K::DIVERGES {
                    probation.old.forget();
                    probation.behind = true;
                }
            }
        }
        if !K::is_batch(input, output) {
            return;
        }
        probation.trial.done += 1;
        if probation.trial.done < probation.trial.wanted {
            probation.report.send_replace(probation.trial.clone());
            self.show();
        } else if let Some(mut probation) = self.probation.take() {
            probation.trial.end = Some(TrialEnd::Passed);
            probation.report.send_replace(probation.trial);
            self.previous = Some(probation.old.recipe().clone());
            self.former = (probation.fresh && K::KEEPS_FORMER).then_some(probation.old);
            self.show();
        }
    }

    /// Somebody else answers the call that failed, if there is anybody.
    async fn failed(
        &mut self,
        books: &K::Books,
        input: &Arc<K::Input>,
        error: StageError,
        took: Duration,
    ) -> Result<K::Output, StageError> {
        let answered = !error.ends_instance();
        if let Some(mut probation) = self.probation.take() {
            let old = match probation.behind {
                // It is asked again by whoever keeps the books, for all that it missed.
                true => Err(error.clone()),
                false => K::perform(&mut probation.old, books, input).await,
            };
            if answered && old.is_err() && !probation.behind {
                // Both refuse it: no reason to go back.
                self.probation = Some(probation);
                return Err(error);
            }
            let evidence = self.testify(input, &error, took);
            self.take_over(probation, TrialEnd::RolledBack { reason: error.to_string(), evidence: Some(evidence) });
            return old;
        }
        if answered || !error.is_guests_doing() {
            return Err(error);
        }
        let evidence = self.testify(input, &error, took);
        match (self.on_failure, self.previous.take()) {
            (FailurePolicy::Previous, Some(recipe)) => self.fall_back(recipe, books, input, error, evidence).await,
            (FailurePolicy::Stop, previous) => {
                self.previous = previous;
                self.face.change(|seated| seated.stop = Some(error.to_string()));
                Err(error)
            }
            (_, previous) => {
                self.previous = previous;
                Err(error)
            }
        }
    }

    /// The version before goes on from the state of the one that failed, or from nothing where it cannot read that.
    async fn fall_back(
        &mut self,
        recipe: Recipe,
        books: &K::Books,
        input: &Arc<K::Input>,
        error: StageError,
        evidence: String,
    ) -> Result<K::Output, StageError> {
        let state = self.current.snapshot().map(<[u8]>::to_vec);
        let opened = match Occupant::open(recipe.clone(), state).await {
            Err(refused) if refused.is_unreadable_state() => {
                self.anew = true;
                Occupant::open(recipe, None).await
            }
            opened => opened,
        };
        let Ok(old) = opened else { return Err(error) };
        self.current = old;
        self.show();
        let fell_back = Some((error.to_string(), evidence));
        self.face.change(|seated| seated.fell_back = fell_back);
        if self.anew && K::DIVERGES {
            return Err(error);
        }
        K::perform(&mut self.current, books, input).await
    }

    fn take_over(&mut self, probation: Probation<K>, end: TrialEnd) {
        let Probation { old, fresh, behind, mut trial, report } = probation;
        let new = std::mem::replace(&mut self.current, old);
        self.former = (fresh && K::KEEPS_FORMER).then_some(new);
        self.turns += u64::from(fresh);
        self.anew = fresh || behind;
        trial.end = Some(end);
        report.send_replace(trial);
        self.show();
    }

    /// Keeps evidence of a call that failed; answers its id.
    fn testify(&self, input: &Arc<K::Input>, error: &StageError, took: Duration) -> String {
        let mut calls = self.tape.calls();
        if calls.last().is_none_or(|last| !Arc::ptr_eq(&last.input, input)) {
            // It is too large for the tape, but it is what the evidence is about.
            calls.push(Taped { input: input.clone(), took });
        }
        let (id, making) = failure::evidence(&self.current, calls, error, took);
        self.witness.take(making);
        id
    }

    fn show(&self) {
        let label = |recipe: &Recipe| -> ComponentLabel { recipe.component.label() };
        self.face.change(|seated| {
            seated.component = self.current.component().clone();
            seated.counters = self.current.counters().clone();
            seated.trial = self.probation.as_ref().map(|probation| probation.trial.clone());
            seated.previous = match &self.probation {
                Some(probation) => Some(label(probation.old.recipe())),
                None => self.previous.as_ref().map(label),
            };
        });
    }
}
