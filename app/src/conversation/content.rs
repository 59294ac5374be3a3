//! What a message holds: its words, attachments and the other numbers of a group text; or that they are masked.
//!
//! The rule: an address that came from outside is a link only where it leads to the web.

use crate::ui::MASKED;
use leptos::prelude::*;
use switchyard::types::{Media, PhoneNumber, Written};

/// What was written, or that it is masked.
pub fn written(of: &Written) -> impl IntoView + use<> {
    match of {
        Written::Whole { body, media, others } => view! {
            <p class="break-words whitespace-pre-line">{body.clone()}</p>
            {attachments(media)}
            {group_text(others)}
        }
        .into_any(),
        Written::Masked { media } => {
            let media = match media {
                0 => String::new(),
                1 => " and 1 attachment".to_owned(),
                many => format!(" and {many} attachments"),
            };
            view! { <p class="muted" title=MASKED>"•••• masked text" {media}</p> }.into_any()
        }
        Written::Removed { after_days } => {
            view! { <p class="muted">"Removed after " {*after_days} " days, as the account has set it"</p> }.into_any()
        }
    }
}

/// The attachments, as links; nothing when there are none.
fn attachments(media: &[Media]) -> impl IntoView + use<> {
    let list = media
        .iter()
        .enumerate()
        .map(|(n, media)| {
            let kind = media.content_type.split('/').next().filter(|kind| !kind.is_empty()).unwrap_or("file");
            let text = format!("Attachment {} ({kind})", n + 1);
            let is_web = media.url.starts_with("https://") || media.url.starts_with("http://");
            let link = if is_web {
                view! { <a class="text-link" href=media.url.clone() rel="external noreferrer" target="_blank">{text}</a> }.into_any()
            } else {
                text.into_any()
            };
            view! { <li>{link}</li> }
        })
        .collect_view();
    (!media.is_empty()).then(|| view! { <ul class="mt-1 flex flex-wrap gap-x-3 leading-6">{list}</ul> })
}

/// Whom a group text went to beside us; nothing for one that is none.
fn group_text(others: &[PhoneNumber]) -> impl IntoView + use<> {
    (!others.is_empty()).then(|| {
        let others = others.iter().map(PhoneNumber::readable).collect::<Vec<_>>().join(", ");
        view! { <p class="muted mt-1 text-xs">"Group text, also to " {others}</p> }
    })
}
