//! One account: what it is, its name and products, and the ways to everything that hangs on it.

use super::tokens::{NewToken, TokenActs, token_made_just_now, tokens_panel};
use super::{account_tabs, get_account};
use crate::connections::{StateBadge, connection_of, state_sentence};
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::ui::{
    Button, ButtonLink, Check, ConfirmFold, FaultView, Field, FormFault, Loading, Look, Notice, PageHead, Panel, SendForm, Sending, Tabs,
    Time, closed_badge, closed_fact, fault_of, field_error, id_of_path, load, look_again, mistyped, toast_on_success, waits,
};
use futures_util::future::try_join;
use leptos::prelude::*;
use switchyard::types::{AccountDetail, AccountId, ConnectionRow, Permission};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// Edits an account's name and products.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/edit")]
pub async fn edit_account(
    id: AccountId,
    version: i64,
    name: String,
    #[server(default)] sends_blasts: bool,
    #[server(default)] has_conversations: bool,
) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let products = (sends_blasts, has_conversations);
    Ok(directory::accounts::edit(&services.db, &services.now, &permit, id, version, &name, products).await?)
}

/// Opens a closed account again.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/reopen")]
pub async fn reopen_account(id: AccountId, version: i64) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    Ok(directory::accounts::reopen(&services.db, &services.now, &permit, id, version).await?)
}

/// What can be done on the page.
#[derive(Clone, Copy)]
struct Acts {
    edit: Sending,
    reopen: Sending,
    tokens: TokenActs,
}

/// One account.
#[component]
pub fn AccountPage() -> impl IntoView {
    let id = id_of_path::<AccountId>();
    let looks = RwSignal::new(0_u32);
    let (edit, reopen) = (Sending::to::<EditAccount>(), Sending::to::<ReopenAccount>());
    for action in [edit, reopen] {
        action.on_success(move || looks.update(|looks| *looks += 1));
    }
    toast_on_success(reopen, "The account is open again.");
    let acts = Acts { edit, reopen, tokens: TokenActs::on_page(looks) };
    let found = load(
        move || (id.get(), looks.get()),
        |(id, _)| async move {
            let Some(id) = id else { return Err(mistyped()) };
            try_join(get_account(id), connection_of(id)).await
        },
    );
    let earlier = load(
        move || id.get(),
        |id| async move {
            match id {
                Some(id) => token_made_just_now(id).await,
                None => Ok(None),
            }
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((account, connection))) => {
                        let earlier = earlier.await.ok().flatten();
                        whole(&me, account, connection, earlier, acts, looks).into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(
    me: &Me,
    account: AccountDetail,
    connection: Option<ConnectionRow>,
    earlier: Option<NewToken>,
    Acts { edit, reopen, tokens }: Acts,
    looks: RwSignal<u32>,
) -> impl IntoView + use<> {
    let (id, version, is_closed) = (account.row.id, account.version, account.row.closed_at.is_some());
    let may = me.may(Permission::ManageDirectory);
    let act = may.then(|| {
        if is_closed {
            view! {
                <ConfirmFold label="Reopen" of=account.row.name.clone() plain=true>
                    <p>
                        "Its programs may call again, and its connection goes on unless it was paused before. Blasts that were paused wait for a decision."
                    </p>
                    <SendForm action=reopen>
                        <input type="hidden" name="id" value=id.to_string() />
                        <input type="hidden" name="version" value=version.to_string() />
                        <Button look=Look::Main pending=waits(reopen)>
                            "Reopen the account"
                        </Button>
                    </SendForm>
                </ConfirmFold>
            }
            .into_any()
        } else {
            view! { <ButtonLink href=format!("/accounts/{id}/close")>"Close account…"</ButtonLink> }.into_any()
        }
    });
    view! {
        <PageHead
            title=account.row.name.clone() above=vec![("Accounts".to_owned(), "/accounts".to_owned())]
            beside=move || closed_badge(is_closed)
        >
            {act}
        </PageHead>
        <Tabs label="This account" tabs=account_tabs(id, me.may(Permission::SeeMessages)) />
        <Notice words=&[("closed", "The account is closed."), ("added", "The account was added. Add its lines, people and connection.")] />
        <FormFault fault=fault_of(reopen) />
        {is_closed.then(closed_note)}
        <div class="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
            <div class="flex min-w-0 flex-col gap-4">
                {facts(&account, connection, may)}
                {tokens_panel(&account, may, tokens, earlier)}
                {may.then(|| edit_panel(&account, edit, looks))}
            </div>
            {ways(id, is_closed, me)}
        </div>
    }
}

/// What it means that the account is closed.
fn closed_note() -> impl IntoView {
    view! {
        <div class="alert alert-warning alert-soft mb-4 block py-2.5 text-sm" role="note">
            <p class="font-medium">"The account is closed."</p>
            <p>
                "It takes no new line, person or connection. Its programs are refused, its connection is paused, nothing new is sent from its lines, and no automatic reply is given. What comes in is still recorded, and STOP is honoured."
            </p>
        </div>
    }
}

fn facts(account: &AccountDetail, connection: Option<ConnectionRow>, may: bool) -> impl IntoView + use<> {
    let id = account.row.id;
    // A closed account takes none.
    let may_add = may && account.row.closed_at.is_none();
    let connection = match connection {
        Some(row) => view! {
            <span class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <a class="text-link" href=format!("/connections/{}", row.id)>"Its connection"</a>
                <StateBadge of=row.state.clone() />
            </span>
            <span class="muted block text-xs">{state_sentence(&row.state)}</span>
        }
        .into_any(),
        None => view! {
            "Not connected. "
            {may_add.then(|| view! { <a class="text-link" href=format!("/connections/new?account={id}")>"Add a connection"</a> })}
        }
        .into_any(),
    };
    let lines = account.row.lines;
    let lines = if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") };
    let (products, created_at, closed_at) = (account.row.products(), account.created_at, account.row.closed_at);
    view! {
        <Panel title="Facts">
            <dl class="facts">
                <dt>"Products"</dt>
                <dd>{products}</dd>
                <dt>"Lines"</dt>
                <dd>
                    <a class="text-link" href=format!("/lines?account={id}")>{lines}</a>
                </dd>
                <dt>"RingCentral"</dt>
                <dd>{connection}</dd>
                <dt>"Added"</dt>
                <dd>
                    <Time at=created_at />
                </dd>
                {closed_fact(closed_at)}
            </dl>
        </Panel>
    }
}

fn edit_panel(account: &AccountDetail, action: Sending, looks: RwSignal<u32>) -> impl IntoView + use<> {
    let fault = fault_of(action);
    let (id, version, name) = (account.row.id, account.version, account.row.name.clone());
    let (sends_blasts, has_conversations) = (account.row.sends_blasts, account.row.has_conversations);
    let product = move |field: &'static str| {
        let error = field_error(fault, field);
        view! {
            <Show when=move || error.with(Option::is_some)>
                <p class="text-error text-xs font-medium" role="alert">
                    {move || error.get()} " "
                    <a class="underline" href=format!("/lines?account={id}")>"Show its lines"</a>
                </p>
            </Show>
        }
    };
    view! {
        <Panel title="Name and products" note="The products limit which integration types its lines may have.">
            <SendForm action=action>
                <div class="flex max-w-md flex-col gap-4">
                    <FormFault fault=fault fields=&["name", "sends_blasts", "has_conversations"] />
                    {look_again(action, looks)}
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="version" value=version.to_string() />
                    <Field label="Name" name="name" value=name error=field_error(fault, "name") />
                    <fieldset id="products" class="flex flex-col gap-1">
                        <legend class="mb-1 font-medium">"Products"</legend>
                        <Check label="Blast: lines set to None" name="sends_blasts" checked=sends_blasts />
                        {product("sends_blasts")}
                        <Check
                            label="Conversation: lines set to Inbox or RingCentral" name="has_conversations"
                            checked=has_conversations
                        />
                        {product("has_conversations")}
                    </fieldset>
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

/// Where everything of the account is; a closed one takes no line.
fn ways(id: AccountId, is_closed: bool, me: &Me) -> impl IntoView + use<> {
    let add = (Permission::ManageDirectory, "Add a line", "", format!("/lines/new?account={id}"));
    let mut ways = vec![
        (Permission::SeeDirectory, "Its lines", "What each is connected to", format!("/lines?account={id}")),
        (Permission::SeeDirectory, "Its people", "Who may be given access to lines", format!("/accounts/{id}/users")),
        (Permission::SeeDirectory, "Its contacts", "Whom it knows by name", format!("/accounts/{id}/contacts")),
        (Permission::SeeMessages, "Its conversations that are not in sync", "", format!("/sync?account={id}")),
        (Permission::SeeMessages, "Its blasts", "What was sent to many", format!("/accounts/{id}/blasts")),
        (Permission::SeeRuns, "Its runs", "What data utilities did", format!("/utilities/history?account={id}")),
        (Permission::SeeAudit, "Its audit", "Who changed what", format!("/audit?account={id}")),
        (Permission::SeeDirectory, "Retention", "How long its data is kept", format!("/accounts/{id}/retention")),
        (Permission::ManagePersonalData, "Erase a contact", "On request", format!("/accounts/{id}/erase")),
    ];
    if !is_closed {
        ways.insert(1, add);
    }
    let ways = ways.into_iter().filter(|(permission, ..)| me.may(*permission)).map(|(_, name, what, href)| {
        view! {
            <li class="px-4 py-2">
                <a class="text-link font-medium" href=href>{name}</a>
                {(!what.is_empty()).then(|| view! { <p class="muted text-xs">{what}</p> })}
            </li>
        }
    });
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"Everything of this account"</h2>
            </header>
            <ul class="divide-y divide-base-300/60">{ways.collect_view()}</ul>
        </section>
    }
}
