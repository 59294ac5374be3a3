//! What is said over the page: what was just done, what waits, a draft, the connection. In their places they float; here they stand.

use super::Example;
use crate::live::waiting;
use crate::ui::Sending;
use crate::undo::offer_view;
use leptos::prelude::*;
use switchyard::types::{UndoId, UndoOffer};

pub fn notes() -> Vec<Example> {
    let offer = UndoOffer { id: UndoId(uuid::Uuid::nil()), what: "The line’s label was changed.".to_owned(), seconds: 10 };
    let left = RwSignal::new(offer.seconds);
    let undo = offer_view(RwSignal::new(Some(offer)), left, RwSignal::new(false), Sending::to_path("/ui"), || ());
    let waits = [1, 12].map(|count| view! { <div class="flex">{waiting(Signal::stored(count), || ())}</div> }).collect_view();
    // These two are made by scripts, which need a draft and a lost connection for it: the same elements, written here.
    let drafts = [("Draft restored.", None), ("You left a draft here, and this was changed since.", Some("Use it"))]
        .map(|(words, way)| {
            let ways = way.into_iter().chain(["Discard"]);
            view! {
                <div class="draft-note">
                    {words} {ways.map(|way| view! { <button type="button" class="text-link min-h-6 font-medium">{way}</button> }).collect_view()}
                </div>
            }
        })
        .collect_view();
    let connection = view! {
        <p class="connection static border-warning">"Connection lost. Trying again… What you typed stays here."</p>
        <p class="connection static">"Connected again."</p>
    };
    vec![
        ("The bar that takes back", undo.into_any()),
        ("What waits while the page is held", waits.into_any()),
        ("A draft’s note", drafts.into_any()),
        ("The connection: lost, back", connection.into_any()),
    ]
}
