//! A line's automatic replies: listed, added, edited, removed.

use super::parts::reload_after;
use crate::fault::{Fault, Reply};
use crate::frame::Me;
use crate::ui::{
    Button, ConfirmFold, EditFold, Field, FormFault, Look, SendForm, Sending, TextArea, fault_of, field_error, toast_on_success, waits,
};
use leptos::prelude::*;
use switchyard::types::{LineId, Permission, ResponderId, ResponderRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// Adds an automatic reply.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/responders/add")]
pub async fn add_responder(line: LineId, keyword: String, reply: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    directory::people::add_responder(&services.db, &services.now, &permit, line, &keyword, &reply).await?;
    Ok(())
}

/// Edits an automatic reply that was seen with this word and this reply.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/responders/edit")]
pub async fn edit_responder(
    line: LineId,
    responder: ResponderId,
    was_keyword: String,
    was_reply: String,
    keyword: String,
    reply: String,
) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let (was, which) = ((was_keyword.as_str(), was_reply.as_str()), (line, responder));
    Ok(directory::people::edit_responder(&services.db, &services.now, &permit, which, was, &keyword, &reply).await?)
}

/// Removes an automatic reply that was seen with this word and this reply.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/responders/remove")]
pub async fn remove_responder(line: LineId, responder: ResponderId, was_keyword: String, was_reply: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let (was, which) = ((was_keyword.as_str(), was_reply.as_str()), (line, responder));
    Ok(directory::people::remove_responder(&services.db, &services.now, &permit, which, was).await?)
}

/// What a word may be.
const OF_WORD: &str = "At most 40 characters. Not a word that sets consent, such as STOP, START or HELP.";
/// What a reply may be.
const OF_REPLY: &str = "At most 1,000 characters.";

/// The line's automatic replies.
#[component]
pub fn Responders(
    /// The line.
    id: LineId,
    /// The replies.
    responders: Vec<ResponderRow>,
    /// Who looks at it.
    me: Me,
    /// Grows with each change.
    changes: RwSignal<u32>,
) -> impl IntoView {
    let add = Sending::to::<AddResponder>();
    let (edit, remove) = (Sending::to::<EditResponder>(), Sending::to::<RemoveResponder>());
    reload_after(add, changes);
    reload_after(remove, changes);
    toast_on_success(add, "The responder was added.");
    let fault = fault_of(add);
    let may = me.may(Permission::ManageDirectory);
    let none = responders.is_empty();
    let rows = responders
        .into_iter()
        .map(|responder| {
            let keyword = responder.keyword.clone();
            let control = may.then(|| {
                let (was_keyword, was_reply) = (responder.keyword.clone(), responder.reply.clone());
                view! {
                    {edit_fold(id, &responder, changes)}
                    <ConfirmFold label="Remove" of=format!("the responder {keyword}")>
                        <p>"From now on the word gets no automatic reply."</p>
                        <SendForm action=remove>
                            <input type="hidden" name="line" value=id.to_string() />
                            <input type="hidden" name="responder" value=responder.id.to_string() />
                            <input type="hidden" name="was_keyword" value=was_keyword />
                            <input type="hidden" name="was_reply" value=was_reply />
                            <Button look=Look::Danger pending=waits(remove)>
                                "Remove the responder"
                            </Button>
                        </SendForm>
                    </ConfirmFold>
                }
            });
            view! {
                <li class="flex flex-wrap items-start justify-between gap-x-4 gap-y-1 px-4 py-2.5">
                    <div class="min-w-0 flex-1 basis-60">
                        <p class="font-medium">{responder.keyword}</p>
                        <p class="muted break-words whitespace-pre-line">{responder.reply}</p>
                    </div>
                    <div class="flex flex-wrap items-start gap-x-6">{control}</div>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="panel">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Responders"</h2>
                <p class="muted text-xs">"A message that is just the word, in any case, gets the reply. On a line set to None nothing is answered."</p>
            </header>
            <div class="has-[.alert]:p-3">
                <FormFault fault=fault_of(remove) />
                // A plain form brings its error back, and not which row it stands in.
                <FormFault fault=fault_of(edit) />
            </div>
            {if none {
                view! { <p class="muted px-4 py-4">"No responders. Incoming words get no automatic reply."</p> }.into_any()
            } else {
                view! { <ul class="divide-y divide-base-300/60">{rows}</ul> }.into_any()
            }}
            {may
                .then(|| {
                    view! {
                        <details class="fold border-t border-base-300" open=move || fault.with(Option::is_some)>
                            <summary class="px-4 py-3 font-medium text-primary">"Add a responder…"</summary>
                            <div class="px-4 pb-4">
                                <SendForm action=add>
                                    <div class="flex max-w-md flex-col gap-3">
                                        <FormFault fault=fault fields=&["keyword", "reply"] />
                                        <input type="hidden" name="line" value=id.to_string() />
                                        <Field label="Word" name="keyword" help=OF_WORD error=field_error(fault, "keyword") />
                                        <TextArea label="Reply" name="reply" help=OF_REPLY error=field_error(fault, "reply") />
                                        <div>
                                            <Button look=Look::Main pending=waits(add)>
                                                "Add responder"
                                            </Button>
                                        </div>
                                    </div>
                                </SendForm>
                            </div>
                        </details>
                    }
                })}
        </section>
    }
}

/// The form that edits a responder, folded. It is sent by itself, so that what is wrong stands at the fields of its row.
fn edit_fold(line: LineId, responder: &ResponderRow, changes: RwSignal<u32>) -> impl IntoView + use<> {
    let (id, keyword, reply) = (responder.id, responder.keyword.clone(), responder.reply.clone());
    let (was_keyword, was_reply) = (keyword.clone(), reply.clone());
    let action = Sending::to::<EditResponder>();
    // What a plain form has brought back may be of another row.
    action.clear();
    reload_after(action, changes);
    toast_on_success(action, "The responder was changed.");
    let fault = fault_of(action);
    view! {
        <EditFold label="Edit" of=format!("the responder {keyword}")>
            <SendForm action=action>
                <div class="flex w-full flex-col gap-3">
                    <FormFault fault=fault fields=&["keyword", "reply"] />
                    <input type="hidden" name="line" value=line.to_string() />
                    <input type="hidden" name="responder" value=id.to_string() />
                    <input type="hidden" name="was_keyword" value=was_keyword />
                    <input type="hidden" name="was_reply" value=was_reply />
                    <Field
                        label="Word" name="keyword" id=format!("keyword-{id}") value=keyword help=OF_WORD error=field_error(fault, "keyword")
                    />
                    <TextArea
                        label="Reply" name="reply" id=format!("reply-{id}") rows=4 value=reply help=OF_REPLY error=field_error(fault, "reply")
                    />
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
