//! New secrets for a connection: they are written and sealed, and never shown.

use super::{above, connection_of_path, no_such_connection, read_connection};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Button, ButtonLink, FaultView, Field, FormFault, Loading, Look, PageHead, SendForm, Sending, fault_of, field_error, load, waits,
};
use leptos::prelude::*;
use switchyard::types::{ConnectionId, ConnectionRow, Permission, Problem, Span};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, proof, services},
    switchyard::ringcentral,
    switchyard::staff::may,
};

/// Gives a connection a new application and credential, and goes back to it.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/secrets")]
pub async fn renew_secrets(id: ConnectionId, version: i64, client_id: String, client_secret: String, jwt: String) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let (services, proof) = (services()?, proof().await?);
    let new = [client_id.as_str(), client_secret.as_str(), jwt.as_str()];
    ringcentral::renew_secrets(&services.db, &services.now, &services.keys, &permit, proof, (id, version), new).await?;
    leptos_axum::redirect(&format!("/connections/{id}?done=secrets"));
    Ok(())
}

/// The fields of an app and its credential. They are always empty at first: what is stored is not shown.
pub fn fields(fault: Signal<Option<Fault>>) -> impl IntoView {
    view! {
        <Field
            label="Client ID" name="client_id" help="Of the app; no secret." error=field_error(fault, "client_id")
        />
        <Field
            label="Client secret" name="client_secret" kind="password" autocomplete="new-password" error=field_error(fault, "client_secret")
        />
        <Field
            label="JWT credential" name="jwt" kind="password" autocomplete="new-password"
            help="Made under “Credentials” by the user who is to post." error=field_error(fault, "jwt")
        />
    }
}

/// The form for new secrets.
#[component]
pub fn NewSecretsPage() -> impl IntoView {
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
                        let fault = Problem::forbidden("Your roles do not let you change connections.").into();
                        view! { <FaultView fault=fault /> }.into_any()
                    }
                    (Ok(_), Ok(whole)) => view! { <Form row=whole.detail.row /> }.into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Form(row: ConnectionRow) -> impl IntoView {
    let action = Sending::to::<RenewSecrets>();
    let fault = fault_of(action);
    let page = format!("/connections/{}", row.id);
    view! {
        <PageHead title="New secrets" above=above(&row) />
        <div class="panel max-w-xl p-5">
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <p>
                        "They take the place of those that are stored, at once. What waits is posted with them; nothing is lost meanwhile."
                    </p>
                    <dl class="facts">
                        <dt>"Account"</dt>
                        <dd>{row.account}</dd>
                        <dt>"Client ID now"</dt>
                        <dd>{row.client_id}</dd>
                    </dl>
                    <FormFault fault=fault fields=&["client_id", "client_secret", "jwt"] />
                    <input type="hidden" name="id" value=row.id.to_string() />
                    <input type="hidden" name="version" value=row.version.to_string() />
                    {fields(fault)}
                    <div class="flex gap-2">
                        <Button look=Look::Main pending=waits(action)>
                            "Store the new secrets"
                        </Button>
                        <ButtonLink href=page>"Cancel"</ButtonLink>
                    </div>
                </div>
            </SendForm>
        </div>
    }
}
