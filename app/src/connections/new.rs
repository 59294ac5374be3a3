//! Connecting an account to RingCentral.

use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::lines::{AccountSelect, Choosing, Offered};
use crate::ui::{
    Button, ButtonLink, Empty, FaultView, Field, FormFault, Loading, Look, PageHead, SendForm, Sending, fault_of, field_error, no_account,
    waits,
};
use leptos::prelude::*;
use switchyard::types::{AccountId, Permission, Problem};

#[cfg(feature = "ssr")]
use {
    super::limits::limit,
    crate::context::{permit, proof, services},
    switchyard::ringcentral::{self, NewConnection},
    switchyard::staff::may,
};

/// Connects an account and goes to its connection.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/add")]
pub async fn add_connection(
    account: AccountId,
    base_url: String,
    client_id: String,
    client_secret: String,
    jwt: String,
    #[server(default)] posts_per_minute: String,
    #[server(default)] posts_per_day: String,
) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let (services, proof) = (services()?, proof().await?);
    let new = NewConnection {
        base_url: base_url.trim().to_owned(),
        client_id: client_id.trim().to_owned(),
        client_secret: client_secret.trim().to_owned(),
        jwt: jwt.trim().to_owned(),
        posts_per_minute: limit("posts_per_minute", &posts_per_minute)?,
        posts_per_day: limit("posts_per_day", &posts_per_day)?,
    };
    let id = ringcentral::connect(&services.db, &services.now, &services.keys, &permit, proof, account, new).await?;
    leptos_axum::redirect(&format!("/connections/{id}?done=added"));
    Ok(())
}

/// The form that connects an account.
#[component]
pub fn NewConnectionPage() -> impl IntoView {
    let choosing = Choosing::of("account", true);
    let accounts = choosing.offered();
    let me = use_me();
    view! {
        <PageHead title="Add a connection" above=vec![("Connections".to_owned(), "/connections".to_owned())] />
        <Suspense fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, accounts.await) {
                    (Ok(me), _) if !me.may(Permission::ManageDirectory) => {
                        let fault = Problem::forbidden("Your roles do not let you add connections.").into();
                        view! { <FaultView fault=fault /> }.into_any()
                    }
                    (Ok(me), Ok(first)) if choosing.are_all(&first) && first.each().next().is_none() => {
                        no_account("A connection belongs to an account.", me.may_everywhere(Permission::ManageDirectory)).into_any()
                    }
                    (Ok(_), Ok(first)) if choosing.are_all(&first) && first.each().all(|account| account.connected) => {
                        view! {
                            <div class="panel">
                                <Empty title="Every account is connected">
                                    <span>"An account has one connection. To change its credential, give it new secrets."</span>
                                    <ButtonLink href="/connections">"To the connections"</ButtonLink>
                                </Empty>
                            </div>
                        }
                            .into_any()
                    }
                    (Ok(_), Ok(first)) => view! { <Form choosing=choosing first=first /> }.into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

/// A search for an account without JavaScript is sent by itself: no secret that is typed goes into an address.
const FIND_FORM: &str = "find-account-form";

#[component]
fn Form(choosing: Choosing, first: Offered) -> impl IntoView {
    let action = Sending::to::<AddConnection>();
    let fault = fault_of(action);
    view! {
        <div class="panel max-w-xl p-5">
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <FormFault fault=fault fields=&["base_url", "client_id", "client_secret", "jwt", "posts_per_minute", "posts_per_day"] />
                    <AccountSelect
                        choosing=choosing first=first to="/connections/new" form=Some(FIND_FORM) unconnected=true
                        help="Only accounts without a connection are offered: each has one at most."
                    />
                    <Field
                        label="RingCentral’s address" name="base_url" kind="url" inputmode="url" value="https://platform.ringcentral.com"
                        help="Change it only for a sandbox." error=field_error(fault, "base_url")
                    />
                    <fieldset class="flex flex-col gap-4 border-t border-base-300 pt-4">
                        <legend class="sr-only">"Credential"</legend>
                        <p class="muted text-xs">
                            "The client registers a private REST API app with JWT sign-in in RingCentral’s developer console, with the permissions Read Accounts, Team Messaging and Webhook Subscriptions, and those that read messages and calls. Its user is the author of all posts. The secret and the JWT are stored sealed and are never shown again."
                        </p>
                        {super::secrets::fields(fault)}
                    </fieldset>
                    <fieldset class="flex flex-col gap-4 border-t border-base-300 pt-4">
                        <legend class="sr-only">"Limits"</legend>
                        {super::limits::fields(fault, ["40", "2500"].map(str::to_owned))}
                    </fieldset>
                    <div class="flex gap-2">
                        <Button look=Look::Main pending=waits(action)>
                            "Add connection"
                        </Button>
                        <ButtonLink href="/connections">"Cancel"</ButtonLink>
                    </div>
                </div>
            </SendForm>
            <form id=FIND_FORM method="get">
                <input type="hidden" name="account" value=choosing.now() />
            </form>
        </div>
    }
}
