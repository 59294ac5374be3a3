//! Erasing one contact of an account: asked for with the number, previewed with counts, confirmed, and certified.
//!
//! The rule: the number travels in the body of a request; the URL names the erasure.

use crate::fault::{Fault, Reply};
use crate::ui::{
    Button, ButtonLink, Cell, FaultView, Field, FormFault, Heads, Loading, Look, PageHead, Panel, RowLink, SendForm, Sending, Stat, Table,
    Time, contact_number, fault_of, field_error, grouped, id_of_path, load, mistyped, query_field, waits,
};
use leptos::prelude::*;
use switchyard::types::{AccountId, ErasureDetail, ErasureId};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, proof, services},
    switchyard::erasure,
    switchyard::staff::may,
};

/// Asks for an erasure, and leads to what it would do.
#[server(prefix = "/fn", output = Reply, endpoint = "erasures/ask")]
pub async fn ask_erasure(account: AccountId, number: String, reference: String) -> Result<(), Fault> {
    let permit = permit::<may::ManagePersonalData>().await?;
    let services = services()?;
    let id = erasure::ask(&services.db, &services.now, &services.keys, &permit, account, &number, &reference).await?;
    leptos_axum::redirect(&format!("/erasures/{id}"));
    Ok(())
}

/// An erasure: what it would do, or what it did.
#[server(prefix = "/fn", output = Reply, endpoint = "erasures/get")]
pub async fn read_erasure(id: ErasureId) -> Result<ErasureDetail, Fault> {
    let permit = permit::<may::ManagePersonalData>().await?;
    let services = services()?;
    Ok(erasure::get(&services.db, &services.now, &services.keys, &permit, id).await?)
}

/// The erasures of an account that are done.
#[server(prefix = "/fn", output = Reply, endpoint = "erasures/list")]
pub async fn list_erasures(account: AccountId) -> Result<Vec<ErasureDetail>, Fault> {
    let permit = permit::<may::ManagePersonalData>().await?;
    Ok(erasure::list(&services()?.db, &permit, account).await?)
}

/// Erases the contact; `confirm` is the number's last four digits.
#[server(prefix = "/fn", output = Reply, endpoint = "erasures/erase")]
pub async fn erase_contact(id: ErasureId, confirm: String) -> Result<(), Fault> {
    let permit = permit::<may::ManagePersonalData>().await?;
    let services = services()?;
    let proof = proof().await?;
    erasure::erase(&services.db, &services.now, &services.keys, &permit, proof, id, &confirm).await?;
    // Another address than before: a page that is shown already reads itself anew.
    leptos_axum::redirect(&format!("/erasures/{id}?done=erased"));
    Ok(())
}

/// Asking for an erasure, and those that were done.
#[component]
pub fn AskErasurePage() -> impl IntoView {
    let id = id_of_path::<AccountId>();
    let found = load(
        move || id.get(),
        |id| async move {
            let Some(id) = id else { return Err(mistyped()) };
            Ok((id, list_erasures(id).await?))
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok((account, done)) => view! { <Ask account=account done=done /> }.into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Ask(account: AccountId, done: Vec<ErasureDetail>) -> impl IntoView {
    let action = Sending::to::<AskErasure>();
    let fault = fault_of(action);
    let above = vec![("Accounts".to_owned(), "/accounts".to_owned()), ("The account".to_owned(), format!("/accounts/{account}"))];
    let rows = done.into_iter().map(row).collect::<Vec<_>>();
    let list = (!rows.is_empty()).then(|| {
        let heads = Heads::from(&["Reference", "Erased", "By", "Messages"]).numbers(&["Messages"]);
        view! {
            <div class="panel">
                <Table label="Contacts that were erased" head=heads>
                    {rows}
                </Table>
            </div>
        }
    });
    view! {
        <PageHead title="Erase a contact" above=above />
        <div class="panel mb-4 max-w-xl p-5">
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <p class="muted">"First you see what there is. Nothing is erased before you confirm it."</p>
                    <FormFault fault=fault fields=&["number", "reference"] />
                    <input type="hidden" name="account" value=account.to_string() />
                    <Field
                        label="Contact’s number" name="number" kind="tel" inputmode="tel" help="The whole number, as in +1 202 555 0143."
                        error=field_error(fault, "number")
                    />
                    <Field
                        label="Reference" name="reference" help="Where the request is filed, such as its number. No name and no phone number: it stays."
                        error=field_error(fault, "reference")
                    />
                    <div>
                        <Button look=Look::Main pending=waits(action)>
                            "See what there is"
                        </Button>
                    </div>
                </div>
            </SendForm>
        </div>
        {list}
    }
}

fn row(erased: ErasureDetail) -> impl IntoView {
    let (by, at) = erased.done.map_or_else(Default::default, |(by, at)| (by, Some(at)));
    view! {
        <tr role="row">
            <Cell of="Reference">
                <RowLink href=format!("/erasures/{}", erased.id)>{erased.reference}</RowLink>
            </Cell>
            <Cell of="Erased">{at.map(|at| view! { <Time at=at /> })}</Cell>
            <Cell of="By">{by}</Cell>
            <Cell of="Messages" number=true>{grouped(erased.counts.messages)}</Cell>
        </tr>
    }
}

/// One erasure: what there is and the confirmation, or its certificate.
#[component]
pub fn ErasurePage() -> impl IntoView {
    let (id, done) = (id_of_path::<ErasureId>(), query_field("done"));
    let found = load(
        move || (id.get(), done.get()),
        |(id, _)| async move {
            match id {
                Some(id) => read_erasure(id).await,
                None => Err(mistyped()),
            }
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(erasure) => view! { <Whole erasure=erasure /> }.into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Whole(erasure: ErasureDetail) -> impl IntoView {
    let action = Sending::to::<EraseContact>();
    let fault = fault_of(action);
    let above = vec![
        (erasure.account.clone(), format!("/accounts/{}", erasure.account_id)),
        ("Erase a contact".to_owned(), format!("/accounts/{}/erase", erasure.account_id)),
    ];
    let counts = &erasure.counts;
    let stats = [
        ("Conversations", counts.conversations),
        ("Messages", counts.messages),
        ("of them held", counts.held),
        ("Group texts of others", counts.group_texts),
        ("Names", counts.names),
        ("Opt-outs, kept as a hash", counts.opt_outs),
        ("Posts that stay in RingCentral", counts.posts),
    ];
    let stats = stats.map(|(label, n)| view! { <Stat label=label value=n /> }).collect_view();
    let stays = (counts.posts > 0).then(|| {
        let chats = counts.chats.join(", ");
        view! {
            <p class="mt-3 text-sm">
                "Posts stay in the account’s RingCentral until its RingCentral administrator removes them there. Chats: "
                <span class="break-all">{chats}</span>
            </p>
        }
    });
    let id = erasure.id;
    let rest = match (&erasure.done, erasure.obstacle.clone()) {
        (Some((by, at)), _) => view! {
            <p>"Erased by " {by.clone()} ", " <Time at=*at />". Certificate no. " <span class="break-all">{id.to_string()}</span></p>
            <p class="mt-3">
                <ButtonLink href=format!("/erasures/{id}/certificate.txt") external=true>"Download the certificate"</ButtonLink>
            </p>
        }
        .into_any(),
        (None, Some(obstacle)) => view! { <p role="alert" class="font-medium text-warning">{obstacle}</p> }.into_any(),
        (None, None) => view! {
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <p>"It cannot be brought back. To confirm, write the last four digits of the number."</p>
                    <FormFault fault=fault fields=&["confirm"] />
                    <input type="hidden" name="id" value=id.to_string() />
                    <Field label="Last four digits" name="confirm" inputmode="numeric" error=field_error(fault, "confirm") />
                    <div>
                        <Button look=Look::Danger pending=waits(action)>
                            "Erase the contact"
                        </Button>
                    </div>
                </div>
            </SendForm>
        }
        .into_any(),
    };
    let is_done = erasure.done.is_some();
    view! {
        <PageHead title=if is_done { "Certificate of erasure" } else { "Erase a contact" } above=above />
        <div class="flex max-w-xl flex-col gap-4">
            <Panel title=if is_done { "What was erased" } else { "What there is" }>
                <p class="mb-3">
                    "Reference " {erasure.reference.clone()} ", asked for by " {erasure.asked_by.clone()} ", " <Time at=erasure.asked_at />
                    {erasure.number.as_ref().map(|number| view! { ". Contact: " {contact_number(number)} })}
                </p>
                <dl class="grid grid-cols-2 gap-4">{stats}</dl>
                {stays}
            </Panel>
            <section class="panel p-4">{rest}</section>
        </div>
    }
}
