//! A line's facts: what staff call it, whose it is, and whether it is closed.

use super::parts::reload_after;
use crate::fault::{Fault, Reply};
use crate::frame::Me;
use crate::ui::{
    Button, ButtonLink, ConfirmFold, Field, FormFault, Look, Panel, SendForm, Sending, Time, closed_fact, fault_of, field_error,
    look_again, toast_on_success, waits,
};
use leptos::prelude::*;
use switchyard::types::{LineId, LineRow, Permission, Timestamp};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// Edits what staff call a line.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/edit")]
pub async fn edit_line(id: LineId, version: i64, label: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::lines::edit(&services.db, &services.now, &permit, id, version, &label).await?)
}

/// Opens a closed line again.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/reopen")]
pub async fn reopen_line(id: LineId, version: i64) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::lines::reopen(&services.db, &services.now, &permit, id, version).await?)
}

/// A line's facts, and the form that edits its label.
#[component]
pub fn Facts(
    /// The line.
    line: LineRow,
    /// The version that is shown.
    version: i64,
    /// When it was added.
    created_at: Timestamp,
    /// Who looks at it.
    me: Me,
    /// Grows with each change.
    changes: RwSignal<u32>,
) -> impl IntoView {
    let action = Sending::to::<EditLine>();
    reload_after(action, changes);
    let fault = fault_of(action);
    let (id, account) = (line.id, line.account_id);
    let label = line.label.clone();
    let edit = me.may(Permission::ManageDirectory).then(|| {
        view! {
            <details class="fold mt-3" open=move || fault.with(Option::is_some)>
                <summary class="font-medium text-primary">"Edit the label…"</summary>
                <SendForm action=action>
                    <div class="mt-3 flex flex-col gap-3">
                        <FormFault fault=fault fields=&["label"] />
                        {look_again(action, changes)}
                        <input type="hidden" name="id" value=id.to_string() />
                        <input type="hidden" name="version" value=version.to_string() />
                        <Field label="Label" name="label" value=label error=field_error(fault, "label") />
                        <div>
                            <Button look=Look::Main pending=waits(action)>
                                "Save"
                            </Button>
                        </div>
                    </div>
                </SendForm>
            </details>
        }
    });
    view! {
        <Panel title="Facts">
            <dl class="facts">
                <dt>"Label"</dt>
                <dd>{line.label}</dd>
                <dt>"Account"</dt>
                <dd>
                    <a class="text-link" href=format!("/accounts/{account}")>{line.account}</a>
                </dd>
                <dt>"Added"</dt>
                <dd>
                    <Time at=created_at />
                </dd>
                {closed_fact(line.closed_at)}
                {me
                    .may(Permission::SeeAudit)
                    .then(|| {
                        view! {
                            <dt>"Audit"</dt>
                            <dd>
                                <a class="text-link" href=format!("/audit?line={id}")>"All entries of this line"</a>
                            </dd>
                        }
                    })}
            </dl>
            {edit}
        </Panel>
    }
}

/// Closing a line, or opening it again.
#[component]
pub fn Closing(
    /// The line.
    id: LineId,
    /// The version that is shown.
    version: i64,
    /// It is closed.
    is_closed: bool,
    /// Grows with each change.
    changes: RwSignal<u32>,
) -> impl IntoView {
    let action = Sending::to::<ReopenLine>();
    reload_after(action, changes);
    toast_on_success(action, "The line is open again, and set to None.");
    if !is_closed {
        return view! { <ButtonLink href=format!("/lines/{id}/close")>"Close line…"</ButtonLink> }.into_any();
    }
    view! {
        <div class="flex flex-col items-end gap-2">
            <ConfirmFold label="Reopen" of="the line" plain=true>
                <p>"Messages may be sent from it again. It stays set to None until you set another type."</p>
                <SendForm action=action>
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="version" value=version.to_string() />
                    <Button look=Look::Main pending=waits(action)>
                        "Reopen the line"
                    </Button>
                </SendForm>
            </ConfirmFold>
            <FormFault fault=fault_of(action) />
        </div>
    }
    .into_any()
}
