//! Every state of a transfer that can be reached keeps its promises; without any one guard there is a way to break one of them.

use super::transfer::{Account, Action, Chances, Consent, Guard, State, Step, Transfer};
use stateright::{Checker, HasDiscoveries, Model, Property};

const WHOLE: &str = "at rest every row is its owner's, and the line is open";
const ENDS: &str = "the run comes to its end";
const OPTED_OUT: &str = "who said STOP last is opted out";
const NO_LEAK: &str = "nothing is begun for a chat of who does not own the line";
const UNSEEN: &str = "who does not own the line sees nothing of it, and its owner everything";
const ONCE: &str = "each message stands in one chat, and at rest in one";
const REACHED: &str = "it ends well after everything that may happen has happened";

/// A post under way at the flip, a message that comes in, workers that die and sleep.
const LANE: Transfer = Transfer {
    without: None,
    rows: 2,
    resets: false,
    back: false,
    queued: true,
    chances: Chances { crashes: 1, dozes: 1, calls: 1, messages: 1, words: 0 },
};
/// There and back, with opt-ins reset and restored, and STOP and START at any time.
const BACK: Transfer = Transfer {
    without: None,
    rows: 3,
    resets: true,
    back: true,
    queued: false,
    chances: Chances { crashes: 1, dozes: 2, calls: 0, messages: 0, words: 2 },
};
/// There and back, with a post under way.
const BOTH: Transfer = Transfer { rows: 1, back: true, ..LANE };

impl Model for Transfer {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.begin()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.possible(state));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.after(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(WHOLE, |model, s| !model.possible(s).is_empty() || is_whole(s)),
            Property::eventually(ENDS, |_, s: &State| s.step == Step::Done && s.open),
            Property::always(OPTED_OUT, |_, s: &State| s.said != Consent::Out || s.consent == Consent::Out),
            Property::always(NO_LEAK, |_, s: &State| !s.leaked),
            Property::always(UNSEEN, |model, s: &State| {
                let other = if s.owner == Account::Source { Account::Target } else { Account::Source };
                s.sees(model, other) == 0 && s.sees(model, s.owner) == s.rows.len()
            }),
            Property::always(ONCE, |model, s: &State| {
                let times = |message| s.posts.iter().filter(|post| post.message == message).count();
                let at_rest = model.possible(s).is_empty();
                (0..s.lane.len()).all(|message| times(message) <= 1 && (times(message) == 1 || !at_rest))
            }),
            Property::sometimes(REACHED, |model, s: &State| {
                let none = Chances { crashes: 0, dozes: 0, calls: 0, messages: 0, words: 0 };
                s.chances == none && model.possible(s).is_empty() && is_whole(s)
            }),
        ]
    }
}

fn is_whole(s: &State) -> bool {
    s.open && s.rows.iter().all(|row| *row == s.owner)
}

/// Visits every state; fewer than so many would mean that the model no longer does what it is there for.
fn keeps_the_promises(model: Transfer, at_least: usize) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    eprintln!("{} states, none breaks a promise; the longest history has {} steps", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
    assert!(checker.unique_state_count() >= at_least);
}

#[test]
fn every_history_with_a_post_under_way_keeps_the_promises() {
    keeps_the_promises(LANE, 60_000);
}

#[test]
fn every_history_there_and_back_keeps_the_promises() {
    keeps_the_promises(BACK, 19_000);
}

#[test]
fn every_history_there_and_back_with_a_post_under_way_keeps_the_promises() {
    keeps_the_promises(BOTH, 150_000);
}

/// Finds the shortest history that breaks the promise.
fn is_broken(model: Transfer, promise: &'static str) {
    let checker = model.checker().finish_when(HasDiscoveries::AnyOf([promise].into())).spawn_bfs().join();
    let guard = model.without.expect("a guard is taken out");
    let history = checker.discovery(promise).unwrap_or_else(|| panic!("without {guard:?} nothing breaks: {promise}"));
    eprintln!("without {guard:?} it is broken that {promise}: {:?}", history.into_actions());
}

macro_rules! breaks { ($($name:ident: $guard:ident, $model:ident, $promise:ident;)+) => { $(
    #[test]
    fn $name() {
        is_broken(Transfer { without: Some(Guard::$guard), ..$model }, $promise);
    }
)+ } }

breaks! {
    without_the_checkpoints_transaction_a_row_is_left_behind: Checkpoint, LANE, WHOLE;
    without_the_fence_a_worker_that_wakes_takes_a_row_along: Fence, BACK, WHOLE;
    without_the_merge_of_opt_outs_a_stop_is_forgotten: OptOutMerge, BACK, OPTED_OUT;
    without_the_scope_a_post_goes_to_the_old_account: Scope, LANE, NO_LEAK;
    without_the_scope_the_old_account_sees_the_line: Scope, LANE, UNSEEN;
}
