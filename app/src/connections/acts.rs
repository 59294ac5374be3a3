//! What staff do about a connection on its page: test, pause, resume, look for people again.

use super::Whole;
use crate::fault::{Fault, Reply};
use crate::live::Followed;
use crate::ui::{Button, ButtonLink, ConfirmFold, FormFault, Look, SendForm, Sending, fault_of, toast_on_success, waits};
use leptos::prelude::*;
use switchyard::types::{ConnectionId, ConnectionState};

#[cfg(feature = "ssr")]
use {
    crate::context::{is_plain_form, permit, services},
    switchyard::ringcentral,
    switchyard::staff::may,
};

/// Signs in and reads as whom; changes nothing in RingCentral.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/test")]
pub async fn test_connection(id: ConnectionId) -> Result<String, Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let name = ringcentral::test(&services()?.ringcentral, &permit, id).await?;
    if is_plain_form() {
        leptos_axum::redirect(&format!("/connections/{id}?done=tested"));
    }
    Ok(name)
}

/// Pauses a connection.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/pause")]
pub async fn pause_connection(id: ConnectionId, version: i64) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(ringcentral::pause(&services.db, &services.now, &permit, id, version).await?)
}

/// Lets a paused connection go on.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/resume")]
pub async fn resume_connection(id: ConnectionId, version: i64) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(ringcentral::resume(&services.db, &services.now, &permit, id, version).await?)
}

/// Looks once more for the people whom RingCentral did not know.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/people")]
pub async fn try_people_again(id: ConnectionId, version: i64) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(ringcentral::try_people_again(&services.db, &services.now, &permit, id, version).await?)
}

/// The acts of a connection's page.
#[derive(Clone, Copy)]
pub struct Acts {
    id: ConnectionId,
    followed: Followed<Whole>,
    test: Sending,
    pause: Sending,
    resume: Sending,
    people: Sending,
}

impl Acts {
    /// Those of this connection; the page is read anew after each.
    pub fn new(id: ConnectionId, followed: Followed<Whole>) -> Self {
        let acts = Self {
            id,
            followed,
            test: Sending::to::<TestConnection>(),
            pause: Sending::to::<PauseConnection>(),
            resume: Sending::to::<ResumeConnection>(),
            people: Sending::to::<TryPeopleAgain>(),
        };
        for act in [acts.test, acts.pause, acts.resume, acts.people] {
            act.on_answer(move || followed.read_again());
        }
        toast_on_success(acts.pause, "The connection is paused.");
        toast_on_success(acts.resume, "The connection goes on.");
        toast_on_success(acts.people, "The people are looked for again.");
        acts
    }

    /// Which connection, and the version that the reader sees.
    fn named(self) -> impl IntoView {
        let version = move || self.followed.now.with(|whole| whole.detail.row.version.to_string());
        view! {
            <input type="hidden" name="id" value=self.id.to_string() />
            <input type="hidden" name="version" value=version />
        }
    }

    /// The buttons beside the connection's name.
    pub fn buttons(self) -> impl IntoView {
        let is_paused =
            Memo::new(move |_| self.followed.now.with(|whole| matches!(whole.detail.row.state, ConnectionState::Paused { .. })));
        let page = format!("/connections/{}", self.id);
        view! {
            <SendForm action=self.test>
                <input type="hidden" name="id" value=self.id.to_string() />
                <Button pending=waits(self.test)>"Test"</Button>
            </SendForm>
            <Show
                when=move || is_paused.get()
                fallback=move || {
                    view! {
                        <ConfirmFold label="Pause" of="the connection" plain=true>
                            <p>
                                "Nothing is called: posts wait in their order, and what agents write arrives after it goes on. SMS are sent as before."
                            </p>
                            <SendForm action=self.pause>
                                {self.named()}
                                <Button look=Look::Main pending=waits(self.pause)>
                                    "Pause the connection"
                                </Button>
                            </SendForm>
                        </ConfirmFold>
                    }
                }
            >
                <SendForm action=self.resume>
                    {self.named()} <Button look=Look::Main pending=waits(self.resume)>
                        "Resume"
                    </Button>
                </SendForm>
            </Show>
            <ButtonLink href=format!("{page}/secrets")>"New secrets…"</ButtonLink>
            <ButtonLink href=format!("{page}/remove")>"Remove…"</ButtonLink>
        }
    }

    /// Whether one of them has ended: what was done before this page is past then.
    pub fn has_outcome(self) -> Signal<bool> {
        Signal::derive(move || [self.test, self.pause, self.resume, self.people].iter().any(|act| act.answer().with(Option::is_some)))
    }

    /// How the latest act ended, where it did not go well, and as whom a test signed in.
    pub fn outcome(self) -> impl IntoView {
        let tested = move || {
            let name = self.test.answer().with(|answer| serde_json::from_str::<String>(answer.as_ref()?.as_ref().ok()?).ok())?;
            Some(view! {
                <p class="alert alert-success alert-soft mb-4 py-2.5 text-sm">
                    "It works: RingCentral accepts the credential. Posts are written as “" {name} "”."
                </p>
            })
        };
        view! {
            <div role="status" class="empty:absolute">{tested}</div>
            <div class="flex flex-col gap-2 not-empty:has-[.alert]:mb-4">
                <FormFault fault=fault_of(self.test) />
                <FormFault fault=fault_of(self.pause) />
                <FormFault fault=fault_of(self.resume) />
                <FormFault fault=fault_of(self.people) />
            </div>
        }
    }

    /// The button that has people looked for again.
    pub fn people_button(self) -> impl IntoView {
        view! {
            <SendForm action=self.people>
                {self.named()} <Button pending=waits(self.people)>"Look for them again"</Button>
            </SendForm>
        }
    }
}
