//! One contact of an account: name and note, their conversation and consent on each line, closing and opening again.

use super::above_account;
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me, who_am_i};
use crate::lines::consent_badge;
use crate::ui::{
    Button, Cell, ConfirmFold, EditFold, Empty, FaultView, Field, FormFault, Loading, Look, Number, PageHead, Panel, SendForm, Sending,
    Table, TextArea, Time, closed_badge, closed_fact, contact_number, fault_of, field_error, id_of_path, load, look_again, masked_note,
    mistyped, waits,
};
use leptos::prelude::*;
use switchyard::types::{AccountId, ConsentState, ContactDetail, ContactId, ContactLine, ConversationId, LineId, Permission, counted};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::staff::may,
    switchyard::types::{PhoneNumber, Problem},
    switchyard::{directory, messaging, sync},
};

/// A contact, whole.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/get")]
pub async fn get_contact(id: ContactId) -> Result<ContactDetail, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(directory::contacts::get(&services()?.db, &permit, id).await?)
}

/// A contact on the lines of their account.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/lines")]
pub async fn lines_of_contact(id: ContactId) -> Result<Vec<ContactLine>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    Ok(messaging::lines_of_contact(&services()?.db, &permit, id).await?)
}

/// Edits a contact's name and note.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/edit")]
pub async fn edit_contact(id: ContactId, version: i64, name: String, #[server(default)] note: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::contacts::edit(&services.db, &services.now, &permit, id, version, &name, &note).await?)
}

/// Makes a number a contact of an account, by giving it a name.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/add")]
pub async fn add_contact(account: AccountId, #[server(default)] number: String, #[server(default)] name: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let number = PhoneNumber::parse(&number)
        .map_err(|_| Problem::invalid("number", "Write the number with + and the country code, such as +1 202 555 0143."))?;
    let id = directory::contacts::name_contact(&services.db, &services.now, &permit, account, &number, &name).await?;
    leptos_axum::redirect(&format!("/contacts/{id}"));
    Ok(())
}

/// Gives the contact of a conversation a name.
#[server(NameContactFn, prefix = "/fn", output = Reply, endpoint = "contacts/name")]
pub async fn name_contact(line: LineId, conversation: ConversationId, #[server(default)] name: String) -> Result<(), Fault> {
    let (permit, sees) = (permit::<may::ManageDirectory>().await?, permit::<may::SeeMessages>().await?);
    let services = services()?;
    let of = sync::find_conversation(&services.db, &sees, line, conversation).await?;
    let refused = || Problem::forbidden("Your roles do not let you see contacts’ names and numbers. Ask an administrator for it.");
    let number = of.number.whole().ok_or_else(refused)?;
    let id = directory::contacts::name_contact(&services.db, &services.now, &permit, of.account_id, number, &name).await?;
    leptos_axum::redirect(&format!("/contacts/{id}"));
    Ok(())
}

/// Closes a contact, or opens them again.
#[server(prefix = "/fn", output = Reply, endpoint = "contacts/close")]
pub async fn close_contact(id: ContactId, version: i64, closed: bool) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::contacts::set_closed(&services.db, &services.now, &permit, id, version, closed).await?)
}

/// The form that adds a contact, folded.
pub fn add_contact_fold(account: AccountId, name: &str, action: Sending) -> impl IntoView + use<> {
    let fault = fault_of(action);
    view! {
        <EditFold label="Add contact" of=format!("to {name}") plain=true>
            <SendForm action=action>
                <div class="flex w-72 max-w-full flex-col gap-3">
                    <FormFault fault=fault fields=&["number", "name"] />
                    <input type="hidden" name="account" value=account.to_string() />
                    <Field
                        label="Number" name="number" kind="tel" inputmode="tel" help="With + and the country code, as in +1 202 555 0143."
                        error=field_error(fault, "number")
                    />
                    <Field label="Name" name="name" error=field_error(fault, "name") />
                    <div>
                        <Button look=Look::Main pending=waits(action)>
                            "Add contact"
                        </Button>
                    </div>
                </div>
            </SendForm>
        </EditFold>
    }
}

/// The form that gives a conversation's contact a name, folded.
#[component]
pub fn NameContact(
    /// The line.
    line: LineId,
    /// The conversation.
    conversation: ConversationId,
) -> impl IntoView {
    let action = Sending::to::<NameContactFn>();
    let fault = fault_of(action);
    view! {
        <EditFold label="Name this contact" of="">
            <SendForm action=action>
                <div class="flex w-64 max-w-full flex-col gap-3">
                    <FormFault fault=fault fields=&["name"] />
                    <input type="hidden" name="line" value=line.to_string() />
                    <input type="hidden" name="conversation" value=conversation.to_string() />
                    <Field label="Name" name="name" id="contact-name" help="As the account knows them." error=field_error(fault, "name") />
                    <div>
                        <Button look=Look::Main pending=waits(action)>
                            "Save"
                        </Button>
                    </div>
                </div>
            </SendForm>
        </EditFold>
    }
}

/// One contact.
#[component]
pub fn ContactPage() -> impl IntoView {
    let id = id_of_path::<ContactId>();
    let (edit, close) = (Sending::to::<EditContact>(), Sending::to::<CloseContact>());
    let looks = RwSignal::new(0_u32);
    for act in [edit, close] {
        act.on_success(move || looks.update(|looks| *looks += 1));
    }
    let me = use_me();
    let found = load(
        move || (id.get(), looks.get()),
        move |(id, _)| async move {
            let Some(id) = id else { return Err(mistyped()) };
            get_contact(id).await
        },
    );
    let lines = load(
        move || id.get(),
        |id| async move {
            // Who sees no messages has the contact all the same.
            match (id, who_am_i().await?.may(Permission::SeeMessages)) {
                (Some(id), true) => lines_of_contact(id).await.map(Some),
                _ => Ok(None),
            }
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(contact)) => {
                        let lines = lines.await.ok().flatten();
                        whole(&me, contact, lines, edit, close, looks).into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(
    me: &Me,
    contact: ContactDetail,
    lines: Option<Vec<ContactLine>>,
    edit: Sending,
    close: Sending,
    looks: RwSignal<u32>,
) -> impl IntoView + use<> {
    let ContactDetail { row, account_id, account, note, version } = contact;
    let (id, is_closed) = (row.id, row.closed_at.is_some());
    let (may, sees_audit) = (me.may(Permission::ManageDirectory), me.may(Permission::SeeAudit));
    let mut above = above_account(account_id, &account);
    above.push(("Contacts".to_owned(), format!("/accounts/{account_id}/contacts")));
    let title = row.name.clone().unwrap_or_else(|| row.number.readable());
    let act = may.then(|| close_fold(id, version, &title, is_closed, lines.as_deref().map(hangs_on), close));
    let form = match (&row.name, &note) {
        (Some(name), Some(note)) if may => Some(edit_panel(id, version, name.clone(), note.clone(), edit, looks)),
        _ => None,
    };
    let note = note.filter(|note| !note.is_empty() && form.is_none());
    view! {
        <PageHead title=title above=above beside=move || closed_badge(is_closed)>
            {act}
        </PageHead>
        <FormFault fault=fault_of(close) />
        {masked_note(row.name.is_none())}
        <div class="grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
            <div class="flex min-w-0 flex-col gap-4">
                <Panel title="Facts">
                    <dl class="facts">
                        <dt>"Number"</dt>
                        <dd>{contact_number(&row.number)}</dd>
                        <dt>"Account"</dt>
                        <dd>
                            <a class="text-link" href=format!("/accounts/{account_id}")>{account}</a>
                        </dd>
                        {note
                            .map(|note| {
                                view! {
                                    <dt>"Note"</dt>
                                    <dd class="whitespace-pre-line">{note}</dd>
                                }
                            })}
                        {closed_fact(row.closed_at)}
                        {sees_audit
                            .then(|| {
                                view! {
                                    <dt>"Audit"</dt>
                                    <dd>
                                        <a class="text-link" href=format!("/audit?subject={id}")>"Audit of this contact"</a>
                                    </dd>
                                }
                            })}
                    </dl>
                </Panel>
                {form}
            </div>
            {lines.map(|lines| lines_panel(id, lines))}
        </div>
    }
}

/// What there is of a contact on the account’s lines, in words: nothing of it ends with closing them.
fn hangs_on(lines: &[ContactLine]) -> String {
    let of = |is: fn(&ContactLine) -> bool| i64::try_from(lines.iter().filter(|line| is(line)).count()).unwrap_or(i64::MAX);
    let talks = match of(|line| line.conversation.is_some()) {
        0 => "Has no conversation".to_owned(),
        // A contact has one conversation on a line.
        some => format!("Has {} on {}", counted(some, "conversation", "conversations"), counted(some, "line", "lines")),
    };
    match of(|line| line.consent == Some(ConsentState::OptedOut)) {
        0 => format!("{talks}; opted out of none."),
        some => format!("{talks}; opted out of {}.", counted(some, "line", "lines")),
    }
}

fn close_fold(
    id: ContactId,
    version: i64,
    name: &str,
    is_closed: bool,
    hangs_on: Option<String>,
    action: Sending,
) -> impl IntoView + use<> {
    let hidden = view! {
        <input type="hidden" name="id" value=id.to_string() />
        <input type="hidden" name="version" value=version.to_string() />
        <input type="hidden" name="closed" value=(!is_closed).to_string() />
    };
    if is_closed {
        view! {
            <ConfirmFold label="Reopen" of=name.to_owned() plain=true>
                <p>"The account uses this contact again."</p>
                <SendForm action=action>
                    {hidden}
                    <Button look=Look::Main pending=waits(action)>
                        "Reopen the contact"
                    </Button>
                </SendForm>
            </ConfirmFold>
        }
        .into_any()
    } else {
        view! {
            <ConfirmFold label="Close" of=name.to_owned()>
                {hangs_on.map(|said| view! { <p>{said}</p> })}
                <p>
                    "The contact is marked as not used any more. Conversations stay, and messages still come and go: to stop them, set consent to opted out."
                </p>
                <SendForm action=action>
                    {hidden}
                    <Button look=Look::Danger pending=waits(action)>
                        "Close the contact"
                    </Button>
                </SendForm>
            </ConfirmFold>
        }
        .into_any()
    }
}

fn edit_panel(id: ContactId, version: i64, name: String, note: String, action: Sending, looks: RwSignal<u32>) -> impl IntoView {
    let fault = fault_of(action);
    view! {
        <Panel title="Name and note">
            <SendForm action=action>
                <div class="flex max-w-md flex-col gap-3">
                    <FormFault fault=fault fields=&["name", "note"] />
                    {look_again(action, looks)}
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="version" value=version.to_string() />
                    <Field label="Name" name="name" value=name error=field_error(fault, "name") />
                    <TextArea
                        label="Note" name="note" required=false value=note help="At most 2,000 characters." error=field_error(fault, "note")
                    />
                    <div>
                        <Button look=Look::Main pending=waits(action)>
                            "Save"
                        </Button>
                    </div>
                </div>
            </SendForm>
        </Panel>
    }
}

fn lines_panel(id: ContactId, lines: Vec<ContactLine>) -> impl IntoView {
    let none = lines.is_empty();
    let row = move |row: ContactLine| {
        let conversation = match row.conversation {
            Some((conversation, last_at)) => view! {
                <a class="text-link" href=format!("/lines/{}/conversations/{conversation}", row.line_id)>"Last message "</a>
                <Time at=last_at />
            }
            .into_any(),
            None => "None".into_any(),
        };
        view! {
            <tr role="row">
                <Cell of="Line">
                    <a class="text-link font-medium" href=format!("/lines/{}", row.line_id)>
                        <Number number=row.line_number />
                    </a>
                    <span class="muted block text-xs">{row.line}</span>
                </Cell>
                <Cell of="Conversation">{conversation}</Cell>
                <Cell of="Consent">
                    <a class="text-link" href=format!("/lines/{}/consent?contact={id}", row.line_id)>{consent_badge(row.consent)}</a>
                </Cell>
            </tr>
        }
    };
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"On the account’s lines"</h2>
                <p class="muted text-xs">"Consent is of each line by itself: it says whether they want its messages."</p>
            </header>
            {if none {
                view! { <Empty title="No line yet">"The account has no line that could text with them."</Empty> }.into_any()
            } else {
                view! {
                    <Table label="Lines" head=&["Line", "Conversation", "Consent"]>
                        {lines.into_iter().map(row).collect_view()}
                    </Table>
                }
                    .into_any()
            }}
        </section>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use switchyard::types::Timestamp;

    #[test]
    fn what_hangs_on_a_contact_is_counted() {
        let line = |talks: bool, consent: Option<ConsentState>| ContactLine {
            line_id: LineId(uuid::Uuid::nil()),
            line: "Desk".to_owned(),
            line_number: PhoneNumber::parse("+12025550101").expect("a number"),
            conversation: talks.then_some((ConversationId(uuid::Uuid::nil()), Timestamp(0))),
            consent,
        };
        assert_eq!(hangs_on(&[]), "Has no conversation; opted out of none.");
        let one = [line(true, Some(ConsentState::OptedIn)), line(false, None)];
        assert_eq!(hangs_on(&one), "Has 1 conversation on 1 line; opted out of none.");
        let many = [line(true, None), line(true, Some(ConsentState::OptedOut)), line(false, Some(ConsentState::OptedOut))];
        assert_eq!(hangs_on(&many), "Has 2 conversations on 2 lines; opted out of 2 lines.");
    }
}
