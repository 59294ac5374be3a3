//! Dialogs: the browser's own `<dialog>`, which keeps the focus, closes on Esc and gives the focus back; and a confirmation or a form
//! that unfolds in place and needs no JavaScript.

use leptos::html;
use leptos::prelude::*;

/// Which step a fold was for when it was painted.
const OF: &str = "data-of";

/// A dialog over the page. Whoever holds `open` sets it; the dialog sets it back when it is closed.
#[component]
pub fn Dialog(
    /// Its heading.
    title: &'static str,
    /// Whether it is open.
    open: RwSignal<bool>,
    /// What it says.
    children: Children,
) -> impl IntoView {
    let node = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let open = open.get();
        if let Some(dialog) = node.get() {
            match (open, dialog.open()) {
                // Fails only for a dialog that is shown already or not in the page.
                (true, false) => drop(dialog.show_modal()),
                (false, true) => dialog.close(),
                _ => {}
            }
        }
    });
    view! {
        <dialog
            node_ref=node class="panel m-auto w-full max-w-lg p-0 text-base-content shadow-xl" aria-label=title
            on:close=move |_| open.set(false)
        >
            <div class="flex flex-col gap-4 p-5">
                <div class="flex items-center justify-between gap-4">
                    <h2 class="text-base font-semibold">{title}</h2>
                    <button type="button" class="btn btn-sm btn-ghost" on:click=move |_| open.set(false)>"Close"</button>
                </div>
                {children()}
            </div>
        </dialog>
    }
}

/// A dangerous step in place: the first press unfolds what it does and the button that does it.
#[component]
pub fn ConfirmFold(
    /// The first press, in a verb.
    label: &'static str,
    /// Which one, for a screen reader: the label alone says the same in every row.
    #[prop(into)]
    of: String,
    /// It stands in every row and can be taken back: it does not shout.
    #[prop(optional)]
    quiet: bool,
    /// It stands among the buttons of a page and looks like one.
    #[prop(optional)]
    plain: bool,
    /// What it does, and the form that does it.
    children: Children,
) -> impl IntoView {
    view! {
        <Fold label=label of=of quiet=quiet plain=plain mark="fold unfolds confirm">
            {children()}
        </Fold>
    }
}

/// A form in place: the first press unfolds it. What is typed into it is kept as a draft, unlike what confirms.
#[component]
pub fn EditFold(
    /// The first press, in a verb.
    label: &'static str,
    /// Which one, for a screen reader: the label alone says the same in every row.
    #[prop(into)]
    of: String,
    /// It stands among the buttons of a page and looks like one.
    #[prop(optional)]
    plain: bool,
    /// The form.
    children: Children,
) -> impl IntoView {
    view! {
        <Fold label=label of=of quiet=true plain=plain mark="fold unfolds">
            {children()}
        </Fold>
    }
}

/// What unfolds over what is below it; `mark` are its classes.
#[component]
fn Fold(label: &'static str, of: String, quiet: bool, plain: bool, mark: &'static str, children: Children) -> impl IntoView {
    let class = match (plain, quiet) {
        (true, _) => "btn btn-sm h-9 border-base-300 bg-base-100 text-sm font-medium",
        (false, true) => "btn btn-sm btn-ghost text-sm font-medium text-primary",
        (false, false) => "btn btn-sm btn-ghost text-sm font-medium text-error",
    };
    let node = NodeRef::<html::Details>::new();
    let what = format!("{label} {of}");
    Effect::new(move |_| {
        let Some(fold) = node.get() else { return };
        // What is painted anew takes over the elements that are there: a step that is another one now begins folded.
        if fold.get_attribute(OF).is_some_and(|before| before != what) {
            fold.set_open(false);
        }
        // Fails only for a name that no attribute can have.
        let _ = fold.set_attribute(OF, &what);
    });
    view! {
        <details node_ref=node class=mark>
            <summary class=class>
                {label} "…" <span class="sr-only">" " {of}</span>
            </summary>
            <div class="unfolded">{children()}</div>
        </details>
    }
}
