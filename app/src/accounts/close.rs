//! Closing an account: what hangs on it, what closing does and does not do, and the typed confirmation.

use super::above_account;
use crate::fault::{Fault, Reply};
use crate::ui::{
    Button, ButtonLink, Effects, FaultView, Field, FormFault, Loading, Look, PageHead, SendForm, Sending, Stat, fault_of, field_error,
    id_of_path, load, look_again, mistyped, waits,
};
use leptos::prelude::*;
use switchyard::types::{AccountClosing, AccountId};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, proof, services},
    switchyard::directory,
    switchyard::staff::may,
    switchyard::types::Problem,
};

/// What hangs on an account that is to be closed; changes nothing.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/closing")]
pub async fn preview_account_closing(id: AccountId) -> Result<AccountClosing, Fault> {
    let (see, permit) = (permit::<may::SeeDirectory>().await?, permit::<may::ManageDirectory>().await?);
    Ok(directory::accounts::closing(&services()?.db, &see, &permit, id).await?)
}

/// Closes an account, as previewed at `version`; `confirm` is its name.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/close")]
pub async fn close_account(id: AccountId, version: i64, #[server(default)] confirm: String) -> Result<(), Fault> {
    let (see, permit) = (permit::<may::SeeDirectory>().await?, permit::<may::ManageDirectory>().await?);
    let (services, proof) = (services()?, proof().await?);
    if confirm.trim() != directory::accounts::get(&services.db, &see, id).await?.name {
        return Err(Problem::invalid("confirm", "This is not the account’s name.").into());
    }
    directory::accounts::close(&services.db, &services.now, &permit, proof, id, version).await?;
    leptos_axum::redirect(&format!("/accounts/{id}?done=closed"));
    Ok(())
}

/// The preview of closing an account, and its confirmation.
#[component]
pub fn CloseAccountPage() -> impl IntoView {
    let id = id_of_path::<AccountId>();
    let looks = RwSignal::new(0_u32);
    let found = load(
        move || (id.get(), looks.get()),
        |(id, _)| async move {
            match id {
                Some(id) => preview_account_closing(id).await,
                None => Err(mistyped()),
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

/// What closing does, and what it leaves as it is.
const DOES: [&str; 6] = [
    "It takes no new line, person, connection or API token, and no line is transferred to it.",
    "Calls with its API tokens are refused, and nothing new is sent from its lines.",
    "Its connection to RingCentral is paused: nothing is posted, and what agents write there is not sent.",
    "Blasts that start later are paused. After the account is open again, somebody decides about each.",
    "No automatic reply is given.",
    "It can be reopened at any time; then its programs and its connection go on.",
];
const DOES_NOT: [&str; 4] = [
    "Its lines keep their numbers and types. What comes in for them is recorded, and STOP, START and HELP are honoured.",
    "What is held or queued waits; nothing is lost.",
    "What was handed to us to send before, such as a blast under way, is still sent.",
    "Its people keep their access, and staff who look after it still see everything.",
];

#[component]
fn Confirm(closing: AccountClosing, looks: RwSignal<u32>) -> impl IntoView {
    let action = Sending::to::<CloseAccount>();
    let fault = fault_of(action);
    let (id, name) = (closing.row.id, closing.row.name.clone());
    let by_type = closing.lines.iter().map(|(of, count)| format!("{} {count}", of.name())).collect::<Vec<_>>().join(", ");
    let lines = closing.lines.iter().map(|(_, count)| count).sum::<i64>();
    let stats = [
        ("Open lines", lines),
        ("People", closing.users),
        ("API tokens", closing.tokens),
        ("Held messages", closing.held),
        ("Queued messages", closing.queued),
        ("Scheduled blasts", closing.scheduled_blasts),
        ("Blasts under way", closing.blasts_under_way),
    ];
    let confirm = name.clone();
    let form = if closing.row.closed_at.is_some() {
        view! {
            <p>"This account is closed already."</p>
            <div>
                <ButtonLink href=format!("/accounts/{id}")>"To the account"</ButtonLink>
            </div>
        }
        .into_any()
    } else {
        view! {
            <SendForm action=action>
                <div class="flex max-w-md flex-col gap-4">
                    <FormFault fault=fault fields=&["confirm"] />
                    {look_again(action, looks)}
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="version" value=closing.version.to_string() />
                    <p>"To confirm, write " <strong class="font-semibold">{confirm}</strong> "."</p>
                    <Field label="Confirmation" name="confirm" error=field_error(fault, "confirm") />
                    <div class="flex flex-wrap gap-2">
                        <Button look=Look::Danger pending=waits(action)>
                            "Close the account"
                        </Button>
                        <ButtonLink href=format!("/accounts/{id}")>"Cancel"</ButtonLink>
                    </div>
                </div>
            </SendForm>
        }
        .into_any()
    };
    view! {
        <PageHead title="Close the account" above=above_account(id, &name) />
        <section class="panel flex max-w-2xl flex-col gap-5 p-5">
            <dl class="grid grid-cols-2 gap-4 border-b border-base-300 pb-4 sm:grid-cols-4">
                {stats.map(|(label, value)| view! { <Stat label=label value=value /> }).collect_view()}
            </dl>
            {(lines > 0)
                .then(|| {
                    view! {
                        <p class="muted text-sm">
                            "Lines by type: " {by_type} ". " <a class="text-link" href=format!("/lines?account={id}")>"Show them"</a>
                        </p>
                    }
                })}
            <Effects title="What closing does" each=Vec::from(DOES.map(str::to_owned)) />
            <Effects title="What it leaves as it is" each=Vec::from(DOES_NOT.map(str::to_owned)) />
            {form}
        </section>
    }
}
