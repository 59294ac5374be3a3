//! A model of the delivery engine, small enough that a checker can visit every state of it: one conversation, a blast and two
//! replies, two workers, RingCentral, and what can go wrong between them. It shows that the plan is right; that the code follows the
//! plan is shown by the server's tests, which play random stories against the real thing.
//!
//! | here | in the code |
//! | --- | --- |
//! | [`Action::Send`], [`Action::CarrierAccepts`], [`Action::Webhook`] | `sync::lane`: `hold`, `releasable`, `release` |
//! | [`Action::Claim`], [`State::lease`], [`Guard::LaneLock`] | `sync::engine::lease`: `CLAIM` |
//! | [`Action::LeaseEnds`] | a worker that died or hangs no longer renews it: `sync::engine::heartbeat` |
//! | [`Action::Prepare`], [`Action::LookUp`], [`Guard::Settle`], [`Guard::LookUp`] | `sync::engine::look`, `settle` |
//! | [`Action::Write`], [`Guard::Intent`] | `write_intents`, and `post_again` for an intent that stands |
//! | [`Action::Call`], [`End`] | `ringcentral::Client::create_post` and its `Outcome` |
//! | [`Action::GiveUp`], [`Action::Skip`] | `called_in_vain`, and `sync::staff_acts::skip` of what rests |
//! | [`Action::Record`], [`Guard::Fence`] | `sync::engine::record`; each write asks `holds` first |
//! | [`Action::Event`], [`Guard::Echo`] | `sync::agents`: `apply`, `is_echo` |
//!
//! What is left out: making the chat (it follows the rules of a post), limits (they only make things later), more than one lane (lanes
//! share nothing), and the late look for doubles, which mends what the model shows cannot happen.
//!
//! What is assumed, as in the plan: an accepted post is listed within the settle time after its call's deadline; and a worker that
//! lives calls at once when it has committed its intent. Time is otherwise free: a worker may sleep for any time at any other place.
//!
//! To add a step of the engine: a variant of [`Action`], its condition in `Delivery::possible` and its effect in `Delivery::after`.
//!
//! Beside it, in [`transfer`]: a model of the Line Transfer.

#[cfg(test)]
mod checks;
mod steps;
pub mod transfer;
#[cfg(test)]
mod transfer_checks;

/// What keeps the deliveries right, as `switchyard::work::faults::Guard` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The intent is committed before the call.
    Intent,
    /// After an ambiguous end the reference is looked up before anything is posted again.
    LookUp,
    /// The look-up waits for the settle time.
    Settle,
    /// A stale holder's writes touch no row.
    Fence,
    /// One lane, one holder.
    LaneLock,
    /// Our own posts, which come back as events, are known by their reference.
    Echo,
}

/// The blast's message, or a reply: 1 or 2.
pub type Message = u8;
/// The blast's.
pub const BLAST: Message = 0;
/// Stands in a post; counted up.
pub type Reference = u8;

/// How far the blast's message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blast {
    /// Not sent yet.
    ToSend,
    /// Held; the carrier has not taken it.
    Held,
    /// Held, and released with the next reply.
    Releasable,
    /// In the lane.
    Released,
}

/// What became of a message of the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// It waits.
    Queued,
    /// It stands in RingCentral.
    Posted,
    /// RingCentral refuses it; it is kept and shown.
    Failed,
    /// Staff gave it up; it is kept and shown.
    Skipped,
}

/// A message's place in the lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Which message.
    pub message: Message,
    /// What became of it.
    pub entry: Entry,
    /// The intent that it goes with.
    pub intent: Option<Reference>,
    /// A post that held it and others was refused, or given up: it goes alone.
    pub alone: bool,
}

/// A post: on its way, or in the chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Post {
    /// By which it is found.
    pub reference: Reference,
    /// What it holds.
    pub messages: Vec<Message>,
}

/// The open intent of the lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    /// What is to be posted.
    pub post: Post,
    /// The call's deadline and the settle time are over.
    pub settled: bool,
    /// It was looked up since and is not there: it rests, and staff may skip what it holds.
    pub absent: bool,
}

/// How a call ended, and whether the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// Accepted, and the answer arrived.
    Accepted,
    /// Accepted; the answer was lost.
    AnswerLost,
    /// Accepted and not listed yet; the answer was lost.
    Late,
    /// It never arrived; to the caller that looks like a lost answer.
    RequestLost,
    /// 429, or not reached: no effect for certain.
    TurnedAway,
    /// The content is not taken.
    Refused,
}

/// Where a worker is; with whether its claim is the lane's newest, which is what its fence tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Worker {
    /// It has no lane.
    Idle,
    /// It has claimed the lane.
    Claimed(bool),
    /// It has read what comes next.
    Prepared(bool, Vec<Message>),
    /// It has looked up the open intent's reference, which is not there.
    Absent(bool, Reference),
    /// It calls now.
    Calling(bool, Post),
    /// The call has ended like this.
    Called(bool, Post, End),
}

/// An event on its way to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// Of an agent's post.
    Agent,
    /// Of a post of ours.
    Echo(Reference),
}

/// What may still go wrong: a bound, so that there is an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Faults {
    /// Workers that die.
    pub crashes: u8,
    /// Workers that sleep until their lease is over.
    pub dozes: u8,
    /// Calls that do not end well.
    pub calls: u8,
    /// Webhooks and events that come twice.
    pub repeats: u8,
    /// Times that staff retry at once.
    pub retries: u8,
    /// Messages that staff skip when their post rests.
    pub skips: u8,
}

/// Everything there is, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The blast's message.
    pub blast: Blast,
    /// Replies whose webhook is on its way, in any order.
    pub webhooks: Vec<Message>,
    /// The lane in sequence.
    pub lane: Vec<Place>,
    /// Somebody's lease has not ended.
    pub lease: bool,
    /// A worker may claim it.
    pub due: bool,
    /// The open intent: an index allows for one.
    pub intent: Option<Intent>,
    /// References of all intents that were ever committed, as bits.
    pub written: u16,
    /// The last reference.
    pub reference: Reference,
    /// Both workers, sorted: they are alike.
    pub workers: Vec<Worker>,
    /// What stands in the chat, in order.
    pub posts: Vec<Post>,
    /// What is accepted and will stand there.
    pub late: Vec<Post>,
    /// Events on their way, sorted: they come in any order.
    pub events: Vec<Event>,
    /// The agent has written.
    pub agent_wrote: bool,
    /// The agent's post as the contact received it, so many times.
    pub answers: u8,
    /// A post of ours was sent to the contact.
    pub echoed: bool,
    /// What may still go wrong.
    pub faults: Faults,
    /// RingCentral does not take this message.
    pub unwanted: Option<Message>,
}

/// One thing that happens; a number is a worker's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The blast's message is recorded.
    Send,
    /// The carrier says that it took it.
    CarrierAccepts,
    /// The carrier brings a reply; it may do so again.
    Webhook(Message, bool),
    /// The worker claims the lane.
    Claim(usize),
    /// It reads the lane, to post so many messages at once.
    Prepare(usize, usize),
    /// It sees an open intent, and waits or looks it up.
    LookUp(usize),
    /// It commits what it is about to do.
    Write(usize),
    /// It has looked in vain and does not call again: what was together goes in smaller posts, a message by itself rests.
    GiveUp(usize),
    /// It calls, and the call ends.
    Call(usize, End),
    /// It writes down how the call ended.
    Record(usize),
    /// It dies.
    Crash(usize),
    /// The lease runs out.
    LeaseEnds,
    /// The open intent's settle time is over.
    Settles,
    /// The lane's pause is over.
    PauseEnds,
    /// Staff are impatient.
    Retry,
    /// Staff skip a message whose post rests.
    Skip(Message),
    /// What was accepted late shows.
    Appears,
    /// The agent writes.
    AgentWrites,
    /// An event comes in; it may come again.
    Event(Event, bool),
}

/// The engine with at most one guard taken out.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    /// The guard that is not there.
    pub without: Option<Guard>,
    /// What may go wrong.
    pub faults: Faults,
    /// Replies that come.
    pub replies: Message,
    /// An agent writes, and posts come back as events.
    pub agents: bool,
}
