//! A one-time link: of an invitation, or to a new password. A password is chosen, and in.

use crate::fault::{Fault, Reply};
use crate::sign_in::Doorstep;
use crate::ui::{Button, Field, FormFault, Loading, Look, SendForm, Sending, fault_of, field_error, load, query_field, waits};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use {
    crate::context::{client_address, services},
    crate::sign_in::enter,
    switchyard::staff,
};

/// Whom an invitation is for.
#[server(prefix = "/fn", output = Reply, endpoint = "invitation")]
pub async fn invited(token: String) -> Result<String, Fault> {
    let services = services()?;
    Ok(staff::peek(&services.db, &services.now, &token, Some(&client_address())).await?)
}

/// Accepts an invitation with a first password and signs in.
#[server(prefix = "/fn", output = Reply, endpoint = "invitation/accept")]
pub async fn accept_invitation(token: String, password: String) -> Result<(), Fault> {
    let services = services()?;
    let step = staff::accept(&services.db, &services.now, &services.passwords, &token, password, Some(&client_address())).await?;
    enter(step, services.now.at(), "/").await?;
    Ok(())
}

/// The page that an invitation's link opens.
#[component]
pub fn InvitationPage() -> impl IntoView {
    let token = query_field("token");
    let email = load(move || token.get(), invited);
    let action = Sending::to::<AcceptInvitation>();
    let fault = fault_of(action);
    view! {
        <Doorstep title="Welcome to Switchyard">
            <Suspense fallback=Loading>
                {move || Suspend::new(async move {
                    match email.await {
                        Ok(email) => {
                            view! {
                                <FormFault fault=fault fields=&["password"] />
                                <SendForm action=action>
                                    <div class="flex flex-col gap-4">
                                        <p>
                                            "Choose a password for " <strong class="font-semibold break-all">{email.clone()}</strong> "."
                                        </p>
                                        <input type="hidden" name="token" value=token.get_untracked() />
                                        // So that a password manager files the password under the right name.
                                        <input type="email" name="email" value=email autocomplete="username" class="hidden" readonly=true />
                                        <Field
                                            label="Password" name="password" kind="password" autocomplete="new-password"
                                            help="At least 15 characters, and not one that is guessed first. A few words in a row are easy to remember; a password manager's choice is best."
                                            error=field_error(fault, "password") autofocus=true
                                        />
                                        <Button look=Look::Main pending=waits(action)>
                                            "Set the password and sign in"
                                        </Button>
                                    </div>
                                </SendForm>
                            }
                                .into_any()
                        }
                        Err(fault) => {
                            view! {
                                <p role="alert">{fault.to_string()}</p>
                                <a href="/sign-in" rel="external" class="text-link">"To the sign-in"</a>
                            }
                                .into_any()
                        }
                    }
                })}
            </Suspense>
        </Doorstep>
    }
}
