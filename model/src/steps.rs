//! What can happen in a state, and what it leads to.

use super::{Action, BLAST, Blast, Delivery, End, Entry, Event, Guard, Intent, Message, Place, Post, State, Worker};

impl Delivery {
    fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// How it begins: RingCentral takes every message, or all but one.
    pub fn begin(&self) -> Vec<State> {
        let with = |unwanted| State {
            blast: Blast::ToSend,
            webhooks: (1..=self.replies).collect(),
            lane: Vec::new(),
            lease: false,
            due: false,
            intent: None,
            written: 0,
            reference: 0,
            workers: vec![Worker::Idle; 2],
            posts: Vec::new(),
            late: Vec::new(),
            events: Vec::new(),
            agent_wrote: false,
            answers: 0,
            echoed: false,
            faults: self.faults,
            unwanted,
        };
        vec![with(None), with(Some(BLAST))]
    }

    /// What can happen next.
    pub fn possible(&self, s: &State) -> Vec<Action> {
        let mut can = Vec::new();
        let queued: Vec<&Place> = s.lane.iter().filter(|place| place.entry == Entry::Queued).collect();
        let mut when = |holds: bool, action: Action| can.extend(holds.then_some(action));
        when(s.blast == Blast::ToSend, Action::Send);
        when(s.blast == Blast::Held, Action::CarrierAccepts);
        for reply in &s.webhooks {
            when(true, Action::Webhook(*reply, false));
            when(s.faults.repeats > 0, Action::Webhook(*reply, true));
        }
        for (n, worker) in s.workers.iter().enumerate() {
            when(*worker != Worker::Idle && s.faults.crashes > 0, Action::Crash(n));
            match worker {
                Worker::Idle => {
                    when(s.due && !queued.is_empty() && !(s.lease && self.has(Guard::LaneLock)), Action::Claim(n));
                }
                Worker::Claimed(_) if s.intent.is_some() => when(true, Action::LookUp(n)),
                Worker::Claimed(_) => {
                    let together = queued.iter().skip(1).take_while(|place| !place.alone).count();
                    let most = if queued.first().is_some_and(|place| place.alone) { 1 } else { queued.len().min(1 + together) };
                    (queued.len().min(1)..=most).for_each(|count| when(true, Action::Prepare(n, count)));
                }
                Worker::Prepared(..) => when(true, Action::Write(n)),
                Worker::Absent(..) => {
                    when(true, Action::Write(n));
                    // It rests only for staff's sake, and once after each call.
                    let rests = |open: &Intent| s.faults.skips > 0 && !open.absent;
                    when(s.intent.as_ref().is_some_and(|open| open.post.messages.len() > 1 || rests(open)), Action::GiveUp(n));
                }
                Worker::Calling(_, post) => {
                    let refused = s.unwanted.is_some_and(|unwanted| post.messages.contains(&unwanted));
                    when(!refused, Action::Call(n, End::Accepted));
                    when(refused, Action::Call(n, End::Refused));
                    for end in [End::AnswerLost, End::Late, End::RequestLost, End::TurnedAway] {
                        let possible = !refused || matches!(end, End::RequestLost | End::TurnedAway);
                        when(possible && s.faults.calls > 0, Action::Call(n, end));
                    }
                }
                Worker::Called(_, post, _) if s.written >> post.reference & 1 == 0 => when(true, Action::Write(n)),
                Worker::Called(..) => when(true, Action::Record(n)),
            }
        }
        let holder_lives = s.workers.iter().any(Worker::is_newest);
        when(s.lease && (!holder_lives || s.faults.dozes > 0), Action::LeaseEnds);
        let calling = s.workers.iter().any(|worker| matches!(worker, Worker::Calling(..)));
        let unsettled = s.intent.as_ref().is_some_and(|intent| !intent.settled);
        when(unsettled && !calling && s.late.is_empty(), Action::Settles);
        when(!s.due && !queued.is_empty() && !unsettled, Action::PauseEnds);
        when(!s.due && !queued.is_empty() && unsettled && s.faults.retries > 0, Action::Retry);
        for message in s.intent.iter().filter(|open| open.absent).flat_map(|open| &open.post.messages) {
            when(s.faults.skips > 0, Action::Skip(*message));
        }
        when(!s.late.is_empty(), Action::Appears);
        when(self.agents && !s.agent_wrote && !s.posts.is_empty(), Action::AgentWrites);
        for event in &s.events {
            when(true, Action::Event(*event, false));
            when(s.faults.repeats > 0, Action::Event(*event, true));
        }
        can
    }

    /// What it leads to.
    pub fn after(&self, before: &State, action: Action) -> State {
        let mut s = before.clone();
        match action {
            Action::Send => s.blast = Blast::Held,
            Action::CarrierAccepts => s.blast = Blast::Releasable,
            Action::Webhook(reply, again) => {
                match again {
                    true => s.faults.repeats -= 1,
                    false => s.webhooks.retain(|waits| *waits != reply),
                }
                s.arrives(reply);
            }
            Action::Claim(n) => {
                if self.has(Guard::LaneLock) {
                    s.workers.iter_mut().for_each(Worker::outdate);
                }
                s.lease = true;
                s.workers[n] = Worker::Claimed(true);
            }
            Action::Prepare(n, 0) => {
                let claim = std::mem::replace(&mut s.workers[n], Worker::Idle);
                self.let_go(&mut s, &claim, false);
            }
            Action::Prepare(n, count) => {
                let queued = s.lane.iter().filter(|place| place.entry == Entry::Queued).map(|place| place.message);
                s.workers[n] = Worker::Prepared(s.workers[n].is_newest(), queued.take(count).collect());
            }
            Action::LookUp(n) => {
                let claim = std::mem::replace(&mut s.workers[n], Worker::Idle);
                let Some(open) = s.intent.clone() else { return s };
                let listed = s.posts.iter().any(|post| post.reference == open.post.reference);
                if self.has(Guard::Settle) && !open.settled {
                    self.let_go(&mut s, &claim, false);
                } else if self.has(Guard::LookUp) && listed {
                    s.workers[n] = Worker::Called(claim.is_newest(), open.post, End::Accepted);
                } else {
                    s.workers[n] = Worker::Absent(claim.is_newest(), open.post.reference);
                }
            }
            Action::Write(n) => self.write(&mut s, n),
            Action::GiveUp(n) => {
                let worker = std::mem::replace(&mut s.workers[n], Worker::Idle);
                self.give_up(&mut s, &worker);
            }
            Action::Call(n, end) => {
                let Worker::Calling(newest, post) = s.workers[n].clone() else { return s };
                s.faults.calls -= u8::from(!matches!(end, End::Accepted | End::Refused));
                match end {
                    End::Accepted | End::AnswerLost => self.stands(&mut s, post.clone()),
                    End::Late => s.late.push(post.clone()),
                    End::RequestLost | End::TurnedAway | End::Refused => {}
                }
                s.workers[n] = Worker::Called(newest, post, end);
            }
            Action::Record(n) => {
                let worker = std::mem::replace(&mut s.workers[n], Worker::Idle);
                self.record(&mut s, &worker);
            }
            Action::Crash(n) => {
                s.faults.crashes -= 1;
                s.workers[n] = Worker::Idle;
            }
            Action::LeaseEnds => {
                let holder_lives = s.workers.iter().any(Worker::is_newest);
                s.faults.dozes -= u8::from(holder_lives);
                s.lease = false;
            }
            Action::Settles => {
                s.intent.iter_mut().for_each(|intent| intent.settled = true);
                s.due = true;
            }
            Action::PauseEnds => s.due = true,
            Action::Retry => {
                s.faults.retries -= 1;
                s.due = true;
            }
            Action::Skip(message) => {
                s.faults.skips -= 1;
                s.workers.iter_mut().for_each(Worker::outdate);
                let Some(open) = s.intent.take() else { return s };
                for place in s.lane.iter_mut().filter(|place| place.intent == Some(open.post.reference)) {
                    place.intent = None;
                    if place.message == message {
                        place.entry = Entry::Skipped;
                    }
                }
                (s.lease, s.due) = (false, true);
            }
            Action::Appears => {
                let post = s.late.remove(0);
                self.stands(&mut s, post);
            }
            Action::AgentWrites => {
                s.agent_wrote = true;
                s.events.push(Event::Agent);
            }
            Action::Event(event, again) => {
                match again {
                    true => s.faults.repeats -= 1,
                    false => s.events.retain(|waits| *waits != event),
                }
                match event {
                    // Written down under the post's id: a second time it is known.
                    Event::Agent => s.answers = 1,
                    Event::Echo(reference) => s.echoed |= !(self.has(Guard::Echo) && s.written >> reference & 1 == 1),
                }
            }
        }
        s.workers.sort();
        s.events.sort();
        s
    }

    /// A post stands in the chat, and RingCentral tells us.
    fn stands(&self, s: &mut State, post: Post) {
        s.events.extend(self.agents.then_some(Event::Echo(post.reference)));
        s.posts.push(post);
    }

    /// Whether this worker's writes count.
    fn holds(&self, worker: &Worker) -> bool {
        !self.has(Guard::Fence) || worker.is_newest()
    }

    fn let_go(&self, s: &mut State, worker: &Worker, due: bool) {
        if self.holds(worker) {
            (s.lease, s.due) = (false, due);
        }
    }

    /// Commits an intent, or that an open one is called again; a worker that may not is done.
    fn write(&self, s: &mut State, n: usize) {
        let worker = std::mem::replace(&mut s.workers[n], Worker::Idle);
        let holds = self.holds(&worker);
        s.workers[n] = match worker {
            Worker::Prepared(newest, messages) => {
                let post = Post { reference: s.reference + 1, messages };
                if self.has(Guard::Intent) && !(holds && s.open(&post)) {
                    return;
                }
                s.reference += 1;
                Worker::Calling(newest, post)
            }
            Worker::Called(_, ref post, _) if holds && s.open(post) => worker,
            Worker::Absent(newest, reference) if holds => match &mut s.intent {
                Some(open) if open.post.reference == reference => {
                    (open.settled, open.absent) = (false, false);
                    Worker::Calling(newest, open.post.clone())
                }
                _ => return,
            },
            _ => return,
        };
    }

    /// Ends an open intent that is not there and holds several messages like one that is refused; one message rests.
    fn give_up(&self, s: &mut State, worker: &Worker) {
        let Worker::Absent(newest, reference) = worker else { return };
        let holds = self.holds(worker);
        match &mut s.intent {
            Some(open) if holds && open.post.reference == *reference => {
                if open.post.messages.len() > 1 {
                    let called = Worker::Called(*newest, open.post.clone(), End::Refused);
                    self.record(s, &called);
                } else {
                    open.absent = true;
                    self.let_go(s, worker, false);
                }
            }
            _ => {}
        }
    }

    fn record(&self, s: &mut State, worker: &Worker) {
        let Worker::Called(_, post, end) = worker else { return };
        if !self.holds(worker) {
            return;
        }
        let unknown = matches!(end, End::AnswerLost | End::Late | End::RequestLost);
        self.let_go(s, worker, !unknown);
        if unknown {
            return;
        }
        s.intent.take_if(|open| open.post.reference == post.reference);
        let with_it = |place: &&mut Place| place.intent == Some(post.reference) && place.entry == Entry::Queued;
        for place in s.lane.iter_mut().filter(with_it) {
            place.intent = None;
            match end {
                End::Accepted => place.entry = Entry::Posted,
                End::Refused if post.messages.len() == 1 => place.entry = Entry::Failed,
                End::Refused => place.alone = true,
                _ => {}
            }
        }
    }
}

impl State {
    /// A reply comes in, once: what is releasable goes before it.
    fn arrives(&mut self, reply: Message) {
        if self.lane.iter().any(|place| place.message == reply) {
            return;
        }
        self.due |= self.lane.iter().all(|place| place.entry != Entry::Queued);
        if self.blast == Blast::Releasable {
            self.blast = Blast::Released;
            self.lane.push(Place::of(BLAST));
        }
        self.lane.push(Place::of(reply));
    }

    /// Commits the intent; there is room for one.
    fn open(&mut self, post: &Post) -> bool {
        if self.intent.is_some() {
            return false;
        }
        self.intent = Some(Intent { post: post.clone(), settled: false, absent: false });
        self.written |= 1 << post.reference;
        for place in self.lane.iter_mut().filter(|place| post.messages.contains(&place.message)) {
            place.intent = Some(post.reference);
        }
        true
    }
}

impl Place {
    fn of(message: Message) -> Self {
        Self { message, entry: Entry::Queued, intent: None, alone: false }
    }
}

impl Worker {
    fn is_newest(&self) -> bool {
        match self {
            Self::Idle => false,
            Self::Claimed(newest) | Self::Prepared(newest, _) | Self::Absent(newest, _) | Self::Calling(newest, _) => *newest,
            Self::Called(newest, ..) => *newest,
        }
    }

    /// Another one has claimed the lane.
    fn outdate(&mut self) {
        match self {
            Self::Idle => {}
            Self::Claimed(newest) | Self::Prepared(newest, _) | Self::Absent(newest, _) | Self::Calling(newest, _) => *newest = false,
            Self::Called(newest, ..) => *newest = false,
        }
    }
}
