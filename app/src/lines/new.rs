//! Adding a line to an account.

use super::{AccountSelect, Choosing};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Button, ButtonLink, Choice, FaultView, Field, FormFault, Loading, Look, PageHead, Select, SendForm, Sending, fault_of, field_error,
    no_account, query_field, waits,
};
use leptos::prelude::*;
use switchyard::types::{AccountId, IntegrationType, Permission, Problem};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// Adds a line and goes to it.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/add")]
pub async fn add_line(account: AccountId, number: String, label: String, integration_type: IntegrationType) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let id = directory::lines::add(&services.db, &services.now, &permit, account, &number, &label, integration_type).await?;
    leptos_axum::redirect(&format!("/lines/{id}?done=added"));
    Ok(())
}

/// The form that adds a line.
#[component]
pub fn NewLinePage() -> impl IntoView {
    // A link names the number; a search without JavaScript brings back what was typed.
    let [number, label, integration_type] = ["number", "label", "integration_type"].map(query_field);
    let choosing = Choosing::of("account", true);
    let accounts = choosing.offered();
    let action = Sending::to::<AddLine>();
    let fault = fault_of(action);
    let types = IntegrationType::ALL.iter().map(|of| Choice::new(of.as_str(), of.name())).collect::<Vec<_>>();
    let types = StoredValue::new(types);
    let me = use_me();
    view! {
        <PageHead title="Add a line" above=vec![("Lines".to_owned(), "/lines".to_owned())] />
        <Suspense fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, accounts.await) {
                    (Ok(me), _) if !me.may(Permission::ManageDirectory) => {
                        let fault = Problem::forbidden("Your roles do not let you add lines.").into();
                        view! { <FaultView fault=fault /> }.into_any()
                    }
                    (Ok(me), Ok(first)) if choosing.are_all(&first) && first.each().next().is_none() => {
                        no_account("A line belongs to an account.", me.may_everywhere(Permission::ManageDirectory)).into_any()
                    }
                    (Ok(_), Ok(first)) => {
                        view! {
                            <div class="panel max-w-xl p-5">
                                <SendForm action=action>
                                    <div class="flex flex-col gap-4">
                                        <FormFault fault=fault fields=&["number", "label", "integration_type"] />
                                        <AccountSelect choosing=choosing first=first to="/lines/new" />
                                        <Field
                                            label="Number" name="number" kind="tel" inputmode="tel" value=number.get_untracked()
                                            help="With + and the country code, as in +1 202 555 0143, or a short code." error=field_error(fault, "number")
                                        />
                                        <Field
                                            label="Label" name="label" value=label.get_untracked()
                                            help="What staff call it, such as “Front desk”." error=field_error(fault, "label")
                                        />
                                        <Select
                                            label="Integration type" name="integration_type" choices=types.get_value() value=integration_type
                                            help="Choose None for a line that only sends blasts. RingCentral needs a connection on the account."
                                            error=field_error(fault, "integration_type")
                                        />
                                        <div class="flex gap-2">
                                            <Button look=Look::Main pending=waits(action)>
                                                "Add line"
                                            </Button>
                                            <ButtonLink href="/lines">"Cancel"</ButtonLink>
                                        </div>
                                    </div>
                                </SendForm>
                            </div>
                        }
                            .into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Suspense>
    }
}
