//! Removing a connection: first what that does, then the confirmation by the account's name.

use super::{above, connection_of_path, no_such_connection, read_connection};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Button, ButtonLink, Effects, FaultView, Field, FormFault, Icon, Loading, Look, PageHead, SendForm, Sending, Stat, fault_of,
    field_error, icon, load, waits,
};
use leptos::prelude::*;
use switchyard::types::{ConnectionDetail, ConnectionId, Permission, Problem, Span, counted};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, proof, services},
    switchyard::ringcentral,
    switchyard::staff::may,
};

/// Removes a connection, if its account's name was typed, and goes back to the list.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/remove")]
pub async fn remove_connection(id: ConnectionId, version: i64, #[server(default)] confirm: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let see = crate::context::permit::<may::SeeDirectory>().await?;
    let (services, proof) = (services()?, proof().await?);
    let found = ringcentral::get(&services.db, &services.now, &see, id).await?;
    // Asked first: a removal that is refused on its way leaves the connection paused.
    if let Some(why) = found.stays_because {
        return Err(Problem::conflict(why).into());
    }
    if confirm.trim() != found.row.account {
        return Err(Problem::invalid("confirm", "This is not the account’s name as it stands above.").into());
    }
    ringcentral::remove(&services.ringcentral, &permit, proof, id, version).await?;
    leptos_axum::redirect("/connections?done=removed");
    Ok(())
}

/// What a removal does, and its confirmation.
#[component]
pub fn RemoveConnectionPage() -> impl IntoView {
    let id = connection_of_path();
    let me = use_me();
    let found = load(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => read_connection(id, Span::Hour).await,
                None => Err(no_such_connection()),
            }
        },
    );
    view! {
        <Suspense fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(_)) if !me.may(Permission::ManageDirectory) => {
                        let fault = Problem::forbidden("Your roles do not let you remove connections.").into();
                        view! { <FaultView fault=fault /> }.into_any()
                    }
                    (Ok(_), Ok(whole)) => view! { <Preview detail=whole.detail /> }.into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Preview(detail: ConnectionDetail) -> impl IntoView {
    let row = detail.row;
    let action = Sending::to::<RemoveConnection>();
    let fault = fault_of(action);
    let page = format!("/connections/{}", row.id);
    let events = if detail.events_waiting == 0 {
        "No event of RingCentral’s waits; what agents write from now on is no longer sent as SMS.".to_owned()
    } else {
        format!(
            "{} that RingCentral has sent and that are not worked off yet are dropped: what agents wrote in them is not sent.",
            counted(detail.events_waiting, "event", "events")
        )
    };
    let effects = vec![
        "The subscription at RingCentral ends and the secrets are deleted here. The app itself stays in RingCentral.".to_owned(),
        events,
        "The history stays: every conversation keeps its messages here, and its chat in RingCentral.".to_owned(),
        "When the account is connected again, each conversation goes on in a new chat.".to_owned(),
    ];
    let form = match detail.stays_because {
        Some(why) => {
            let lines = (!detail.lines.is_empty()).then(|| {
                view! {
                    <ButtonLink href=format!("/lines?account={}&type=ringcentral", row.account_id)>"To these lines"</ButtonLink>
                }
            });
            let waiting = detail.lines.is_empty().then(|| {
                view! { <ButtonLink href=format!("/sync?account={}", row.account_id)>"To Sync"</ButtonLink> }
            });
            view! {
                <p class="alert alert-warning alert-soft items-start py-2.5 text-sm" role="note">
                    {icon(Icon::Warning)} <span>{why}</span>
                </p>
                <div class="flex flex-wrap gap-2">
                    {lines} {waiting} <ButtonLink href=page>"Back to the connection"</ButtonLink>
                </div>
            }
            .into_any()
        }
        None => view! {
            <FormFault fault=fault fields=&["confirm"] />
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <input type="hidden" name="id" value=row.id.to_string() />
                    <input type="hidden" name="version" value=row.version.to_string() />
                    <div class="max-w-xs">
                        <Field label="Type the account’s name to confirm" name="confirm" error=field_error(fault, "confirm") />
                    </div>
                    <div class="flex flex-wrap gap-2">
                        <Button look=Look::Danger pending=waits(action)>
                            "Remove the connection"
                        </Button>
                        <ButtonLink href=page>"Cancel"</ButtonLink>
                    </div>
                </div>
            </SendForm>
        }
        .into_any(),
    };
    let lines = i64::try_from(detail.lines.len()).unwrap_or(i64::MAX);
    view! {
        <PageHead title="Remove the connection" above=above(&row) />
        <section class="panel flex max-w-2xl flex-col gap-5 p-5">
            <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <span class="font-semibold">{row.account.clone()}</span>
                <span class="muted wrap-anywhere">{row.base_url}</span>
            </div>
            <dl class="grid grid-cols-2 gap-4 border-y border-base-300 py-4 sm:grid-cols-3">
                <Stat label="Lines set to RingCentral" value=lines />
                <Stat label="Events that wait" value=detail.events_waiting />
                <Stat label="Posts today" value=row.posts_today />
            </dl>
            <Effects title="What will happen" each=effects />
            {form}
        </section>
    }
}
