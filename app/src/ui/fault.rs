//! Errors on screen: what happened and what to do, announced to a screen reader.

use super::{ButtonLink, Icon, Look, Sending, Time, fault_of, icon, waits};
use crate::Fault;
use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use switchyard::types::{Problem, Timestamp};

/// What is wrong with one field.
pub fn field_error(fault: Signal<Option<Fault>>, field: &'static str) -> Signal<Option<String>> {
    Signal::derive(move || fault.with(|fault| fault.as_ref().filter(|fault| fault.0.field() == Some(field)).map(ToString::to_string)))
}

/// What went wrong with a form, unless one of its `fields` shows it.
#[component]
pub fn FormFault(
    /// What went wrong.
    fault: Signal<Option<Fault>>,
    /// The fields of the form that show their own errors.
    #[prop(optional)]
    fields: &'static [&'static str],
) -> impl IntoView {
    let said = move || {
        let shown = |fault: &Fault| fault.0.field().is_some_and(|field| fields.contains(&field));
        fault.with(|fault| fault.as_ref().filter(|fault| !shown(fault)).map(words))
    };
    let is_unproven = move || fault.with(|fault| fault.as_ref().is_some_and(|fault| fault.0 == Problem::Unproven));
    view! {
        // The live region stands there before its text does, or a screen reader would not hear it.
        <div role="alert" class="empty:absolute">
            {move || {
                said()
                    .map(|(text, until)| {
                        view! {
                            <div class="alert alert-error alert-soft items-start py-2.5">
                                {icon(Icon::Warning)}
                                <div class="flex min-w-0 flex-col gap-2 text-sm">
                                    <span>
                                        {text} {until.map(|until| view! { " Try again after " <Time at=until /> "." })}
                                    </span>
                                    {is_unproven().then(ask_anew)}
                                </div>
                            </div>
                        }
                    })
            }}
        </div>
    }
}

/// What it says, and a moment that stands at its end as one, in the reader's zone.
fn words(Fault(problem): &Fault) -> (String, Option<Timestamp>) {
    match problem {
        Problem::TooMany { text, until } => (text.clone(), *until),
        problem => (problem.to_string(), None),
    }
}

/// The form, in the frame, that proves again who is there. Its fields stand where a proof is missing: forms cannot stand in forms.
pub const PROOF_FORM: &str = "prove";

/// Asking again who is there: the sending of that form, and which place on the page asks. Only the latest does, or the fields of all would
/// be sent together.
#[derive(Debug, Clone, Copy)]
pub struct Asking {
    sending: Sending,
    latest: RwSignal<u32>,
}

impl Asking {
    /// By the form that `sending` is of.
    pub fn by(sending: Sending) -> Self {
        Self { sending, latest: RwSignal::new(0) }
    }
}

/// Asks where a proof is missing.
fn ask_anew() -> impl IntoView {
    use_context::<Asking>().map(|asking| proof_fields(asking, true))
}

/// Asks for a password or a code; `is_anew` when nothing that was answered before is about it.
fn proof_fields(Asking { sending, latest }: Asking, is_anew: bool) -> impl IntoView {
    let here = use_location();
    let search = here.search.get_untracked();
    // Without the error that a plain form has brought back.
    let query: Vec<&str> =
        search.trim_start_matches('?').split('&').filter(|field| !field.is_empty() && !field.starts_with("__")).collect();
    let next = format!("{}?{}", here.pathname.get_untracked(), query.join("&"));
    let next = next.trim_end_matches('?').to_owned();
    let place = RwSignal::new(0);
    Effect::new(move |_| {
        // A proof of before is too old by now, and a wrong password was another one.
        if is_anew {
            sending.clear();
        }
        latest.update(|latest| *latest += 1);
        place.set(latest.get_untracked());
    });
    let asks = move || place.get() == 0 || place.get() == latest.get();
    let wrong = fault_of(sending);
    let is_proved = move || sending.answer().with(|answer| matches!(answer, Some(Ok(_))));
    view! {
        <Show when=move || asks() && !is_proved()>
            <div class="flex flex-wrap items-end gap-2">
                <input type="hidden" form=PROOF_FORM name="next" value=next.clone() />
                <label class="flex flex-col gap-1">
                    <span class="font-medium">"Your password, or a code if you have a second factor"</span>
                    <input
                        type="password" form=PROOF_FORM name="code" required=true autocomplete="current-password"
                        class="input w-64 text-base-content"
                    />
                </label>
                <button type="submit" form=PROOF_FORM class=Look::Plain.class() aria-busy=move || waits(sending).get().then_some("true")>
                    "Confirm"
                </button>
            </div>
        </Show>
        <span class="font-medium" role="status">
            {move || wrong.get().filter(|_| asks()).map(|fault| fault.to_string())}
            {move || (asks() && is_proved()).then_some("Confirmed. Now do it again.")}
        </span>
    }
}

/// Asks again after a password or a code that was not right, where a plain form has brought that back: what it was asked for is not on the
/// page any more.
#[component]
pub fn ProofFault() -> impl IntoView {
    let asking = use_context::<Asking>();
    let path = use_location().pathname;
    let at = path.get_untracked();
    // Who has left the page is not asked again when they come back.
    let is_here = Memo::new(move |before: Option<&bool>| before.is_none_or(|was| *was) && path.with(|path| *path == at));
    let was_wrong = asking.is_some_and(|asking| fault_of(asking.sending).with_untracked(Option::is_some));
    view! {
        <Show when=move || was_wrong && is_here.get()>
            <div role="alert" class="alert alert-error alert-soft mb-4 items-start py-2.5">
                {icon(Icon::Warning)}
                <div class="flex min-w-0 flex-col gap-2 text-sm">
                    <span>{Problem::Unproven.to_string()}</span>
                    {asking.map(|asking| proof_fields(asking, false))}
                </div>
            </div>
        </Show>
    }
}

/// After a conflict: the way to look at what it is now. What was typed stays in the form until then.
pub fn look_again(action: Sending, looks: RwSignal<u32>) -> impl IntoView {
    let fault = fault_of(action);
    let is_conflict = move || fault.with(|fault| fault.as_ref().is_some_and(|fault| matches!(fault.0, Problem::Conflict { .. })));
    let here = use_location();
    // Without the error that a plain form has brought back.
    let clean = move || {
        let search = here.search.get();
        let fields = search.trim_start_matches('?').split('&').filter(|field| !field.is_empty() && !field.starts_with("__"));
        let query = fields.collect::<Vec<_>>().join("&");
        format!("{}?{query}", here.pathname.get()).trim_end_matches('?').to_owned()
    };
    view! {
        <Show when=is_conflict>
            <a
                href=clean class="btn btn-sm h-9 self-start border-base-300 bg-base-100 text-sm font-medium"
                on:click=move |event| {
                    // Back to what is stored, or a field that was typed into would go on showing what was typed.
                    let link = event_target::<web_sys::Element>(&event);
                    if let Ok(Some(form)) = link.closest("form") {
                        form.unchecked_into::<web_sys::HtmlFormElement>().reset();
                    }
                    action.clear();
                    looks.update(|looks| *looks += 1);
                }
            >
                "Look again"
            </a>
        </Show>
    }
}

/// In place of what could not be loaded.
#[component]
pub fn FaultView(
    /// What went wrong.
    fault: Fault,
) -> impl IntoView {
    let title = match fault.0 {
        Problem::SignedOut => "You are signed out",
        Problem::Forbidden { .. } | Problem::Unproven => "You may not see this",
        Problem::NotFound { .. } => "Not found",
        Problem::Conflict { .. } => "Somebody else was first",
        Problem::Invalid { .. } => "This cannot be done",
        Problem::TooMany { .. } => "Too many tries",
        Problem::Unavailable { .. } | Problem::Internal { .. } => "Something went wrong",
    };
    let is_unanswered = matches!(fault.0, Problem::Unavailable { .. });
    let way_out = if fault.0 == Problem::SignedOut {
        let here = use_location();
        let next = move || {
            let page = format!("{}?{}", here.pathname.get(), here.search.get());
            format!("/sign-in?next={}", leptos_router::location::Url::escape(page.trim_end_matches('?')))
        };
        view! {
            <ButtonLink href=Signal::derive(next) look=Look::Main external=true>
                "Sign in"
            </ButtonLink>
        }
        .into_any()
    } else if is_unanswered {
        // Where the connection was lost, `connection.js` does it by itself when it is back.
        let here = use_location();
        let again = move || format!("{}?{}", here.pathname.get(), here.search.get()).trim_end_matches('?').to_owned();
        view! {
            <ButtonLink href=Signal::derive(again) look=Look::Main external=true>
                "Try again"
            </ButtonLink>
        }
        .into_any()
    } else {
        view! {
            <ButtonLink href="/">"Go home"</ButtonLink>
        }
        .into_any()
    };
    view! {
        <Title text=title />
        <section class="panel mx-auto mt-6 flex max-w-xl flex-col items-start gap-3 p-6" role="alert" data-unanswered=is_unanswered.then_some("")>
            <h1 class="text-lg font-semibold">{title}</h1>
            <p>{fault.to_string()}</p>
            {way_out}
        </section>
    }
}
