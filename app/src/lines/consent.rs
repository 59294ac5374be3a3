//! One contact's consent on one line: what holds, why, all that was said, and setting it by hand.

use super::{line_of_path, no_such_line};
use crate::audit::audit_fact;
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, Cell, Choice, FaultView, Field, FormFault, Loading, Look, MomentField, PageHead, Panel, Select, SendForm, Sending,
    Table, Time, Tone, contact_number, fault_of, field_error, load, masked_note, query_field, toast_on_success, waits,
};
use leptos::prelude::*;
use switchyard::types::{ConsentDetail, ConsentSaid, ConsentState, ContactId, ConversationId, LineId, MessageId, Permission, Timestamp};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::messaging::consent::{self, SetByHand},
    switchyard::staff::may,
    switchyard::types::{ConsentOf, Problem},
};

/// Consent in a word.
pub fn consent_badge(of: Option<ConsentState>) -> impl IntoView {
    let (tone, word) = match of {
        Some(ConsentState::OptedIn) => (Tone::Good, ConsentState::OptedIn.name()),
        Some(ConsentState::OptedOut) => (Tone::Warning, ConsentState::OptedOut.name()),
        Some(ConsentState::Unknown) => (Tone::Plain, ConsentState::Unknown.name()),
        None => (Tone::Plain, "Never said"),
    };
    view! { <Badge tone=tone>{word}</Badge> }
}

/// Whose consent is asked for.
#[cfg(feature = "ssr")]
fn whose(conversation: Option<ConversationId>, contact: Option<ContactId>, message: Option<MessageId>) -> Result<ConsentOf, Fault> {
    match (conversation, contact, message) {
        (Some(id), ..) => Ok(ConsentOf::Conversation(id)),
        (None, Some(id), _) => Ok(ConsentOf::Contact(id)),
        (None, None, Some(id)) => Ok(ConsentOf::Message(id)),
        (None, None, None) => Err(Problem::not_found("There is no such contact. The address may be mistyped.").into()),
    }
}

/// The consent of a line and a contact, who is named by their conversation, by themselves, or by a message of the line.
#[server(prefix = "/fn", output = Reply, endpoint = "consent/get")]
pub async fn read_consent(
    line: LineId,
    conversation: Option<ConversationId>,
    contact: Option<ContactId>,
    message: Option<MessageId>,
) -> Result<ConsentDetail, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(consent::of(&services()?.db, &permit, line, whose(conversation, contact, message)?).await?)
}

/// Sets it by hand. `seen` is when what was seen was said; `at` is a moment in UTC as a form has it, or empty for now.
#[server(prefix = "/fn", output = Reply, endpoint = "consent/set")]
#[allow(clippy::too_many_arguments, reason = "they are the fields of a form")]
pub async fn set_consent(
    line: LineId,
    conversation: Option<ConversationId>,
    contact: Option<ContactId>,
    message: Option<MessageId>,
    seen: Option<Timestamp>,
    state: ConsentState,
    #[server(default)] at: String,
    #[server(default)] reason: String,
) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let at = match at.trim() {
        "" => None,
        text => {
            let moment = Timestamp::from_rfc3339(&format!("{text}:00Z")).or_else(|| Timestamp::from_rfc3339(&format!("{text}Z")));
            Some(moment.ok_or_else(|| Problem::invalid("at", "Write a moment, such as 2026-11-21T09:00, or nothing for now."))?)
        }
    };
    let wish = SetByHand { seen, out: state == ConsentState::OptedOut, at, reason };
    consent::set(&services.db, &services.now, &permit, line, whose(conversation, contact, message)?, &wish).await?;
    Ok(())
}

/// Consent of a line and a contact.
#[component]
pub fn ConsentPage() -> impl IntoView {
    let id = line_of_path();
    let [conversation, contact, message] = ["conversation", "contact", "message"].map(query_field);
    let action = Sending::to::<SetConsent>();
    let looks = RwSignal::new(0_u32);
    action.on_success(move || looks.update(|looks| *looks += 1));
    toast_on_success(action, "Consent was set.");
    let found = load(
        move || (id.get(), conversation.get(), contact.get(), message.get(), looks.get()),
        |(id, conversation, contact, message, _)| async move {
            let Some(id) = id else { return Err(no_such_line()) };
            let whose = (conversation.parse().ok(), contact.parse().ok(), message.parse().ok());
            Ok((whose, read_consent(id, whose.0, whose.1, whose.2).await?))
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((whose, consent))) => {
                        let form = me
                            .may(Permission::ManageDirectory)
                            .then(|| form(whose, &consent, action, looks));
                        whole(consent, whose.2, me.may(Permission::SeeAudit), form).into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole<T: IntoView>(consent: ConsentDetail, message: Option<MessageId>, sees_audit: bool, form: Option<T>) -> impl IntoView {
    let state = consent.now.as_ref().map(|now| now.state);
    let line = consent.line_id;
    let contact = match consent.contact {
        Some(id) => view! {
            <a class="text-link" href=format!("/contacts/{id}")>{contact_number(&consent.number)}</a>
        }
        .into_any(),
        None => contact_number(&consent.number).into_any(),
    };
    let conversation = match consent.conversation {
        Some(id) => view! { <a class="text-link" href=format!("/lines/{line}/conversations/{id}")>"Open it"</a> }.into_any(),
        None => "None".into_any(),
    };
    let now = consent.now.clone().map(|now| {
        view! {
            <dt>"Since"</dt>
            <dd>{(now.at.0 > 0).then(|| view! { <Time at=now.at /> })} {(now.at.0 == 0).then_some("Not known")}</dd>
            <dt>"Source"</dt>
            <dd>{now.source.name()}</dd>
            <dt>"Evidence"</dt>
            <dd>{now.evidence.unwrap_or_else(|| "–".to_owned())}</dd>
        }
    });
    let erased = consent.is_erased.then(|| {
        view! { <p class="muted mt-3 text-sm">"They had opted out and were erased since. Nothing is texted to them until they write START."</p> }
    });
    view! {
        <PageHead
            title="Consent"
            above=vec![
                ("Lines".to_owned(), "/lines".to_owned()),
                (consent.line_number.readable(), format!("/lines/{line}")),
                ("Conversations".to_owned(), format!("/lines/{line}/conversations")),
            ]
            beside=move || consent_badge(state)
        />
        {masked_note(consent.number.whole().is_none())}
        <div class="grid items-start gap-4 lg:grid-cols-2">
            <Panel title="What holds">
                <dl class="facts">
                    <dt>"Contact"</dt>
                    <dd>{contact}</dd>
                    <dt>"Line"</dt>
                    <dd>
                        <a class="text-link" href=format!("/lines/{line}")>{consent.line}</a>
                    </dd>
                    <dt>"Account"</dt>
                    <dd>
                        <a class="text-link" href=format!("/accounts/{}", consent.account_id)>{consent.account}</a>
                    </dd>
                    <dt>"Conversation"</dt>
                    <dd>{conversation}</dd>
                    {now}
                    // An entry is about that by which its writer came to this page.
                    {consent.contact.map(|id| audit_fact(sees_audit, id.0, "Audit of this contact"))}
                    {consent.conversation.map(|id| audit_fact(sees_audit, id.0, "Audit of this conversation"))}
                    {message.map(|id| audit_fact(sees_audit, id.0, "Audit of this message"))}
                </dl>
                {erased}
            </Panel>
            {form}
            <section class="panel min-w-0 lg:col-span-2">
                <header class="border-b border-base-300 px-4 py-3">
                    <h2 class="font-semibold">"History"</h2>
                </header>
                {history(consent.history)}
            </section>
        </div>
    }
}

fn history(said: Vec<ConsentSaid>) -> impl IntoView {
    if said.is_empty() {
        return view! { <p class="muted px-4 py-4">"Nothing was ever said. Messages are sent until the contact opts out."</p> }.into_any();
    }
    let row = |said: ConsentSaid| {
        view! {
            <tr role="row">
                <Cell of="When">
                    {(said.at.0 > 0).then(|| view! { <Time at=said.at /> })} {(said.at.0 == 0).then_some("Not known")}
                </Cell>
                <Cell of="What">{consent_badge(Some(said.state))}</Cell>
                <Cell of="Source">{said.source.name()}</Cell>
                <Cell of="Evidence">{said.evidence.unwrap_or_else(|| "–".to_owned())}</Cell>
            </tr>
        }
    };
    view! {
        <Table label="All that was said" head=&["When", "What", "Source", "Evidence"]>
            {said.into_iter().map(row).collect_view()}
        </Table>
    }
    .into_any()
}

/// Whose consent the page was asked for.
type Whose = (Option<ConversationId>, Option<ContactId>, Option<MessageId>);

fn form((conversation, contact, message): Whose, consent: &ConsentDetail, action: Sending, looks: RwSignal<u32>) -> impl IntoView + use<> {
    let fault = fault_of(action);
    let line = consent.line_id;
    let is_out = consent.now.as_ref().is_some_and(|now| now.state == ConsentState::OptedOut);
    let states = [ConsentState::OptedOut, ConsentState::OptedIn];
    let states = states.into_iter().filter(|state| !is_out || *state == ConsentState::OptedIn);
    let states = states.map(|state| Choice::new(state.as_str(), state.name())).collect::<Vec<_>>();
    let seen = consent.now.as_ref().map(|now| now.at.0);
    view! {
        <Panel title="Set it by hand" note="An opt-out holds at once. An opt-in lifts one only if it was given later; the reason is its evidence.">
            <SendForm action=action>
                <div class="flex max-w-md flex-col gap-3">
                    <FormFault fault=fault fields=&["at", "reason"] />
                    {crate::accounts::look_again(action, looks)}
                    <input type="hidden" name="line" value=line.to_string() />
                    {conversation.map(|id| view! { <input type="hidden" name="conversation" value=id.to_string() /> })}
                    {contact.map(|id| view! { <input type="hidden" name="contact" value=id.to_string() /> })}
                    {message.map(|id| view! { <input type="hidden" name="message" value=id.to_string() /> })}
                    {seen.map(|seen| view! { <input type="hidden" name="seen" value=seen.to_string() /> })}
                    <Select label="Consent" name="state" choices=states />
                    <MomentField label="When they said so" name="at" help="Empty: now." error=field_error(fault, "at") />
                    <Field
                        label="Why, and where it is written down" name="reason"
                        help="Such as a form or a ticket. It is kept with what they said, and goes when they are erased." error=field_error(fault, "reason")
                    />
                    <div>
                        <Button look=Look::Main pending=waits(action)>
                            "Set consent"
                        </Button>
                    </div>
                </div>
            </SendForm>
        </Panel>
    }
}
