//! Signing in, without JavaScript too: a password, then a code where there is a second factor. The words are the same for a stranger
//! and for a wrong password.

use crate::fault::{Fault, Reply};
use crate::ui::{Button, Field, FormFault, Icon, Look, SendForm, Sending, fault_of, field_error, icon, query_field, waits};
use leptos::prelude::*;
use leptos_meta::Title;

#[cfg(feature = "ssr")]
use {
    crate::context::{PROVED, STAFF, client_address, cookie, device, is_plain_form, local_path, member, services, session, set_cookie},
    std::time::Duration,
    switchyard::staff::{self, BEGUN, By, HALF, Origin, Step, WAS},
    switchyard::types::{Problem, StaffId, Timestamp},
};

/// So long a code can be typed.
#[cfg(feature = "ssr")]
const HALF_GOOD_FOR: Duration = Duration::from_secs(10 * 60);
/// How long a browser is known.
#[cfg(feature = "ssr")]
const DEVICE_SECONDS: u32 = 90 * 24 * 60 * 60;

/// Checks e-mail and password and begins a new session; `next` is the page to go to.
#[server(prefix = "/fn", output = Reply, endpoint = "sign-in")]
pub async fn sign_in(email: String, password: String, #[server(default)] next: String) -> Result<(), Fault> {
    let services = services()?;
    let begun = services.now.at();
    let (address, device) = (client_address(), cookie(device_cookie()?));
    let from = Origin { address: &address, device: device.as_deref() };
    let step = staff::sign_in(&services.db, &services.now, &services.passwords, &email, password, from).await?;
    enter(step, begun, &next).await?;
    Ok(())
}

/// Checks the code of who has given their password, and begins a new session.
#[server(prefix = "/fn", output = Reply, endpoint = "sign-in/code")]
pub async fn sign_in_with_code(code: String, #[server(default)] next: String) -> Result<(), Fault> {
    let services = services()?;
    let begun = services.now.at();
    let half = session()?.get::<(StaffId, Timestamp)>(HALF).await.map_err(not_begun)?;
    let half = half.filter(|(_, at)| services.now.at().since(*at) <= HALF_GOOD_FOR);
    let (id, _) = half.ok_or_else(|| Problem::forbidden("This took too long. Go back and sign in with your password again."))?;
    let address = client_address();
    let by = By { id, address: Some(&address) };
    staff::sign_in_with_code(&services.db, &services.now, &services.keys, by, &code).await?;
    enter(Step::In(id), begun, &next).await?;
    Ok(())
}

/// Shows again who is there, by a password or a code, so that a dangerous action can be done.
#[server(prefix = "/fn", output = Reply, endpoint = "prove")]
pub async fn prove(code: String, #[server(default)] next: String) -> Result<(), Fault> {
    let (services, member) = (services()?, member().await?);
    let begun = services.now.at();
    staff::prove(&services.db, &services.now, &services.passwords, &services.keys, &member, code).await?;
    let session = session()?;
    // A new token with each proof (ASVS 5.0, 7.2.4); none in place of a session that has ended meanwhile.
    let id = session.id().ok_or(Problem::SignedOut)?;
    if !staff::replace_session(&services.db, &id).await? {
        return Err(Problem::SignedOut.into());
    }
    session.cycle_id().await.map_err(not_begun)?;
    session.insert(BEGUN, begun).await.map_err(not_begun)?;
    session.insert(WAS, staff::session_handle(&id)).await.map_err(not_begun)?;
    session.insert(PROVED, services.now.at()).await.map_err(not_begun)?;
    if is_plain_form() {
        leptos_axum::redirect(local_path(&next));
    }
    Ok(())
}

#[cfg(feature = "ssr")]
fn not_begun(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "a session could not be begun");
    Problem::unavailable("You could not be signed in. Try again in a minute.")
}

/// The cookie by which a browser is known that a member has signed in with.
#[cfg(feature = "ssr")]
fn device_cookie() -> Result<&'static str, Problem> {
    Ok(if services()?.secure_cookies { "__Host-switchyard-device" } else { "switchyard-device" })
}

/// Goes on from the password: in, or to the code. `begun` is when what is shown for it began to be checked.
#[cfg(feature = "ssr")]
pub(crate) async fn enter(step: Step, begun: Timestamp, next: &str) -> Result<(), Problem> {
    let (services, session) = (services()?, session()?);
    let at = services.now.at();
    // One from before signing in must not become a signed-in one (session fixation). Not `flush`: what is inserted after it is stored
    // under the former id.
    session.clear().await;
    session.cycle_id().await.map_err(not_begun)?;
    session.insert(BEGUN, begun).await.map_err(not_begun)?;
    match step {
        Step::NeedsCode(id) => {
            session.insert(HALF, (id, at)).await.map_err(not_begun)?;
            let next = leptos_router::location::Url::escape(local_path(next));
            leptos_axum::redirect(&format!("/sign-in/code?next={next}"));
        }
        Step::In(id) => {
            session.insert(STAFF, id).await.map_err(not_begun)?;
            session.insert("since", at).await.map_err(not_begun)?;
            session.insert(PROVED, at).await.map_err(not_begun)?;
            session.insert("address", client_address()).await.map_err(not_begun)?;
            session.insert("device", device()).await.map_err(not_begun)?;
            let name = device_cookie()?;
            let known = staff::remember_device(&services.db, &services.now, id, cookie(name).as_deref()).await?;
            let secure = if services.secure_cookies { "; Secure" } else { "" };
            set_cookie(&format!("{name}={known}; Path=/; Max-Age={DEVICE_SECONDS}; SameSite=Lax; HttpOnly{secure}"));
            leptos_axum::redirect(local_path(next));
        }
    }
    Ok(())
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
        <main class="flex min-h-[calc(100dvh-var(--band))] flex-col items-center justify-center gap-6 p-4">
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

/// The page that asks for a code.
#[component]
pub fn CodePage() -> impl IntoView {
    let action = Sending::to::<SignInWithCode>();
    let fault = fault_of(action);
    let next = query_field("next");
    view! {
        <Doorstep title="Second factor">
            <FormFault fault=fault fields=&["code"] />
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <input type="hidden" name="next" value=next />
                    <Field
                        label="Code" name="code" autocomplete="one-time-code" autofocus=true
                        help="The six digits that your authenticator shows now. Without it, one of your recovery codes."
                        error=field_error(fault, "code")
                    />
                    <Button look=Look::Main pending=waits(action)>
                        "Sign in"
                    </Button>
                </div>
            </SendForm>
            <p class="muted text-xs">
                "Neither at hand? Ask an administrator for a new link. " <a href="/sign-in" rel="external" class="text-link">"Start again"</a>
            </p>
        </Doorstep>
    }
}
