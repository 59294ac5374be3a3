//! Launching a utility: its form, made from what it asks for. Sending it changes nothing; it leads to the plan.

use super::fields::field;
use crate::fault::{Fault, Reply};
use crate::ui::{Button, ButtonLink, FaultView, FormFault, Loading, Look, PageHead, Sending, UploadForm, fault_of, load, waits};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use switchyard::types::{Problem, UtilityAbout, UtilityKind};

#[cfg(feature = "ssr")]
use {crate::context::member, switchyard::utilities};

/// Where forms of utilities are sent, followed by the utility's word.
const PLAN: &str = "/utilities/plan";

/// What a utility asks for.
#[server(prefix = "/fn", output = Reply, endpoint = "utilities/form")]
pub async fn utility_form(kind: UtilityKind) -> Result<UtilityAbout, Fault> {
    Ok(utilities::about(&member().await?, kind)?)
}

/// The form of the utility that the path names.
#[component]
pub fn LaunchPage() -> impl IntoView {
    let params = use_params_map();
    let kind = Memo::new(move |_| params.with(|params| params.get_str("kind").and_then(|kind| kind.parse::<UtilityKind>().ok())));
    let found = load(
        move || kind.get(),
        |kind| async move {
            match kind {
                Some(kind) => utility_form(kind).await,
                None => Err(Problem::not_found("There is no such utility. The address may be mistyped.").into()),
            }
        },
    );
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(about) => form(about).into_any(),
                    Err(fault) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn form(about: UtilityAbout) -> impl IntoView {
    let action = Sending::to_path(PLAN);
    let fault = fault_of(action);
    let names: Vec<String> = about.fields.iter().map(|field| field.name.clone()).collect();
    // What no field of the form shows.
    let of_form = Signal::derive(move || {
        let shown = |fault: &Fault| fault.0.field().is_some_and(|field| names.iter().any(|name| name == field));
        fault.get().filter(|fault| !shown(fault))
    });
    let kind = about.kind;
    let fields = about.fields.into_iter().map(|of| field(kind, of, fault)).collect_view();
    let notes = about.notes.into_iter().map(|note| view! { <li>{note}</li> }).collect_view();
    view! {
        <PageHead title=about.name above=vec![("Utilities".to_owned(), "/utilities".to_owned())] />
        <div class="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
            <div class="panel p-5">
                <UploadForm action=action to=format!("{PLAN}/{}", kind.as_str())>
                    <div class="flex flex-col gap-5">
                        <FormFault fault=of_form />
                        {fields}
                        <div class="flex flex-col gap-2 border-t border-base-300 pt-4">
                            <p class="muted text-xs">"First you see what it would do. Nothing is changed before you start it."</p>
                            <div class="flex flex-wrap gap-2">
                                <Button look=Look::Main pending=waits(action)>
                                    "See what it would do"
                                </Button>
                                <ButtonLink href="/utilities">"Cancel"</ButtonLink>
                            </div>
                        </div>
                    </div>
                </UploadForm>
            </div>
            <section class="panel flex flex-col gap-3 p-5" aria-label="What it does">
                <p>{about.does}</p>
                <ul class="muted flex list-disc flex-col gap-1.5 ps-5">{notes}</ul>
            </section>
        </div>
    }
}
