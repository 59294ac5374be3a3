//! One contact's consent on one line: what holds, why, all that was said, and setting it by hand.

use super::{line_of_path, no_such_line};
use crate::audit::audit_fact;
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Badge, Button, Cell, Choice, FaultView, Field, FormFault, Loading, Look, MomentField, PageHead, Panel, Select, SendForm, Sending,
    Table, Time, Tone, contact_number, fault_of, field_error, load, look_again, masked_note, query_field, toast_on_success, waits,
};
use leptos::prelude::*;
use switchyard::types::{ConsentDetail, ConsentOf, ConsentSaid, ConsentState, LineId, Permission, Problem, Timestamp};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::messaging::consent::{self, SetByHand},
    switchyard::staff::may,
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

/// Whose consent the page's address asks for.
fn whose(conversation: &str, contact: &str, message: &str) -> Option<ConsentOf> {
    let of_conversation = conversation.parse().ok().map(ConsentOf::Conversation);
    let of_contact = || contact.parse().ok().map(ConsentOf::Contact);
    of_conversation.or_else(of_contact).or_else(|| message.parse().ok().map(ConsentOf::Message))
}

/// The consent of a line and a contact, who is named by their conversation, by themselves, or by a message of the line.
#[server(prefix = "/fn", output = Reply, endpoint = "consent/get")]
pub async fn read_consent(line: LineId, of: ConsentOf) -> Result<ConsentDetail, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(consent::of(&services()?.db, &permit, line, of).await?)
}

/// Sets it by hand. `seen` is when what was seen was said; `at` is a moment in UTC as a form has it, or empty for now.
#[server(prefix = "/fn", output = Reply, endpoint = "consent/set")]
pub async fn set_consent(
    line: LineId,
    of: ConsentOf,
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
    consent::set(&services.db, &services.now, &permit, line, of, &wish).await?;
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
            let nobody = || Problem::not_found("There is no such contact. The address may be mistyped.");
            let of = whose(&conversation, &contact, &message).ok_or_else(nobody)?;
            Ok((of, read_consent(id, of).await?))
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((of, consent))) => {
                        let form = me.may(Permission::ManageDirectory).then(|| form(of, &consent, action, looks));
                        whole(consent, of, me.may(Permission::SeeAudit), form).into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole<T: IntoView>(consent: ConsentDetail, of: ConsentOf, sees_audit: bool, form: Option<T>) -> impl IntoView {
    let message = if let ConsentOf::Message(id) = of { Some(id) } else { None };
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

fn form(of: ConsentOf, consent: &ConsentDetail, action: Sending, looks: RwSignal<u32>) -> impl IntoView + use<> {
    let (field, id) = match of {
        ConsentOf::Conversation(id) => ("of[conversation]", id.to_string()),
        ConsentOf::Contact(id) => ("of[contact]", id.to_string()),
        ConsentOf::Message(id) => ("of[message]", id.to_string()),
    };
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
                    {look_again(action, looks)}
                    <input type="hidden" name="line" value=line.to_string() />
                    <input type="hidden" name=field value=id />
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
