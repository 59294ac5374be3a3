//! What agents write in the RingCentral app: a post in a chat of ours becomes an SMS to the contact, once, in order.
//!
//! The rule: a post and what became of it are written in one transaction, under the post's id, so that an event that comes twice,
//! or is found by reading the chat, changes nothing. Our own posts come back as echoes; they are known by their reference.
//! What came waits for no call: events are worked off by themselves, and calls are made beside them, of several connections at a time.

mod calls;
mod news;
mod not_reached;
mod post;
mod read;
mod work_off;

use crate::clock::Now;
use crate::db::{Db, Result};
use crate::ringcentral::Client;
use crate::work::faults::Guard;
pub use not_reached::{NotReached, reply_did_not_arrive};
pub(super) use post::plain;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What is being read is left to another worker after this time.
const READING: Duration = Duration::from_secs(60);
const CALL: Duration = Duration::from_secs(15);

/// Works off events and reads chats; cheap to clone.
#[derive(Debug, Clone)]
pub struct Agents {
    db: Db,
    now: Now,
    client: Client,
    broken: Option<Guard>,
}

impl Agents {
    /// A worker of events.
    pub fn new(db: Db, now: Now, client: Client) -> Self {
        Self { db, now, client, broken: None }
    }

    /// The same without a guard that a test took out.
    pub fn without(self, broken: Option<Guard>) -> Self {
        Self { broken, ..self }
    }

    /// Works until told to stop: what came is worked off, whatever calls are under way; of each connection one call is at a time.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.listen(&stop), self.call(&stop));
    }

    /// Works off what waits now and makes the calls that are due, one after the other, and says how much it was. For tests.
    ///
    /// # Errors
    /// What the database says.
    pub async fn step(&self) -> Result<usize> {
        let never = CancellationToken::new();
        let mut count = self.work_off_all(&never).await?;
        for connection in self.due().await? {
            count += self.see_to(connection, &never).await?;
        }
        Ok(count)
    }
}
