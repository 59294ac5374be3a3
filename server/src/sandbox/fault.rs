//! Faults: what the sandbox was told to do wrong, for which calls, and how often.
//!
//! The one rule: a fault never makes the journal lie. What was accepted stands there as accepted, whatever the caller was told.
//!
//! To add one: a variant of [`What`], and its arm in `answer.rs`, where a call meets its fault.

use super::journal::Kind;
use serde::{Deserialize, Serialize};

/// Which calls a fault is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// Making a post.
    Post,
    /// Creating a team.
    Team,
    /// Listing chats or posts.
    List,
    /// Deleting a post.
    Delete,
    /// Handing over an SMS.
    Sms,
    /// Asking for a token.
    Token,
    /// Editing a post.
    Edit,
    /// Making a subscription.
    Subscribe,
    /// Renewing or changing a subscription.
    Renew,
    /// Telling a subscriber of an event. Not a call: only the faults of events fit.
    Event,
}

impl On {
    /// The calls of a kind; none for those that cannot be made to fail.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Post => Some(Self::Post),
            Kind::Team => Some(Self::Team),
            Kind::ChatList | Kind::PostList => Some(Self::List),
            Kind::PostDelete => Some(Self::Delete),
            Kind::Sms => Some(Self::Sms),
            Kind::Token => Some(Self::Token),
            Kind::PostPatch => Some(Self::Edit),
            Kind::Subscribe => Some(Self::Subscribe),
            Kind::SubscriptionPut | Kind::SubscriptionRenew => Some(Self::Renew),
            Kind::EventDelivery => Some(Self::Event),
            _ => None,
        }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum What {
    /// The call takes effect; then the connection is dropped without an answer, or (`hang`) kept open until the caller gives up.
    LoseAnswer {
        /// Never answer instead of dropping the connection.
        #[serde(default)]
        hang: bool,
    },
    /// The call is lost before it takes effect; to the caller it looks exactly like `lose_answer`.
    LoseRequest {
        /// Never answer instead of dropping the connection.
        #[serde(default)]
        hang: bool,
    },
    /// As `lose_answer`, and the effect shows only this much later by the sandbox's clock. For an SMS it shows at once:
    /// a carrier knows a reference from the moment it took it.
    AcceptLate {
        /// How much later, in milliseconds.
        after_ms: u64,
        /// Never answer instead of dropping the connection.
        #[serde(default)]
        hang: bool,
    },
    /// The call is refused with this HTTP status. 429 starts a real penalty where the caller has a token.
    Status {
        /// 400 to 599.
        status: u16,
        /// For 429: the header, in seconds. Without it the header is missing, and the penalty lasts a minute.
        #[serde(default)]
        retry_after: Option<u64>,
        /// The error's code, if not the usual one.
        #[serde(default)]
        code: Option<String>,
    },
    /// The daily limit's answer: a 500 with RingCentral's words.
    DailyLimit,
    /// The call takes effect at once and is answered this much later by the sandbox's clock.
    Slow {
        /// How much later, in milliseconds.
        ms: u64,
    },
    /// 400 for every text that contains `text_contains`, until it is disarmed.
    RefuseText,
    /// SMS only: accepted, and then reported as failed with these words.
    Undeliverable {
        /// What the delivery status says.
        error: String,
    },
    /// Subscribing only: the address is said to have answered the handshake wrongly; it is not called.
    RefuseHandshake,
    /// Events only: goes out this much later by the sandbox's clock; those behind it overtake it.
    DelayEvent {
        /// How much later, in milliseconds.
        ms: u64,
    },
    /// Events only: goes out twice, with the same `uuid`.
    DoubleEvent,
    /// Events only: never goes out. The journal has it as `event_dropped`.
    DropEvent,
    /// Events only: goes out behind the next event to the same address (after five seconds without one).
    OvertakeEvent,
}

impl What {
    /// Whether such calls can meet it.
    pub(super) fn fits(&self, on: On) -> bool {
        match self {
            Self::RefuseHandshake => on == On::Subscribe,
            Self::DelayEvent { .. } | Self::DoubleEvent | Self::DropEvent | Self::OvertakeEvent => on == On::Event,
            _ => on != On::Event,
        }
    }
}

/// A fault to arm. In JSON: `{"on":"post","fault":"lose_answer","times":2}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which calls.
    pub on: On,
    /// What goes wrong.
    #[serde(flatten)]
    pub what: What,
    /// For how many calls; 0 = until disarmed. Unless said, 1, and until disarmed for `refuse_text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Only calls whose text (a team's name, a post, an SMS) contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_contains: Option<String>,
}

impl Fault {
    /// A fault for the next call of this kind.
    pub fn new(on: On, what: What) -> Self {
        Self { on, what, times: None, text_contains: None }
    }

    /// The same for the next `times` calls; 0 = until disarmed.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The same, only for calls whose text contains `text`.
    pub fn containing(self, text: &str) -> Self {
        Self { text_contains: Some(text.to_owned()), ..self }
    }
}

/// A fault that waits for its call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmedFault {
    /// Its number, for disarming it.
    pub id: u64,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// For how many calls more; `None` = until disarmed.
    pub left: Option<u32>,
}

/// All armed faults, the oldest first.
#[derive(Default)]
pub(super) struct Faults {
    armed: Vec<ArmedFault>,
    last: u64,
}

impl Faults {
    pub fn arm(&mut self, fault: Fault) -> u64 {
        self.last += 1;
        let lasting = fault.what == What::RefuseText;
        let left = match fault.times {
            Some(0) => None,
            None if lasting => None,
            times => Some(times.unwrap_or(1)),
        };
        self.armed.push(ArmedFault { id: self.last, fault, left });
        self.last
    }

    pub fn armed(&self) -> &[ArmedFault] {
        &self.armed
    }

    pub fn disarm(&mut self) {
        self.armed.clear();
    }

    pub fn disarm_one(&mut self, id: u64) -> bool {
        let before = self.armed.len();
        self.armed.retain(|armed| armed.id != id);
        self.armed.len() < before
    }

    /// Whether the next call that subscribes meets [`What::RefuseHandshake`].
    pub fn refuses_handshake(&self) -> bool {
        let next = self.armed.iter().find(|armed| armed.fault.on == On::Subscribe);
        next.is_some_and(|armed| armed.fault.what == What::RefuseHandshake)
    }

    /// The first fault that this call meets; it has then one call less to come.
    pub fn meet(&mut self, kind: Kind, text: Option<&str>) -> Option<What> {
        if self.armed.is_empty() {
            return None;
        }
        let on = On::of(kind)?;
        let matches = |armed: &ArmedFault| {
            armed.fault.on == on && armed.fault.text_contains.as_deref().is_none_or(|part| text.unwrap_or_default().contains(part))
        };
        let place = self.armed.iter().position(matches)?;
        let armed = &mut self.armed[place];
        let what = armed.fault.what.clone();
        if let Some(left) = &mut armed.left {
            *left -= 1;
            if *left == 0 {
                self.armed.remove(place);
            }
        }
        Some(what)
    }
}
