//! Sending a form to its server function: a plain HTML form that works by itself, and with JavaScript is sent without leaving the page.
//!
//! leptos' own `ServerAction` is compiled anew for each server function, some 8 kB compressed each; here one piece of code sends
//! every form, and only the answer's type differs.

use crate::Fault;
use crate::fault::unanswered;
use crate::undo::Done;
use leptos::ev;
use leptos::form::form_data_from_event;
use leptos::html;
use leptos::prelude::*;
use leptos::server::ServerActionError;
use leptos::server_fn::ServerFn;
use leptos::server_fn::error::{FromServerFnError, ServerFnUrlError};
use leptos::server_fn::redirect::REDIRECT_HEADER;
use leptos::server_fn::request::browser::Request;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use switchyard::types::{UNDO_HEADER, UndoId};
use web_sys::{HtmlFormElement, UrlSearchParams};

/// The sending of a form: whether its answer is awaited, and the latest answer.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    path: &'static str,
    pending: RwSignal<bool>,
    answer: RwSignal<Option<Result<String, Fault>>>,
}

impl Sending {
    /// To the server function `S`. Begins with the error that a plain form has brought back in the URL, if there is one.
    pub fn to<S: ServerFn<Error = Fault>>() -> Self {
        Self::to_path(S::PATH)
    }

    /// To a route that takes an [`UploadForm`]; `path` is what its errors name.
    pub fn to_path(path: &'static str) -> Self {
        let brought = use_context::<ServerActionError>().filter(|error| error.path() == path);
        let answer = brought.map(|error| Err(ServerFnUrlError::<Fault>::decode_err(error.err())));
        Self { path, pending: RwSignal::new(false), answer: RwSignal::new(answer) }
    }

    /// The same, as after this answer.
    #[must_use]
    pub fn answered(self, answer: Result<String, Fault>) -> Self {
        self.answer.set(Some(answer));
        self
    }

    /// The latest answer: what the server function returned, as JSON, or what went wrong.
    pub fn answer(self) -> Signal<Option<Result<String, Fault>>> {
        self.answer.into()
    }

    /// Sends it, and goes where the answer leads. The form hears when it went well: its draft has done its work, and what it did may be
    /// offered to be taken back.
    fn send(self, form: HtmlFormElement, request: Option<Request>, done: Option<Done>, navigate: impl Fn(&str, NavigateOptions) + 'static) {
        self.pending.set(true);
        spawn_local(async move {
            let Answered { answer, to, undo } = answered(request).await;
            if let (true, Ok(event)) = (answer.is_ok(), web_sys::Event::new("switchyard:sent")) {
                // False only if a listener cancels it, which none does.
                let _ = form.dispatch_event(&event);
                // Fails only for a name that no attribute can have.
                let _ = form.set_attribute("data-sent", "");
            }
            if let (Some(undo), Some(done)) = (undo, done) {
                done.tell(undo);
            }
            // Whoever left the page meanwhile does not hear of it any more.
            let is_here = self.pending.try_set(false).is_none();
            self.answer.try_set(Some(answer));
            if let Some(to) = to.filter(|_| is_here) {
                navigate(&to, NavigateOptions::default());
            }
        });
    }

    /// Forgets the latest answer.
    pub fn clear(self) {
        self.answer.set(None);
    }

    /// Does something each time it has gone well.
    pub fn on_success(self, then: impl Fn() + 'static) {
        let answer = self.answer;
        Effect::new(move |_| {
            if answer.with(|answer| matches!(answer, Some(Ok(_)))) {
                untrack(&then);
            }
        });
    }

    /// Does something after each answer, good or bad.
    pub fn on_answer(self, then: impl Fn() + 'static) {
        let answer = self.answer;
        Effect::new(move |_| {
            if answer.with(Option::is_some) {
                untrack(&then);
            }
        });
    }
}

/// What went wrong with the latest sending.
pub fn fault_of(sending: Sending) -> Signal<Option<Fault>> {
    let answer = sending.answer;
    Signal::derive(move || answer.with(|answer| answer.as_ref().and_then(|answer| answer.as_ref().err().cloned())))
}

/// Whether an answer is awaited.
pub fn waits(sending: Sending) -> Signal<bool> {
    sending.pending.into()
}

/// A form whose fields are the arguments of a server function.
#[component]
pub fn SendForm(
    /// Where it is sent.
    action: Sending,
    /// The form's element.
    #[prop(optional)]
    node_ref: NodeRef<html::Form>,
    /// Its id, for fields that stand elsewhere.
    #[prop(optional)]
    id: Option<&'static str>,
    /// Its fields and its button.
    children: Children,
) -> impl IntoView {
    let (navigate, done) = (use_navigate(), use_context::<Done>());
    let send = move |event: ev::SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        if action.pending.get_untracked() {
            return;
        }
        let Ok(form) = form_data_from_event(&event) else { return };
        let Ok(fields) = UrlSearchParams::new_with_str_sequence_sequence(&form) else { return };
        // A button without a name is no field.
        fields.delete("");
        let request = Request::post(action.path)
            .header("Accept", "application/json")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(String::from(fields.to_string()));
        action.send(event_target(&event), request.ok(), done, navigate.clone());
    };
    view! {
        <form id=id action=action.path method="post" on:submit=send node_ref=node_ref>
            {children()}
        </form>
    }
}

/// A form that may hold a file. It is sent to a route and not to a server function, which would read the file as text.
#[component]
pub fn UploadForm(
    /// What becomes of it.
    action: Sending,
    /// Where it is sent.
    to: String,
    /// Its fields and its button.
    children: Children,
) -> impl IntoView {
    let navigate = use_navigate();
    let path = to.clone();
    let send = move |event: ev::SubmitEvent| {
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        if action.pending.get_untracked() {
            return;
        }
        let Ok(form) = form_data_from_event(&event) else { return };
        form.delete("");
        let request = Request::post(&path).header("Accept", "application/json").body(form);
        action.send(event_target(&event), request.ok(), None, navigate.clone());
    };
    view! {
        <form action=to method="post" enctype="multipart/form-data" on:submit=send>
            {children()}
        </form>
    }
}

/// What came of it.
struct Answered {
    answer: Result<String, Fault>,
    /// Where it leads.
    to: Option<String>,
    /// What takes back what was done.
    undo: Option<UndoId>,
}

async fn answered(request: Option<Request>) -> Answered {
    let failed = |fault| Answered { answer: Err(fault), to: None, undo: None };
    let Some(request) = request else { return failed(unanswered()) };
    let Ok(response) = request.send().await else { return failed(unanswered()) };
    let headers = response.headers();
    let to = headers.get(REDIRECT_HEADER).and_then(|_| headers.get("Location"));
    let undo = headers.get(UNDO_HEADER).and_then(|id| id.parse().ok());
    match (response.ok(), response.text().await) {
        (true, Ok(text)) => Answered { answer: Ok(text), to, undo },
        (false, Ok(text)) => failed(Fault::de(text.into())),
        (_, Err(_)) => failed(unanswered()),
    }
}
