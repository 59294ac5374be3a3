//! Signing in, without JavaScript too. The words are the same for a stranger and for a wrong password.

use crate::fault::{Fault, Reply};
use crate::ui::{Button, Field, FormFault, Icon, Look, SendForm, Sending, fault_of, field_error, icon, query_field, waits};
use leptos::prelude::*;
use leptos_meta::Title;

#[cfg(feature = "ssr")]
use {
    crate::context::{STAFF, client_address, local_path, services, session},
    switchyard::staff,
    switchyard::types::{Problem, StaffId},
};

/// Checks e-mail and password and begins a new session; `next` is the page to go to.
#[server(prefix = "/fn", output = Reply, endpoint = "sign-in")]
pub async fn sign_in(email: String, password: String, #[server(default)] next: String) -> Result<(), Fault> {
    let services = services()?;
    let id = staff::sign_in(&services.db, &services.now, &services.passwords, &email, password, &client_address()).await?;
    begin_session(id).await?;
    leptos_axum::redirect(local_path(&next));
    Ok(())
}

/// Gives the browser a new session: one from before signing in must not become a signed-in one (session fixation).
#[cfg(feature = "ssr")]
pub(crate) async fn begin_session(id: StaffId) -> Result<(), Problem> {
    let failed = |error| {
        tracing::error!(%error, "a session could not be begun");
        Problem::unavailable("You could not be signed in. Try again in a minute.")
    };
    let session = session()?;
    // Not `flush`: what is inserted after it is stored under the former id.
    session.clear().await;
    session.cycle_id().await.map_err(failed)?;
    session.insert(STAFF, id).await.map_err(failed)?;
    session.insert("since", services()?.now.at()).await.map_err(failed)
}

/// The page around a form of somebody who is not signed in.
#[component]
pub fn Doorstep(
    /// Its heading.
    title: &'static str,
    /// The form.
    children: Children,
) -> impl IntoView {
    view! {
        <Title text=title />
        <main class="flex min-h-dvh flex-col items-center justify-center gap-6 p-4">
            <div class="flex items-center gap-2 text-lg font-semibold">
                <span class="text-primary">{icon(Icon::Brand)}</span>
                "Switchyard"
            </div>
            <section class="panel flex w-full max-w-sm flex-col gap-4 p-6">
                <h1 class="text-lg font-semibold">{title}</h1>
                {children()}
            </section>
        </main>
    }
}

/// The sign-in page.
#[component]
pub fn SignInPage() -> impl IntoView {
    let action = Sending::to::<SignIn>();
    let fault = fault_of(action);
    let next = query_field("next");
    view! {
        <Doorstep title="Sign in">
            <FormFault fault=fault fields=&["email", "password"] />
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <input type="hidden" name="next" value=next />
                    <Field label="E-mail" name="email" kind="email" autocomplete="username" error=field_error(fault, "email") autofocus=true />
                    <Field
                        label="Password" name="password" kind="password" autocomplete="current-password" error=field_error(fault, "password")
                    />
                    <Button look=Look::Main pending=waits(action)>
                        "Sign in"
                    </Button>
                </div>
            </SendForm>
            <p class="muted text-xs">"No account, or the password is lost? Ask an administrator for an invitation."</p>
        </Doorstep>
    }
}
