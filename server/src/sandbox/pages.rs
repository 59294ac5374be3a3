//! The pages on the sandbox's port: the chats as an agent sees them, and the handsets. They need no JavaScript.
//!
//! The one rule: everything that came from outside goes through `markup`.

use super::markup::{escape, render};
use super::{AgentPost, CarrierMessage, ChatSummary, HandsetText, Post, Sandbox, SandboxError, picture};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use serde::Deserialize;
use std::fmt::Write;

const STYLE: &str = include_str!("sandbox.css");
/// As many chats, handsets and posts as a page shows.
const SHOWN: usize = 300;

pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/", get(chats))
        .route("/chats/{id}/say", post(say))
        .route("/handsets", get(handsets))
        .route("/handsets/{number}", get(handset))
        .route("/handsets/{number}/send", post(send))
        .route("/media/{name}", get(media))
}

#[derive(Deserialize, Default)]
struct View {
    #[serde(default)]
    chat: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    live: String,
}

impl View {
    fn live(&self) -> bool {
        self.live == "1"
    }

    /// This page with another chat or another refresh.
    fn link(&self, chat: &str, live: bool) -> String {
        let live = if live { "&live=1" } else { "" };
        escape(&format!("?chat={}&q={}{live}", encode(chat), encode(&self.q)))
    }
}

/// A text for the query of a link.
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn page(title: &str, here: &str, live: bool, aside: &str, main: &str) -> Html<String> {
    let refresh = if live { "<meta http-equiv=\"refresh\" content=\"2\">" } else { "" };
    let tab = |path: &str, name: &str| {
        let current = if path == here { " aria-current=\"page\"" } else { "" };
        format!("<a href=\"{path}\"{current}>{name}</a>")
    };
    let title = escape(title);
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">{refresh}\
         <title>{title}</title><style>{STYLE}</style></head><body><header><b>Sandbox</b><nav>{}{}</nav>\
         <small>Nothing here is real: invented numbers, no SMS, no RingCentral.</small></header>\
         <div class=\"panes\"><aside>{aside}</aside><main>{main}</main></div></body></html>",
        tab("/", "Chats"),
        tab("/handsets", "Handsets"),
    ))
}

async fn chats(State(sandbox): State<Sandbox>, Query(view): Query<View>) -> Html<String> {
    let (mut all, open, posts) = sandbox.locked(|core, _| {
        let all: Vec<ChatSummary> = core.summaries().filter(|chat| chat.name.to_lowercase().contains(&view.q.to_lowercase())).collect();
        let latest = all.iter().max_by_key(|chat| chat.last_post_at.unwrap_or(chat.created_at)).map(|chat| chat.id);
        let open = view.chat.parse().ok().or(latest).and_then(|id| core.chats.get(&id));
        let posts: Vec<Post> = open.into_iter().flat_map(|chat| chat.posts().rev().take(SHOWN)).cloned().collect();
        (all, open.map(|chat| chat.summary()), posts)
    });
    all.sort_by_key(|chat| std::cmp::Reverse(chat.last_post_at.unwrap_or(chat.created_at)));
    let mut aside = format!(
        "<form><input type=\"search\" name=\"q\" value=\"{}\" placeholder=\"Search chats\" aria-label=\"Search chats\"></form><ul>",
        escape(&view.q)
    );
    for chat in all.iter().take(SHOWN) {
        let current = if open.as_ref().is_some_and(|open| open.id == chat.id) { " aria-current=\"true\"" } else { "" };
        let note = if chat.archived { "archived".to_owned() } else { format!("{} posts", chat.posts) };
        let _ = write!(
            aside,
            "<li><a href=\"{}\"{current}><span>{}</span><small>{} · {note}</small></a></li>",
            view.link(&chat.id.to_string(), view.live()),
            escape(&chat.name),
            chat.last_post_at.unwrap_or(chat.created_at).minute(),
        );
    }
    aside.push_str("</ul>");
    if all.len() > SHOWN {
        let _ = write!(aside, "<p class=\"quiet\">and {} more</p>", all.len() - SHOWN);
    }
    let main = match &open {
        Some(chat) => chat_pane(&view, chat, &posts),
        None => "<p class=\"empty\">No chat yet. A chat appears when a contact replies on a RingCentral line.</p>".into(),
    };
    page("Sandbox: chats", "/", view.live(), &aside, &main)
}

fn chat_pane(view: &View, chat: &ChatSummary, newest_first: &[Post]) -> String {
    let id = chat.id.to_string();
    let (label, live) = if view.live() { ("Stop refreshing", false) } else { ("Refresh by itself", true) };
    let mut out = format!(
        "<div class=\"head\"><h1>{}</h1><p class=\"quiet\">{}</p><a class=\"toggle\" href=\"{}\">{label}</a></div><ol class=\"posts\">",
        escape(&chat.name),
        escape(chat.description.as_deref().unwrap_or_default()),
        view.link(&id, live),
    );
    if chat.posts > newest_first.len() {
        let _ = write!(out, "<li class=\"quiet\">{} older posts are not shown</li>", chat.posts - newest_first.len());
    }
    for post in newest_first.iter().rev() {
        let _ = write!(
            out,
            "<li id=\"p{}\"><div class=\"by\"><b>{}</b> <time>{}</time></div><div class=\"text\">{}</div></li>",
            post.id,
            if post.creator_id == chat.creator_id { "Switchyard".into() } else { escape(&format!("Agent {}", post.creator_id)) },
            post.created_at.minute(),
            render(&post.text),
        );
    }
    if newest_first.is_empty() {
        out.push_str("<li class=\"empty\">No posts in this chat.</li>");
    }
    out.push_str("</ol>");
    let _ = write!(
        out,
        "<form class=\"reply\" method=\"post\" action=\"/chats/{id}/say\"><label>Text <textarea name=\"text\" rows=\"2\" required>\
         </textarea></label><button>Post as an agent</button></form>",
    );
    out
}

#[derive(Deserialize)]
struct Say {
    text: String,
}

/// What an agent types; the product hears of it as an event.
async fn say(State(sandbox): State<Sandbox>, Path(id): Path<String>, Form(said): Form<Say>) -> Result<Redirect, SandboxError> {
    sandbox.agent_post(AgentPost { chat_id: id.clone(), text: said.text.replace("\r\n", "\n"), ..AgentPost::default() })?;
    Ok(Redirect::to(&format!("/?chat={}", encode(&id))))
}

fn handset_list(sandbox: &Sandbox, search: &str, open: &str) -> String {
    let mut out = format!(
        "<form action=\"/handsets\"><input type=\"search\" name=\"q\" value=\"{}\" placeholder=\"Search numbers\" aria-label=\"Search numbers\"></form><ul>",
        escape(search)
    );
    for handset in sandbox.handsets(search, SHOWN) {
        let current = if *handset.number == *open { " aria-current=\"true\"" } else { "" };
        let _ = write!(
            out,
            "<li><a href=\"/handsets/{}\"{current}><span>{}</span><small>{} · {} texts</small></a></li>",
            encode(&handset.number),
            escape(&handset.number),
            handset.last_at.minute(),
            handset.messages,
        );
    }
    out.push_str("</ul>");
    out
}

async fn handsets(State(sandbox): State<Sandbox>, Query(view): Query<View>) -> Html<String> {
    let main = "<p class=\"empty\">Choose a handset to see its texts. One appears with the first text it gets or sends.</p>";
    page("Sandbox: handsets", "/handsets", view.live(), &handset_list(&sandbox, &view.q, ""), main)
}

async fn handset(State(sandbox): State<Sandbox>, Path(number): Path<String>, Query(view): Query<View>) -> Html<String> {
    let thread = sandbox.handset(&number);
    let shown = escape(&number);
    let mut main = format!("<div class=\"head\"><h1>{shown}</h1></div><ol class=\"texts\">");
    for message in thread.iter().skip(thread.len().saturating_sub(SHOWN)) {
        main.push_str(&bubble(message, &number));
    }
    if thread.is_empty() {
        main.push_str("<li class=\"empty\">This handset has no texts yet.</li>");
    }
    let line = thread.last().map(|last| if *last.from == *number { last.to.first() } else { Some(&last.from) });
    let line = escape(line.flatten().map(|line| &**line).unwrap_or_default());
    let _ = write!(
        main,
        "</ol><form class=\"reply\" method=\"post\" action=\"/handsets/{}/send\"><label>To line <input name=\"to\" value=\"{line}\" required>\
         </label><label>Text <textarea name=\"text\" rows=\"2\" required></textarea></label><button>Send from {shown}</button></form>",
        encode(&number),
    );
    page(&format!("Sandbox: {number}"), "/handsets", view.live(), &handset_list(&sandbox, &view.q, &number), &main)
}

fn bubble(message: &CarrierMessage, number: &str) -> String {
    let own = *message.from == *number;
    let pictures: String = message.media.iter().map(|media| format!("<a href=\"{}\">picture</a> ", escape(&media.url))).collect();
    let note = match (&message.failure, message.told, message.from_handset()) {
        (Some(failure), ..) => format!(" · not delivered: {}", escape(failure)),
        (None, false, true) => " · not yet taken by the product".into(),
        _ => String::new(),
    };
    let (class, other) =
        if own { ("own", message.to.iter().map(|to| &**to).collect::<Vec<_>>().join(", ")) } else { ("", message.from.to_string()) };
    format!(
        "<li class=\"{class}\"><div class=\"text\">{}</div>{pictures}<small>{} {} · {}{note}</small></li>",
        escape(&message.text).replace('\n', "<br>"),
        if own { "to" } else { "from" },
        escape(&other),
        message.at.minute(),
    )
}

#[derive(Deserialize)]
struct Reply {
    to: String,
    text: String,
}

async fn send(State(sandbox): State<Sandbox>, Path(number): Path<String>, Form(reply): Form<Reply>) -> Result<Redirect, SandboxError> {
    let back = format!("/handsets/{}", encode(&number));
    let text = HandsetText { from: number, to: reply.to.trim().to_owned(), text: reply.text, ..HandsetText::default() };
    sandbox.send_from_handset(text).await?;
    Ok(Redirect::to(&back))
}

async fn media(Path(name): Path<String>) -> Response {
    ([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "max-age=86400")], picture::png(&name)).into_response()
}
