//! A model of the Line Transfer: a line with a few rows and one lane, a run there and perhaps one back, two workers of which one may sleep
//! through its lease, whoever writes meanwhile, and a post that may be under way when the line moves. The same promises as the kill-test's.
//!
//! | here | in the code |
//! | --- | --- |
//! | [`Step::Flip`], [`Guard::Scope`] | `utilities::line_transfer`: `flip`, with `directory`, `messaging` and `sync::transfer::flip` |
//! | [`Step::Rows`] | `line_transfer::moving::batch`, one row at a time |
//! | [`Step::OptIns`], [`Guard::OptOutMerge`] | `messaging::transfer`: `reset_opt_ins`, `restore_opt_ins` |
//! | [`Action::Claim`], [`Action::LeaseEnds`] | `utilities::worker`: `CLAIM`, and a lease that no batch renews |
//! | [`Action::Look`], [`Action::Write`], [`Guard::Fence`] | `worker::one`: a batch of an older attempt touches no row |
//! | [`Guard::Checkpoint`] | `worker::one`: batch and checkpoint commit together |
//! | [`Action::Intend`], [`Action::Call`], [`Action::Record`] | `sync::engine`: `write_intents`, `call`, `record` |
//! | [`Action::LookUp`] | `sync::engine::settle`, with `moved_on` |
//! | [`State::sees`] | `line.account_id` in the SQL of every read |
//!
//! What is left out: verification, which finds what the model shows cannot happen; pause and cancel, which act between two batches; and what
//! the model of the delivery shows of a lane: one worker of lanes is enough here.

/// What keeps a transfer right, as `switchyard::work::faults::UtilityGuard` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// A batch and its checkpoint commit together.
    Checkpoint,
    /// A stale worker's writes touch no row.
    Fence,
    /// What resets or restores consent never touches who has opted out.
    OptOutMerge,
    /// From the flip on the line's account alone decides.
    Scope,
}

/// The account that had the line at first, or the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    /// At first.
    Source,
    /// The other one.
    Target,
}

/// What a run does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The line changes hands.
    Flip,
    /// This row follows.
    Rows(usize),
    /// Opt-ins are reset, or restored on the way back.
    OptIns,
    /// The line opens.
    Open,
    /// Nothing more.
    Done,
}

/// Which of the two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Run {
    /// To the target.
    There,
    /// To the source again.
    Back,
}

/// Where a worker of runs is; with whether its attempt is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Worker {
    /// It has no run.
    Idle,
    /// It has claimed the run.
    Claimed(bool),
    /// It has looked what is to be done.
    Looked(bool, Run, Step),
    /// It has written the checkpoint and not yet what it stands for: only without that guard.
    Noted(bool, Run, Step),
}

/// What a number has agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Consent {
    /// Nothing is known.
    Unknown,
    /// It may be texted.
    In,
    /// It must not.
    Out,
}

/// The wish to post a message of the lane into a chat of this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Intent {
    /// The message's place in the lane.
    pub message: usize,
    /// Whose chat.
    pub account: Account,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Accepted, and the answer arrived.
    Accepted,
    /// Accepted; the answer was lost.
    AnswerLost,
    /// It never arrived; to the caller that looks the same.
    RequestLost,
}

/// Where the worker of the lane is; with whether its lease still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Poster {
    /// It has no lane.
    Idle,
    /// It has claimed the lane, which was this account's.
    Claimed(bool, Account),
    /// It calls now.
    Calling(bool, Intent),
    /// The call has ended like this.
    Called(bool, Intent, End),
}

/// What may still happen: a bound, so that there is an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chances {
    /// Processes that die.
    pub crashes: u8,
    /// Workers that sleep until their lease is over.
    pub dozes: u8,
    /// Calls that do not end well.
    pub calls: u8,
    /// Messages that come in.
    pub messages: u8,
    /// Times that the contact writes STOP or START.
    pub words: u8,
}

/// Everything there is, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Whose the line is.
    pub owner: Account,
    /// No run is at it.
    pub open: bool,
    /// The line's rows in the order of their keys, each with the account that it names.
    pub rows: Vec<Account>,
    /// So many were there at the flip.
    pub watermark: usize,
    /// What stands written of the number.
    pub consent: Consent,
    /// Its last word.
    pub said: Consent,
    /// It is on record that its opt-in was reset.
    pub was_reset: bool,
    /// The run under way, or the last one.
    pub run: Run,
    /// Its checkpoint.
    pub step: Step,
    /// Its lease has not ended.
    pub lease: bool,
    /// Both workers, sorted: they are alike.
    pub workers: Vec<Worker>,
    /// Which messages of the lane are known to be posted.
    pub lane: Vec<bool>,
    /// Whose the lane is.
    pub lane_of: Account,
    /// The lane's open intent.
    pub intent: Option<Intent>,
    /// The worker of the lane.
    pub poster: Poster,
    /// What stands in chats.
    pub posts: Vec<Intent>,
    /// Something was begun for a chat of who did not own the line.
    pub leaked: bool,
    /// What may still happen.
    pub chances: Chances,
}

/// One thing that happens; a number is a worker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The worker claims the run.
    Claim(usize),
    /// It looks what is to be done.
    Look(usize),
    /// It does it, with the checkpoint.
    Write(usize),
    /// It dies.
    Crash(usize),
    /// The run's lease ends.
    LeaseEnds,
    /// Staff take the finished run back.
    TakeBack,
    /// A contact writes: a row, and a message for the lane.
    Message,
    /// The contact writes STOP.
    Stop,
    /// The contact writes START.
    Start,
    /// The lane is claimed.
    Grasp,
    /// The intent is committed.
    Intend,
    /// The call ends.
    Call(End),
    /// Its end is written down.
    Record,
    /// An open intent is looked up, after its settle time.
    LookUp,
    /// The lane's worker dies.
    PosterDies,
}

/// The transfer with at most one guard taken out.
#[derive(Debug, Clone, Copy)]
pub struct Transfer {
    /// The guard that is not there.
    pub without: Option<Guard>,
    /// Rows of before.
    pub rows: usize,
    /// Opt-ins are reset.
    pub resets: bool,
    /// It is taken back in the end.
    pub back: bool,
    /// A message waits in the lane at the begin.
    pub queued: bool,
    /// What may happen.
    pub chances: Chances,
}

impl Run {
    fn from(self) -> Account {
        if self == Self::There { Account::Source } else { Account::Target }
    }

    fn to(self) -> Account {
        if self == Self::There { Account::Target } else { Account::Source }
    }
}

impl Worker {
    fn is_newest(self) -> bool {
        match self {
            Self::Idle => false,
            Self::Claimed(newest) | Self::Looked(newest, ..) | Self::Noted(newest, ..) => newest,
        }
    }

    fn outdated(self) -> Self {
        match self {
            Self::Idle => Self::Idle,
            Self::Claimed(_) => Self::Claimed(false),
            Self::Looked(_, run, step) => Self::Looked(false, run, step),
            Self::Noted(_, run, step) => Self::Noted(false, run, step),
        }
    }
}

impl Poster {
    fn outdated(self) -> Self {
        match self {
            Self::Idle => Self::Idle,
            Self::Claimed(_, account) => Self::Claimed(false, account),
            Self::Calling(_, intent) => Self::Calling(false, intent),
            Self::Called(_, intent, end) => Self::Called(false, intent, end),
        }
    }
}

impl Transfer {
    fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// How it begins: with a number that has opted in, or out.
    pub fn begin(&self) -> Vec<State> {
        let with = |consent| State {
            owner: Account::Source,
            open: true,
            rows: vec![Account::Source; self.rows],
            watermark: 0,
            consent,
            said: consent,
            was_reset: false,
            run: Run::There,
            step: Step::Flip,
            lease: false,
            workers: vec![Worker::Idle; 2],
            lane: vec![false; usize::from(self.queued)],
            lane_of: Account::Source,
            intent: None,
            poster: Poster::Idle,
            posts: Vec::new(),
            leaked: false,
            chances: self.chances,
        };
        vec![with(Consent::In), with(Consent::Out)]
    }

    /// What can happen next.
    pub fn possible(&self, s: &State) -> Vec<Action> {
        let mut can = Vec::new();
        let mut when = |holds: bool, action: Action| can.extend(holds.then_some(action));
        for (n, worker) in s.workers.iter().enumerate() {
            when(*worker != Worker::Idle && s.chances.crashes > 0, Action::Crash(n));
            match worker {
                Worker::Idle => when(!s.lease && s.step != Step::Done, Action::Claim(n)),
                Worker::Claimed(_) => when(true, Action::Look(n)),
                Worker::Looked(..) | Worker::Noted(..) => when(true, Action::Write(n)),
            }
        }
        let holder_lives = s.workers.iter().any(|worker| worker.is_newest());
        when(s.lease && (!holder_lives || s.chances.dozes > 0), Action::LeaseEnds);
        when(self.back && s.run == Run::There && s.step == Step::Done, Action::TakeBack);
        when(s.chances.messages > 0, Action::Message);
        when(s.chances.words > 0, Action::Stop);
        when(s.chances.words > 0, Action::Start);
        when(s.poster != Poster::Idle && s.chances.crashes > 0, Action::PosterDies);
        match s.poster {
            Poster::Idle => when(s.lane.contains(&false), Action::Grasp),
            Poster::Claimed(..) => when(true, if s.intent.is_some() { Action::LookUp } else { Action::Intend }),
            Poster::Calling(..) => {
                when(true, Action::Call(End::Accepted));
                when(s.chances.calls > 0, Action::Call(End::AnswerLost));
                when(s.chances.calls > 0, Action::Call(End::RequestLost));
            }
            Poster::Called(..) => when(true, Action::Record),
        }
        can
    }

    /// What it leads to.
    pub fn after(&self, before: &State, action: Action) -> State {
        let mut s = before.clone();
        match action {
            Action::Claim(n) => {
                s.workers.iter_mut().for_each(|worker| *worker = worker.outdated());
                s.workers[n] = Worker::Claimed(true);
                s.lease = true;
            }
            Action::Look(n) => {
                let newest = s.workers[n].is_newest();
                let goes_on = s.step != Step::Done && (newest || !self.has(Guard::Fence));
                s.workers[n] = if goes_on { Worker::Looked(newest, s.run, s.step) } else { Worker::Idle };
            }
            Action::Write(n) => s.workers[n] = self.write(&mut s, before.workers[n]),
            Action::Crash(n) => {
                s.chances.crashes -= 1;
                s.workers[n] = Worker::Idle;
            }
            Action::LeaseEnds => {
                s.chances.dozes -= u8::from(s.workers.iter().any(|worker| worker.is_newest()));
                s.lease = false;
            }
            Action::TakeBack => (s.run, s.step) = (Run::Back, Step::Flip),
            Action::Message => {
                s.chances.messages -= 1;
                s.rows.push(s.owner);
                s.lane.push(false);
                s.lane_of = s.owner;
            }
            Action::Stop | Action::Start => {
                s.chances.words -= 1;
                s.said = if action == Action::Stop { Consent::Out } else { Consent::In };
                s.consent = s.said;
            }
            Action::PosterDies => {
                s.chances.crashes -= 1;
                s.poster = Poster::Idle;
            }
            Action::Grasp => s.poster = Poster::Claimed(true, s.lane_of),
            Action::Intend | Action::LookUp | Action::Call(_) | Action::Record => s.poster = deliver(&mut s, before.poster, action),
        }
        s.workers.sort_unstable();
        s
    }

    /// A batch; says where its worker is then.
    fn write(&self, s: &mut State, worker: Worker) -> Worker {
        let (newest, run, step) = match worker {
            Worker::Looked(newest, run, step) | Worker::Noted(newest, run, step) => (newest, run, step),
            Worker::Idle | Worker::Claimed(_) => return worker,
        };
        if self.has(Guard::Fence) && !newest {
            return Worker::Idle;
        }
        if matches!(worker, Worker::Looked(..)) {
            if step == Step::Flip && s.owner != run.from() {
                return Worker::Idle;
            }
            let watermark = if step == Step::Flip { s.rows.len() } else { s.watermark };
            if s.run == run {
                s.step = self.next(step, watermark);
            }
            // The flip is never half done.
            if !self.has(Guard::Checkpoint) && step != Step::Flip {
                return Worker::Noted(newest, run, step);
            }
        }
        match step {
            Step::Flip => {
                (s.owner, s.open, s.watermark) = (run.to(), false, s.rows.len());
                if self.has(Guard::Scope) {
                    (s.lane_of, s.poster) = (run.to(), s.poster.outdated());
                }
            }
            Step::Rows(n) => s.rows.iter_mut().take(s.watermark).skip(n).take(1).for_each(|row| *row = run.to()),
            Step::OptIns => {
                let guarded = self.has(Guard::OptOutMerge);
                if run == Run::There && (s.consent == Consent::In || !guarded) {
                    (s.consent, s.was_reset) = (Consent::Unknown, true);
                } else if run == Run::Back && s.was_reset && (s.consent == Consent::Unknown || !guarded) {
                    s.consent = Consent::In;
                }
            }
            Step::Open => s.open |= s.run == run,
            Step::Done => {}
        }
        if s.step == Step::Done {
            s.lease &= !newest;
            return Worker::Idle;
        }
        Worker::Claimed(newest)
    }

    fn next(&self, step: Step, watermark: usize) -> Step {
        match step {
            Step::Flip if watermark > 0 => Step::Rows(0),
            Step::Rows(n) if n + 1 < watermark => Step::Rows(n + 1),
            Step::Flip | Step::Rows(_) if self.resets => Step::OptIns,
            Step::Flip | Step::Rows(_) | Step::OptIns => Step::Open,
            Step::Open | Step::Done => Step::Done,
        }
    }
}

/// The lane's worker goes on; says where it is then.
fn deliver(s: &mut State, poster: Poster, action: Action) -> Poster {
    match (poster, action) {
        (Poster::Claimed(true, account), Action::Intend) => {
            let Some(message) = s.lane.iter().position(|posted| !posted) else { return Poster::Idle };
            let intent = Intent { message, account };
            s.leaked |= account != s.owner;
            s.intent = Some(intent);
            Poster::Calling(true, intent)
        }
        (Poster::Claimed(true, account), Action::LookUp) => {
            let Some(open) = s.intent else { return Poster::Idle };
            if s.posts.contains(&open) {
                s.lane[open.message] = true;
                s.intent = None;
            } else if open.account == account {
                s.leaked |= account != s.owner;
                return Poster::Calling(true, open);
            } else {
                s.intent = None;
            }
            Poster::Idle
        }
        (Poster::Calling(holds, intent), Action::Call(end)) => {
            s.chances.calls -= u8::from(end != End::Accepted);
            s.posts.extend((end != End::RequestLost).then_some(intent));
            Poster::Called(holds, intent, end)
        }
        (Poster::Called(true, intent, End::Accepted), Action::Record) => {
            s.lane[intent.message] = true;
            s.intent = None;
            Poster::Idle
        }
        _ => Poster::Idle,
    }
}

impl State {
    /// How many rows an account's people and programs see.
    pub fn sees(&self, model: &Transfer, account: Account) -> usize {
        match model.has(Guard::Scope) {
            true => {
                if self.owner == account {
                    self.rows.len()
                } else {
                    0
                }
            }
            false => self.rows.iter().filter(|row| **row == account).count(),
        }
    }
}
