//! Every state that can be reached keeps the promises of the plan; without any one guard there is a way to break one of them.

use super::{Action, BLAST, Blast, Delivery, Entry, Faults, Guard, State, Worker};
use stateright::{Checker, HasDiscoveries, Model, Property};

const IN_SEQUENCE: &str = "posts stand in the lane's sequence";
const ONCE: &str = "nothing is ever accepted twice";
const KEPT: &str = "at rest everything is posted or kept";
const QUIET: &str = "a blast alone makes no call";
const NO_ECHO: &str = "no post of ours goes to the contact";
const ANSWERED: &str = "what the agent wrote goes to the contact once";
const SKIPPED: &str = "what was skipped never stands in the chat";
const REACHED: &str = "all is delivered after everything went wrong that may";

/// What goes wrong in each of them.
const FAULTS: Faults = Faults { crashes: 1, dozes: 1, calls: 1, repeats: 0, retries: 1, skips: 0 };
/// Two replies, which may overtake each other.
const REPLIES: Delivery = Delivery { without: None, replies: 2, agents: false, faults: FAULTS };
/// One reply, and more goes wrong.
const TROUBLE: Delivery = Delivery { without: None, replies: 1, agents: false, faults: Faults { calls: 2, repeats: 1, ..FAULTS } };
/// One reply, an agent's answer, and events that come twice and in any order.
const AGENTS: Delivery = Delivery { without: None, replies: 1, agents: true, faults: Faults { repeats: 1, ..FAULTS } };
/// One reply, and staff who skip what was called in vain.
const SKIPS: Delivery = Delivery { without: None, replies: 1, agents: false, faults: Faults { calls: 2, skips: 1, ..FAULTS } };

impl Model for Delivery {
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
            Property::always(IN_SEQUENCE, |_, s: &State| places(s).is_sorted()),
            Property::always(ONCE, |_, s: &State| s.lane.iter().all(|place| accepted(s, place.message) <= 1)),
            Property::always(KEPT, |model, s| !model.possible(s).is_empty() || is_kept(s)),
            Property::always(SKIPPED, |_, s: &State| {
                s.lane.iter().all(|place| place.entry != Entry::Skipped || accepted(s, place.message) == 0)
            }),
            Property::always(QUIET, |_, s: &State| {
                let quiet = s.workers.iter().all(|worker| *worker == Worker::Idle) && s.posts.is_empty() && s.late.is_empty();
                (quiet || !s.lane.is_empty()) && s.lane.last().is_none_or(|place| place.message != BLAST)
            }),
            Property::always(NO_ECHO, |_, s: &State| !s.echoed),
            Property::always(ANSWERED, |_, s: &State| s.answers <= u8::from(s.agent_wrote)),
            Property::sometimes(REACHED, |model, s: &State| {
                let none = Faults { crashes: 0, dozes: 0, calls: 0, repeats: 0, retries: 0, skips: 0 };
                s.faults == none && model.possible(s).is_empty() && is_kept(s)
            }),
        ]
    }
}

/// The lane's places of what stands in the chat, as it stands there.
fn places(s: &State) -> Vec<Option<usize>> {
    let messages = s.posts.iter().flat_map(|post| &post.messages);
    messages.map(|message| s.lane.iter().position(|place| place.message == *message)).collect()
}

fn accepted(s: &State, message: u8) -> usize {
    s.posts.iter().chain(&s.late).filter(|post| post.messages.contains(&message)).count()
}

/// Every reply is in the lane, the blast there or held; each is posted, or kept as failed because RingCentral refuses it, or as skipped;
/// and the agent's answer has gone out.
fn is_kept(s: &State) -> bool {
    let has_place = |message| s.lane.iter().any(|place| place.message == message);
    let ended = s.lane.iter().all(|place| match place.entry {
        Entry::Posted => accepted(s, place.message) == 1,
        Entry::Failed => s.unwanted == Some(place.message) && accepted(s, place.message) == 0,
        Entry::Skipped => accepted(s, place.message) == 0,
        Entry::Queued => false,
    });
    let came = s.webhooks.is_empty() && has_place(1) && has_place(BLAST) == (s.blast == Blast::Released);
    ended && came && s.answers == u8::from(s.agent_wrote)
}

/// Visits every state; fewer than so many would mean that the model no longer does what it is there for.
fn keeps_the_promises(model: Delivery, at_least: usize) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    eprintln!("{} states, none breaks a promise; the longest history has {} steps", checker.unique_state_count(), checker.max_depth());
    checker.assert_properties();
    assert!(checker.unique_state_count() >= at_least);
}

#[test]
fn every_history_of_two_replies_keeps_the_promises() {
    keeps_the_promises(REPLIES, 300_000);
}

#[test]
fn every_history_with_more_trouble_keeps_the_promises() {
    keeps_the_promises(TROUBLE, 200_000);
}

#[test]
fn every_history_with_agents_and_events_keeps_the_promises() {
    keeps_the_promises(AGENTS, 250_000);
}

#[test]
fn every_history_in_which_staff_skip_keeps_the_promises() {
    keeps_the_promises(SKIPS, 20_000);
}

/// Finds the shortest history that breaks the promise.
fn is_broken(model: Delivery, promise: &'static str) {
    let checker = model.checker().finish_when(HasDiscoveries::AnyOf([promise].into())).spawn_bfs().join();
    let guard = model.without.expect("a guard is taken out");
    let history = checker.discovery(promise).unwrap_or_else(|| panic!("without {guard:?} nothing breaks: {promise}"));
    eprintln!("without {guard:?} it is broken that {promise}: {:?}", history.into_actions());
}

macro_rules! breaks { ($($name:ident: $guard:ident, $model:ident, $promise:ident;)+) => { $(
    #[test]
    fn $name() {
        is_broken(Delivery { without: Some(Guard::$guard), ..$model }, $promise);
    }
)+ } }

breaks! {
    without_the_intent_a_message_is_accepted_twice: Intent, REPLIES, ONCE;
    without_the_look_up_a_message_is_accepted_twice: LookUp, REPLIES, ONCE;
    without_the_settle_time_a_message_is_accepted_twice: Settle, REPLIES, ONCE;
    without_the_fence_a_message_is_accepted_twice: Fence, REPLIES, ONCE;
    without_the_fence_posts_are_out_of_sequence: Fence, REPLIES, IN_SEQUENCE;
    without_the_lanes_lock_a_message_is_accepted_twice: LaneLock, REPLIES, ONCE;
    without_the_look_up_what_was_skipped_stands_in_the_chat: LookUp, SKIPS, SKIPPED;
    without_the_settle_time_what_was_skipped_stands_in_the_chat: Settle, SKIPS, SKIPPED;
    without_the_echo_guard_a_post_of_ours_goes_to_the_contact: Echo, AGENTS, NO_ECHO;
}
