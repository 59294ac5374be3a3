//! Finding conversations by a contact's number.
//!
//! The rule: the number travels in the body of a request and is nowhere afterwards; the URL names the search, which only its searcher
//! can look at.

use super::contact;
use crate::fault::{Fault, Reply};
use crate::find::there_are_more;
use crate::ui::{
    Button, Cell, Empty, FaultView, Field, FormFault, Loading, Look, PageHead, SendForm, Sending, Table, Time, fault_of, field_error, load,
    masked_note, query_field, waits,
};
use leptos::prelude::*;
use switchyard::types::{FoundRow, Part, SearchId};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::staff::may,
    switchyard::sync,
    switchyard::types::LineId,
};

/// Looks for conversations with the contact of this number, on one line or all, and leads to what was found.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/find")]
pub async fn find_contact(#[server(default)] line: String, number: String) -> Result<(), Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let services = services()?;
    let line = line.parse::<LineId>().ok();
    let search = sync::find(&services.db, &services.now, &services.keys, &permit, line, &number).await?;
    let line = line.map(|line| format!("&line={line}")).unwrap_or_default();
    leptos_axum::redirect(&format!("/sync/find?search={search}{line}"));
    Ok(())
}

/// What one's own search found.
#[server(prefix = "/fn", output = Reply, endpoint = "sync/found")]
pub async fn found_contacts(search: SearchId) -> Result<Part<FoundRow>, Fault> {
    let permit = permit::<may::SeeMessages>().await?;
    let services = services()?;
    Ok(sync::found(&services.db, &services.now, &permit, search).await?)
}

/// The form, and what was found.
#[component]
pub fn FindPage() -> impl IntoView {
    let (search, line) = (query_field("search"), query_field("line"));
    let action = Sending::to::<FindContact>();
    let fault = fault_of(action);
    let found = load(
        move || search.get(),
        |search| async move {
            match search.parse() {
                Ok(search) => found_contacts(search).await.map(Some),
                Err(_) => Ok(None),
            }
        },
    );
    view! {
        <PageHead title="Find by number" above=vec![("Sync".to_owned(), "/sync".to_owned())] />
        <div class="panel mb-4 max-w-xl p-5">
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <FormFault fault=fault fields=&["number"] />
                    <input type="hidden" name="line" prop:value=move || line.get() value=line.get_untracked() />
                    <Field
                        label="Contact’s number" name="number" kind="tel" inputmode="tel" autocomplete="off"
                        help="The whole number, as in +1 202 555 0143. On one line, part of it, or how the name begins, is enough for who may see them."
                        error=field_error(fault, "number")
                    />
                    <div>
                        <Button look=Look::Main pending=waits(action)>
                            "Find"
                        </Button>
                    </div>
                </div>
            </SendForm>
        </div>
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(None) => ().into_any(),
                    Ok(Some(found)) => list(found).into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn list(found: Part<FoundRow>) -> impl IntoView {
    let Part { rows, is_cut } = found;
    let is_masked = rows.iter().any(|row| row.number.whole().is_none());
    let table = if rows.is_empty() {
        view! {
            <Empty title="No conversation with this number">"Check the number. A contact has a conversation once something was texted to or by them."</Empty>
        }
        .into_any()
    } else {
        view! {
            <Table label="Conversations with this number" head=&["Contact", "Line", "Account", "Last message"]>
                {rows.into_iter().map(|found| row(found).into_any()).collect_view()}
            </Table>
        }
        .into_any()
    };
    view! {
        {masked_note(is_masked)}
        <div class="panel">
            {table}
            {there_are_more(is_cut)}
        </div>
    }
}

fn row(row: FoundRow) -> impl IntoView {
    let page = format!("/lines/{}/conversations/{}", row.line_id, row.conversation_id);
    view! {
        <tr role="row">
            <Cell of="Contact">{contact(row.contact, row.number, page)}</Cell>
            <Cell of="Line">
                <a class="text-link above" href=format!("/lines/{}", row.line_id)>{row.line}</a>
            </Cell>
            <Cell of="Account">
                <a class="text-link above" href=format!("/accounts/{}", row.account_id)>{row.account}</a>
            </Cell>
            <Cell of="Last message">
                <Time at=row.last_at />
            </Cell>
        </tr>
    }
}
