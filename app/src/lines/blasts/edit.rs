//! Changing a blast that has not begun.

use crate::fault::{Fault, Reply};
use crate::ui::{Button, FormFault, Look, MomentField, Panel, SendForm, Sending, TextArea, fault_of, field_error, look_again, waits};
use leptos::prelude::*;
use switchyard::types::{BlastDetail, BlastId, BlastState, LineId};

#[cfg(feature = "ssr")]
use {
    super::start_of,
    crate::context::{permit, proof, services},
    switchyard::messaging::blast::{self, Edit},
    switchyard::staff::may,
};

/// Changes a blast that has not begun, as it was seen on `version`: what goes out asks again who is there, as a new one does.
/// `starts_at` is a moment in UTC; empty, it stays as it is.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/edit")]
pub async fn edit_blast(
    line: LineId,
    id: BlastId,
    version: i64,
    #[server(default)] text: String,
    #[server(default)] starts_at: String,
) -> Result<(), Fault> {
    let permit = permit::<may::SendMessages>().await?;
    let (services, proof) = (services()?, proof().await?);
    let wish = Edit { version, text, starts_at: start_of(&starts_at)? };
    Ok(blast::edit(&services.db, &services.now, &permit, proof, (line, id), &wish).await?)
}

/// The form that changes it; nothing for one that has begun, or whose text the reader may not see.
pub(super) fn edit_form(blast: &BlastDetail, action: Sending, looks: RwSignal<u32>) -> Option<AnyView> {
    let has_begun = !matches!(blast.row.state, BlastState::Scheduled | BlastState::Paused);
    let body = blast.body.clone().filter(|body| !has_begun && !body.is_empty())?;
    let (line, id, version) = (blast.row.line_id, blast.row.id, blast.version);
    let fault = fault_of(action);
    let form = view! {
        <Panel title="Change it" note="Until it starts. Whom it goes to stays as it is.">
            <SendForm action=action>
                <div class="flex flex-col gap-3">
                    <FormFault fault=fault fields=&["text", "starts_at"] />
                    {look_again(action, looks)}
                    <input type="hidden" name="line" value=line.to_string() />
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="version" value=version.to_string() />
                    <TextArea label="Text" name="text" rows=4 value=body error=field_error(fault, "text") />
                    <MomentField label="Start" name="starts_at" help="Empty: it stays as it is." error=field_error(fault, "starts_at") />
                    <div>
                        <Button look=Look::Main pending=waits(action)>
                            "Save"
                        </Button>
                    </div>
                </div>
            </SendForm>
        </Panel>
    };
    Some(form.into_any())
}
