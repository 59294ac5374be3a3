//! The tokens of an account's programs: making one, which is shown once, and revoking one.
//!
//! The rule: the token itself stands in the answer that shows it and nowhere else. After a plain form a cookie carries it to that answer.

use crate::fault::{Fault, Reply};
use crate::ui::{
    Badge, Button, ButtonLink, ConfirmFold, CopyText, Field, FormFault, Look, SendForm, Sending, Time, fault_of, field_error,
    toast_on_success, waits,
};
use leptos::html;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use switchyard::types::{AccountDetail, AccountId, ApiTokenRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{cookie, is_plain_form, member, permit, proof, services, set_cookie},
    switchyard::directory,
    switchyard::staff::may,
};

/// Carries a token over the redirect after a plain form; only to the pages of its account, and only for a moment.
#[cfg(feature = "ssr")]
const COOKIE: &str = "switchyard_token";

/// A token that was just made.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewToken {
    /// Whose it is: the answer is still there when somebody goes on to another account.
    account: AccountId,
    /// The token: shown now and never again.
    token: String,
}

/// Makes a token for the account's programs; the answer is the token, which is shown now and never again.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/tokens/add")]
pub async fn add_token(id: AccountId, name: String) -> Result<NewToken, Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let (services, proof) = (services()?, proof().await?);
    let token = directory::accounts::add_api_token(&services.db, &services.now, &permit, proof, id, &name).await?;
    if is_plain_form() {
        let secure = if services.secure_cookies { "; Secure" } else { "" };
        set_cookie(&format!("{COOKIE}={token}; Path=/accounts/{id}; Max-Age=60; SameSite=Strict; HttpOnly{secure}"));
    }
    Ok(NewToken { account: id, token })
}

/// The token that a plain form has just made for the account, once.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/tokens/made")]
pub async fn token_made_just_now(id: AccountId) -> Result<Option<NewToken>, Fault> {
    // Asked for whoever sees the account: who may make none has made none, and was refused nothing.
    if member().await?.permit_if_any::<may::ManageDirectory>().is_none() {
        return Ok(None);
    }
    let Some(token) = cookie(COOKIE) else { return Ok(None) };
    set_cookie(&format!("{COOKIE}=; Path=/accounts/{id}; Max-Age=0; SameSite=Strict; HttpOnly"));
    Ok(Some(NewToken { account: id, token }))
}

/// Revokes a token.
#[server(prefix = "/fn", output = Reply, endpoint = "accounts/tokens/revoke")]
pub async fn revoke_token(id: AccountId, handle: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let (services, proof) = (services()?, proof().await?);
    Ok(directory::accounts::revoke_api_token(&services.db, &services.now, &permit, proof, id, &handle).await?)
}

/// What is done to tokens.
#[derive(Clone, Copy)]
pub struct TokenActs {
    make: Sending,
    revoke: Sending,
    form: NodeRef<html::Form>,
}

impl TokenActs {
    /// On a page that looks again when something was done.
    pub fn on_page(looks: RwSignal<u32>) -> Self {
        let acts = Self { make: Sending::to::<AddToken>(), revoke: Sending::to::<RevokeToken>(), form: NodeRef::new() };
        for act in [acts.make, acts.revoke] {
            act.on_success(move || looks.update(|looks| *looks += 1));
        }
        acts.make.on_success(move || {
            if let Some(form) = acts.form.get_untracked() {
                form.reset();
            }
        });
        toast_on_success(acts.revoke, "The token is revoked.");
        acts
    }
}

/// The account's tokens, and what may be done about them; `earlier` is the one that a plain form has just made.
pub fn tokens_panel(account: &AccountDetail, may: bool, acts: TokenActs, earlier: Option<NewToken>) -> impl IntoView + use<> {
    let (id, is_closed) = (account.row.id, account.row.closed_at.is_some());
    let made = move || {
        let made = acts.make.answer().with(|made| serde_json::from_str::<NewToken>(made.as_ref()?.as_ref().ok()?).ok());
        made.filter(|made| made.account == id).or_else(|| earlier.clone()).map(shown)
    };
    let list = if account.tokens.is_empty() {
        view! { <p class="muted px-4 py-4">"No tokens. The account’s programs cannot call."</p> }.into_any()
    } else {
        let rows = account.tokens.iter().map(|token| row(id, token, may, acts.revoke)).collect_view();
        view! { <ul class="divide-y divide-base-300/60">{rows}</ul> }.into_any()
    };
    view! {
        <section class="panel min-w-0">
            <header class="border-b border-base-300 px-4 py-3">
                <h2 class="font-semibold">"API tokens"</h2>
                <p class="muted text-xs">"With one of them the account’s programs send messages and blasts, and read both."</p>
            </header>
            <div class="has-[.alert]:p-3">
                <FormFault fault=fault_of(acts.revoke) />
            </div>
            <div role="status" class="empty:absolute">
                {made}
            </div>
            {list}
            // A closed account takes none.
            {(may && !is_closed).then(|| form(id, acts))}
        </section>
    }
}

fn row(account: AccountId, token: &ApiTokenRow, may: bool, revoke: Sending) -> impl IntoView + use<> {
    let (name, handle, made_at) = (token.name.clone(), token.handle.clone(), token.made_at);
    let is_good = token.revoked.is_none();
    let made_by = token.made_by.as_ref().map(|by| format!(" by {by}"));
    let revoked = token.revoked.as_ref().map(|(at, by)| {
        let (at, by) = (*at, (!by.is_empty()).then(|| format!(" by {by}")));
        view! { " · revoked " <Time at=at /> {by} }
    });
    let control = (may && is_good).then(|| {
        view! {
            <ConfirmFold label="Revoke" of=format!("the token {name}")>
                <p>"Whatever calls with it is refused from the next call on. A revoked token cannot be given back."</p>
                <SendForm action=revoke>
                    <input type="hidden" name="id" value=account.to_string() />
                    <input type="hidden" name="handle" value=handle />
                    <Button look=Look::Danger pending=waits(revoke)>
                        "Revoke the token"
                    </Button>
                </SendForm>
            </ConfirmFold>
        }
    });
    view! {
        <li class="flex flex-wrap items-start justify-between gap-x-4 gap-y-1 px-4 py-2.5">
            <div class="min-w-0 flex-1 basis-60">
                <p class="flex flex-wrap items-center gap-2">
                    <span class="font-medium wrap-anywhere">{name}</span>
                    {(!is_good).then(|| view! { <Badge>"Revoked"</Badge> })}
                </p>
                <p class="muted text-xs">"Made " <Time at=made_at /> {made_by} {revoked}</p>
            </div>
            {control}
        </li>
    }
}

fn form(account: AccountId, acts: TokenActs) -> impl IntoView {
    let fault = fault_of(acts.make);
    view! {
        <div class="border-t border-base-300 p-4">
            <SendForm action=acts.make node_ref=acts.form>
                <div class="flex max-w-md flex-col gap-3">
                    <FormFault fault=fault fields=&["name"] />
                    <input type="hidden" name="id" value=account.to_string() />
                    <Field
                        label="What it is for" name="name" id="token-name"
                        help="The program that will call with it, such as “Order system”." error=field_error(fault, "name")
                    />
                    <div>
                        <Button pending=waits(acts.make)>"Make a token"</Button>
                    </div>
                </div>
            </SendForm>
        </div>
    }
}

/// A token that was just made.
fn shown(made: NewToken) -> impl IntoView {
    view! {
        <div class="flex flex-col gap-3 border-b border-success p-4">
            <p class="font-semibold">"The token is made. Copy it now: it is not shown again."</p>
            <CopyText label="API token" text=made.token />
            <div>
                <ButtonLink href=format!("/accounts/{}", made.account) external=true>
                    "Done"
                </ButtonLink>
            </div>
        </div>
    }
}
