//! Changing a line's integration type: what it would do, with counts; a typed confirmation when messages are under way; and the
//! conflict, shown, when somebody else was first.

use super::{line, line_of_path, no_such_line, type_of};
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::ui::{
    Button, ButtonLink, Effects, FaultView, Field, FormFault, Icon, Loading, Look, PageHead, SendForm, Sending, Stat, TypeBadge, fault_of,
    field_error, icon, load, query_field, waits,
};
use leptos::prelude::*;
use switchyard::types::{IntegrationType, LineId, LineRow, Permission, Problem, TypeChangePreview};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::directory,
    switchyard::staff::may,
};

/// What setting the type would do, with what becomes of each in sentences; changes nothing.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/type/preview")]
pub async fn preview_type(id: LineId, to: IntegrationType) -> Result<(TypeChangePreview, Vec<String>), Fault> {
    let permit = permit::<may::SetIntegrationType>().await?;
    let preview = directory::integration::preview(&services()?.db, &permit, id, to).await?;
    let effects = directory::integration::effects(&[&preview]);
    Ok((preview, effects))
}

/// Sets the type, as previewed on `version`; `confirm` is the last four digits of the line when messages are under way.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/type/set")]
pub async fn set_type(id: LineId, to: IntegrationType, version: i64, #[server(default)] confirm: String) -> Result<(), Fault> {
    let permit = permit::<may::SetIntegrationType>().await?;
    let services = services()?;
    check_confirmation(&services, &permit, id, to, &confirm).await?;
    directory::integration::set(&services.db, &services.now, &permit, id, to, version).await?;
    leptos_axum::redirect(&format!("/lines/{id}?done=type"));
    Ok(())
}

/// Holds the typed confirmation against the line, where the preview asks for one: a form can be made by hand.
#[cfg(feature = "ssr")]
async fn check_confirmation(
    services: &crate::context::Services,
    permit: &switchyard::staff::Permit<may::SetIntegrationType>,
    id: LineId,
    to: IntegrationType,
    confirm: &str,
) -> Result<(), Problem> {
    let preview = directory::integration::preview(&services.db, permit, id, to).await?;
    if !needs_confirmation(&preview) {
        return Ok(());
    }
    let see = crate::context::permit::<may::SeeDirectory>().await?;
    let line = directory::lines::get(&services.db, &see, id).await?.line;
    match confirm.trim() {
        given if given == last_digits(&line) => Ok(()),
        "" => Err(Problem::conflict(
            "Messages are held or queued on this line now. Look again, then confirm with the line's last four digits.",
        )),
        _ => Err(Problem::invalid("confirm", "These are not the last four digits of the line.")),
    }
}

fn needs_confirmation(preview: &TypeChangePreview) -> bool {
    preview.held > 0 || preview.queued > 0
}

/// The last four digits of the line's number; a short code may have fewer.
pub(super) fn last_digits(line: &LineRow) -> String {
    let number = line.number.expose().trim_start_matches('+');
    number[number.len().saturating_sub(4)..].to_owned()
}

/// The preview of a change of type, and its confirmation.
#[component]
pub fn TypeChangePage() -> impl IntoView {
    let id = line_of_path();
    let to = query_field("to");
    let looks = RwSignal::new(0_u32);
    let me = use_me();
    let found = load(
        move || (id.get(), to.get(), looks.get()),
        |(id, to, _)| async move {
            let Some(id) = id else { return Err(no_such_line()) };
            let Some(to) = type_of(&to) else {
                return Err(Problem::invalid("to", "Choose one of the integration types on the line's page.").into());
            };
            let line = line(id).await?.line;
            // Asked only to be shown: the type may have been set meanwhile, which is no error of the page.
            Ok((line, preview_type(id, to).await))
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((line, preview))) => {
                        let head = view! {
                            <PageHead
                                title="Change the integration type"
                                above=vec![
                                    ("Lines".to_owned(), "/lines".to_owned()),
                                    (line.number.readable(), format!("/lines/{}", line.id)),
                                ]
                            />
                        };
                        let body = match preview {
                            Ok((preview, effects)) if me.may(Permission::SetIntegrationType) => {
                                confirm(line, preview, effects, looks).into_any()
                            }
                            Ok(_) => {
                                let fault = Problem::forbidden("Your roles do not let you set the integration type of a line.").into();
                                view! { <FaultView fault=fault /> }.into_any()
                            }
                            Err(fault) if matches!(fault.0, Problem::Conflict { .. }) => {
                                view! {
                                    <section class="panel flex max-w-2xl flex-col items-start gap-3 p-5">
                                        <p>{fault.to_string()}</p>
                                        <ButtonLink href=format!("/lines/{}", line.id)>"To the line and its history"</ButtonLink>
                                    </section>
                                }
                                    .into_any()
                            }
                            Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                        };
                        view! {
                            {head}
                            {body}
                        }
                            .into_any()
                    }
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn confirm(line: LineRow, preview: TypeChangePreview, effects: Vec<String>, looks: RwSignal<u32>) -> impl IntoView {
    let action = Sending::to::<SetType>();
    let fault = fault_of(action);
    let is_conflict = move || fault.with(|fault| fault.as_ref().is_some_and(|fault| matches!(fault.0, Problem::Conflict { .. })));
    let digits = last_digits(&line);
    let typed = needs_confirmation(&preview);
    let look = if preview.from == IntegrationType::Ringcentral { Look::Danger } else { Look::Main };
    let page = format!("/lines/{}", line.id);
    let again = format!("{page}/type?to={}", preview.to.as_str());
    let (id, to, version) = (line.id.to_string(), preview.to, preview.version.to_string());
    let form = match preview.obstacle {
        Some(obstacle) => {
            let page = page.clone();
            view! {
                <p class="alert alert-warning alert-soft items-start py-2.5 text-sm" role="note">
                    {icon(Icon::Warning)} <span>{obstacle}</span>
                </p>
                <div>
                    <ButtonLink href=page>"Back to the line"</ButtonLink>
                </div>
            }
            .into_any()
        }
        None => {
            let page = page.clone();
            view! {
                <FormFault fault=fault fields=&["confirm"] />
                <Show when=is_conflict>
                    // A new page in the URL's sense too: the error in it must not stay.
                    <a
                        href=again.clone() class="btn btn-sm h-9 self-start btn-primary text-sm"
                        on:click=move |_| {
                            action.clear();
                            looks.update(|n| *n += 1);
                        }
                    >
                        "Look again"
                    </a>
                </Show>
                <SendForm action=action>
                    // What is confirmed must be what was looked at: after a conflict there is only the new look.
                    <div class="flex flex-col gap-4" class:hidden=is_conflict>
                        <input type="hidden" name="id" value=id />
                        <input type="hidden" name="to" value=to.as_str() />
                        <input type="hidden" name="version" value=version />
                        {typed
                            .then(|| {
                                view! {
                                    <div class="max-w-xs">
                                        <Field
                                            label="Type the last four digits of the line to confirm" name="confirm" inputmode="numeric"
                                            pattern=digits title="The last four digits of the line’s number" error=field_error(fault, "confirm")
                                        />
                                    </div>
                                }
                            })}
                        <div class="flex flex-wrap gap-2">
                            <Button look=look pending=waits(action)>
                                "Set to "
                                {to.name()}
                            </Button>
                            <ButtonLink href=page>"Cancel"</ButtonLink>
                        </div>
                    </div>
                </SendForm>
            }
            .into_any()
        }
    };
    view! {
        <section class="panel flex max-w-2xl flex-col gap-5 p-5">
            <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <span class="font-semibold">{line.number.readable()}</span>
                <span class="muted">
                    {line.label} " · " <a class="text-link" href=format!("/accounts/{}", line.account_id)>{line.account}</a>
                </span>
            </div>
            <div class="flex flex-wrap items-center gap-3">
                <TypeBadge of=preview.from />
                <span aria-hidden="true">"→"</span>
                <span class="sr-only">"becomes"</span>
                <TypeBadge of=preview.to />
            </div>
            <dl class="grid grid-cols-2 gap-4 border-y border-base-300 py-4 sm:grid-cols-4">
                <Stat label="Conversations" value=preview.conversations />
                <Stat label="Held messages" value=preview.held />
                <Stat label="Queued messages" value=preview.queued />
                <Stat label="Can be restored" value=preview.restorable />
            </dl>
            <Effects title="What will happen" each=effects />
            {form}
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard::types::{AccountId, PhoneNumber};

    fn line(number: &str) -> LineRow {
        LineRow {
            id: LineId(uuid::Uuid::nil()),
            number: PhoneNumber::parse(number).expect("a number"),
            label: "Front desk".into(),
            account_id: AccountId(uuid::Uuid::nil()),
            account: "Acme".into(),
            integration_type: IntegrationType::None,
            created_at: switchyard::types::Timestamp(0),
            closed_at: None,
        }
    }

    #[test]
    fn a_line_is_confirmed_by_its_last_four_digits_or_by_a_short_code_of_three() {
        assert_eq!(last_digits(&line("+12025550143")), "0143");
        assert_eq!(last_digits(&line("555")), "555");
    }
}
