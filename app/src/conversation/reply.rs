//! A reply as the line.

use super::Conversation;
use crate::fault::{Fault, Reply};
use crate::live::Followed;
use crate::ui::{Button, FormFault, Look, Panel, SendForm, Sending, TextArea, fault_of, field_error, toast_on_success, waits};
use leptos::html;
use leptos::prelude::*;
use switchyard::types::{ConversationId, IntegrationType, LineId};

#[cfg(feature = "ssr")]
use {
    crate::context::{is_plain_form, permit, services},
    switchyard::messaging,
    switchyard::staff::may,
    switchyard::types::Problem,
};

/// Sends a reply as the line; `token` makes the form one that is sent once. Answers the token of the next one.
#[server(prefix = "/fn", output = Reply, endpoint = "conversations/reply")]
pub async fn reply_as_line(
    line: LineId,
    conversation: ConversationId,
    token: String,
    #[server(default)] text: String,
) -> Result<String, Fault> {
    let permit = permit::<may::SendMessages>().await?;
    let services = services()?;
    let token = token.parse().map_err(|_| Problem::invalid("", "This form cannot be read. Reload the page and write again."))?;
    messaging::reply::as_line(&services.db, &services.now, &permit, (line, conversation), token, &text).await?;
    if is_plain_form() {
        leptos_axum::redirect(&format!("/lines/{line}/conversations/{conversation}?done=sent"));
    }
    Ok(services.now.id().to_string())
}

/// The form that sends a reply, or why there is none.
#[component]
pub(super) fn ReplyPanel(
    /// The conversation.
    id: ConversationId,
    /// What is shown of it.
    followed: Followed<Conversation>,
) -> impl IntoView {
    let action = Sending::to::<ReplyAsLine>();
    toast_on_success(action, "The reply is on its way to the contact.");
    let form = NodeRef::<html::Form>::new();
    let token = RwSignal::new(followed.now.with_untracked(|all| all.token.clone()));
    action.on_success(move || {
        if let Some(Ok(next)) = action.answer().get_untracked()
            && let Ok(next) = serde_json::from_str(&next)
        {
            token.set(next);
        }
        if let Some(form) = form.get_untracked() {
            form.reset();
        }
        followed.read_again();
    });
    let line = followed.now.with_untracked(|all| all.detail.line_id);
    let hindrance = Memo::new(move |_| {
        followed.now.with(|all| match (all.detail.opted_out, all.closed, all.detail.integration_type) {
            (true, ..) => Some("The contact has opted out of this line. Nothing is sent until they write START."),
            // No type can be set before it is open.
            (_, Some(closed), _) => Some(closed.sentence()),
            (_, _, IntegrationType::None) => Some(
                "The line is set to None: it sends blasts and has no conversations. To reply from here, set it to Inbox or RingCentral.",
            ),
            _ => None,
        })
    });
    let note = move || {
        followed.now.with(|all| match all.detail.integration_type {
            IntegrationType::Ringcentral => "Sent as an SMS at once. RingCentral shows it with the contact’s next reply.",
            IntegrationType::Inbox | IntegrationType::None => "Sent as an SMS at once.",
        })
    };
    let fault = fault_of(action);
    view! {
        <Panel title="Reply as the line">
            <Show
                when=move || hindrance.with(Option::is_none)
                fallback=move || view! { <p class="muted">{hindrance.get()}</p> }
            >
                <SendForm action=action node_ref=form>
                    <div class="flex flex-col gap-3">
                        <FormFault fault=fault fields=&["text"] />
                        <input type="hidden" name="line" value=line.to_string() />
                        <input type="hidden" name="conversation" value=id.to_string() />
                        <input type="hidden" name="token" value=token.get_untracked() prop:value=move || token.get() />
                        <TextArea label="Message" name="text" rows=2 error=field_error(fault, "text") />
                        <div class="flex flex-wrap items-center justify-between gap-2">
                            <p class="muted text-xs">{note}</p>
                            <Button look=Look::Main pending=waits(action)>
                                "Send"
                            </Button>
                        </div>
                    </div>
                </SendForm>
            </Show>
        </Panel>
    }
}
