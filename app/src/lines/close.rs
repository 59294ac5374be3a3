//! Closing a line: what hangs on it, what closing does, and the typed confirmation.

use super::type_change::last_digits;
use super::{line_of_path, no_such_line};
use crate::fault::{Fault, Reply};
use crate::ui::{
    Button, ButtonLink, Effects, FaultView, Field, FormFault, Loading, Look, PageHead, SendForm, Sending, Stat, TypeBadge, fault_of,
    field_error, load, look_again, waits,
};
use leptos::prelude::*;
use switchyard::types::{IntegrationType, LineClosing, LineId};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
    switchyard::types::Problem,
};

/// What hangs on a line that is to be closed; changes nothing.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/closing")]
pub async fn preview_line_closing(id: LineId) -> Result<LineClosing, Fault> {
    let (see, permit) = (permit::<may::SeeDirectory>().await?, permit::<may::ManageDirectory>().await?);
    Ok(directory::lines::closing(&services()?.db, &see, &permit, id).await?)
}

/// Closes a line, as previewed at `version`; `confirm` is its last four digits.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/close")]
pub async fn close_line(id: LineId, version: i64, #[server(default)] confirm: String) -> Result<(), Fault> {
    let (see, permit) = (permit::<may::SeeDirectory>().await?, permit::<may::ManageDirectory>().await?);
    let services = services()?;
    if confirm.trim() != last_digits(&directory::lines::get(&services.db, &see, id).await?.line) {
        return Err(Problem::invalid("confirm", "These are not the last four digits of the line.").into());
    }
    directory::lines::close(&services.db, &services.now, &permit, id, version).await?;
    leptos_axum::redirect(&format!("/lines/{id}?done=closed"));
    Ok(())
}

/// The preview of closing a line, and its confirmation.
#[component]
pub fn CloseLinePage() -> impl IntoView {
    let id = line_of_path();
    let looks = RwSignal::new(0_u32);
    let found = load(
        move || (id.get(), looks.get()),
        |(id, _)| async move {
            match id {
                Some(id) => preview_line_closing(id).await,
                None => Err(no_such_line()),
            }
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(closing) => view! { <Confirm closing=closing looks=looks /> }.into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Confirm(closing: LineClosing, looks: RwSignal<u32>) -> impl IntoView {
    let action = Sending::to::<CloseLine>();
    let fault = fault_of(action);
    let (line, version) = (closing.line, closing.version);
    let (id, of_type) = (line.id, line.integration_type);
    let stats = [
        ("Conversations", closing.conversations),
        ("Held messages", closing.held),
        ("Queued messages", closing.queued),
        ("Scheduled blasts", closing.scheduled_blasts),
        ("Blasts under way", closing.blasts_under_way),
        ("People with access", closing.users),
    ];
    let mut effects = vec![
        "Nothing new is sent from it. What was handed to us before, such as a blast under way, is still sent.".to_owned(),
        "It is set to None: what comes in is recorded, STOP, START and HELP are honoured, and nothing is routed.".to_owned(),
        "Its number stays its own; its conversations and their messages stay.".to_owned(),
    ];
    if of_type == IntegrationType::Ringcentral {
        effects.push(format!("Held messages become skipped: {}. Queued ones are still delivered: {}.", closing.held, closing.queued));
    }
    if closing.scheduled_blasts > 0 {
        effects.push(format!("Scheduled blasts are paused, and wait for a decision: {}.", closing.scheduled_blasts));
    }
    effects.push("It can be reopened; it is then still set to None.".to_owned());
    let digits = last_digits(&line);
    let back = move || view! { <ButtonLink href=format!("/lines/{id}")>"Back to the line"</ButtonLink> };
    let form = if line.closed_at.is_some() || closing.is_transferring {
        let why = if closing.is_transferring {
            "The line is being transferred. Close it when that is done."
        } else {
            "This line is closed already."
        };
        view! {
            <p>{why}</p>
            <div>{back()}</div>
        }
        .into_any()
    } else {
        view! {
            <SendForm action=action>
                <div class="flex max-w-md flex-col gap-4">
                    <FormFault fault=fault fields=&["confirm"] />
                    {look_again(action, looks)}
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="version" value=version.to_string() />
                    <div class="max-w-xs">
                        <Field
                            label="Type the last four digits of the line to confirm" name="confirm" inputmode="numeric"
                            pattern=digits title="The last four digits of the line’s number" error=field_error(fault, "confirm")
                        />
                    </div>
                    <div class="flex flex-wrap gap-2">
                        <Button look=Look::Danger pending=waits(action)>
                            "Close the line"
                        </Button>
                        {back()}
                    </div>
                </div>
            </SendForm>
        }
        .into_any()
    };
    view! {
        <PageHead
            title="Close the line" above=vec![("Lines".to_owned(), "/lines".to_owned()), (line.number.readable(), format!("/lines/{id}"))]
        />
        <section class="panel flex max-w-2xl flex-col gap-5 p-5">
            <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <span class="font-semibold">{line.number.readable()}</span>
                <span class="muted">{line.label} " · " {line.account}</span>
                <TypeBadge of=of_type />
            </div>
            <dl class="grid grid-cols-2 gap-4 border-y border-base-300 py-4 sm:grid-cols-3">
                {stats.map(|(label, value)| view! { <Stat label=label value=value /> }).collect_view()}
            </dl>
            <Effects title="What will happen" each=effects />
            {form}
        </section>
    }
}
