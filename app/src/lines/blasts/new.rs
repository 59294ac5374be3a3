//! Writing a blast: its text and numbers, then what it would do, then sending it.
//!
//! The rule: what was written travels in bodies and is kept by the server; the page's URL names the draft alone.

use super::line;
use crate::fault::{Fault, Reply};
use crate::frame::use_me;
use crate::lines::{line_of_path, no_such_line};
use crate::ui::{
    Button, ButtonLink, Check, Empty, FaultView, FormFault, Icon, Loading, Look, MomentField, PageHead, SendForm, Sending, Stat, TextArea,
    Time, fault_of, field_error, grouped, icon, load, query_field, waits,
};
use leptos::prelude::*;
use switchyard::types::{BlastId, BlastPreview, Closed, DraftId, LineId, LineRow, MOST_BY_HAND, Permission, Problem, Timestamp, counted};

#[cfg(feature = "ssr")]
use {
    super::start_of,
    crate::context::{permit, proof, services},
    switchyard::messaging::blast::{self, Wanted},
    switchyard::staff::may,
};

/// So much of the text a preview shows.
const LINES_SHOWN: usize = 6;

/// Keeps what was written and goes to what it would do; nothing is sent. `starts_at` is a moment in UTC; empty, it starts when it was to
/// start before the change, if there was such a moment and it is not to start `at_once` now.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/draft")]
pub async fn draft_blast(
    line: LineId,
    #[server(default)] text: String,
    #[server(default)] numbers: String,
    #[server(default)] starts_at: String,
    was_start: Option<Timestamp>,
    #[server(default)] at_once: bool,
) -> Result<DraftId, Fault> {
    let permit = permit::<may::SendMessages>().await?;
    let services = services()?;
    let starts_at = start_of(&starts_at)?.or(was_start.filter(|_| !at_once));
    let wanted = Wanted { text, pasted: numbers, starts_at };
    let id = blast::draft(&services.db, &services.now, &services.keys, &permit, line, &wanted).await?;
    leptos_axum::redirect(&format!("/lines/{line}/blasts/new?draft={id}"));
    Ok(id)
}

/// What a draft would do; with what was pasted where it is to be changed.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/drafted")]
pub async fn drafted_blast(line: LineId, draft: DraftId, #[server(default)] change: bool) -> Result<BlastPreview, Fault> {
    let permit = permit::<may::SendMessages>().await?;
    let services = services()?;
    Ok(blast::drafted(&services.db, &services.now, &services.keys, &permit, (line, draft), change).await?)
}

/// Sends what was written and goes to the blast. The draft is its token: confirmed twice it is sent once.
#[server(prefix = "/fn", output = Reply, endpoint = "blasts/take")]
pub async fn take_blast(line: LineId, draft: DraftId) -> Result<BlastId, Fault> {
    let permit = permit::<may::SendMessages>().await?;
    let (services, proof) = (services()?, proof().await?);
    let id = blast::take_draft(&services.db, &services.now, &services.keys, &permit, proof, (line, draft)).await?;
    leptos_axum::redirect(&format!("/lines/{line}/blasts/{id}?done=taken"));
    Ok(id)
}

/// A new blast of a line: the form, or what a draft would do.
#[component]
pub fn NewBlastPage() -> impl IntoView {
    let id = line_of_path();
    let (draft, change) = (query_field("draft"), query_field("change"));
    let found = load(
        move || (id.get(), draft.get(), !change.get().is_empty()),
        |(id, draft, change)| async move {
            let Some(id) = id else { return Err(no_such_line()) };
            let line = line(id).await?;
            let Ok(draft) = draft.parse::<DraftId>() else { return Ok((line, change, None)) };
            // Asked only to be shown: what was sent meanwhile, or written long ago, is no error of the page.
            Ok((line, change, Some((draft, drafted_blast(id, draft, change).await))))
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok(_)) if !me.may(Permission::SendMessages) => {
                        let fault = Problem::forbidden("Your roles do not let you send messages.").into();
                        view! { <FaultView fault=fault /> }.into_any()
                    }
                    (Ok(_), Ok((line, change, draft))) => whole(line, change, draft).into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole((line, closed): (LineRow, Option<Closed>), change: bool, draft: Option<(DraftId, Result<BlastPreview, Fault>)>) -> impl IntoView {
    let (id, page) = (line.id, format!("/lines/{}/blasts/new", line.id));
    let above = vec![
        ("Lines".to_owned(), "/lines".to_owned()),
        (line.number.readable(), format!("/lines/{id}")),
        ("Blasts".to_owned(), format!("/lines/{id}/blasts")),
    ];
    let body = match (closed, draft) {
        (Some(closed), _) => view! {
            <div class="panel">
                <Empty title="Nothing can be sent">
                    <span>{closed.sentence()}</span>
                    <ButtonLink href=format!("/lines/{id}/blasts")>"To the line’s blasts"</ButtonLink>
                </Empty>
            </div>
        }
        .into_any(),
        (None, None) => form(id, None).into_any(),
        (None, Some((_, Ok(written)))) if change => form(id, Some(written)).into_any(),
        (None, Some((draft, Ok(preview)))) => confirm(&line, draft, preview).into_any(),
        (None, Some((_, Err(fault)))) => view! {
            <section class="panel flex max-w-2xl flex-col items-start gap-3 p-5">
                <p>{fault.to_string()}</p>
                <div class="flex flex-wrap gap-2">
                    <ButtonLink href=format!("/lines/{id}/blasts")>"To the line’s blasts"</ButtonLink>
                    <ButtonLink href=page>"Write a new one"</ButtonLink>
                </div>
            </section>
        }
        .into_any(),
    };
    view! {
        <PageHead title="New blast" above=above />
        {body}
    }
}

/// The form; with what was written before, if it is to be changed.
fn form(line: LineId, written: Option<BlastPreview>) -> impl IntoView {
    let action = Sending::to::<DraftBlast>();
    let fault = fault_of(action);
    let starts = written.as_ref().and_then(|written| written.starts_at);
    let (text, pasted) = written.map(|written| (written.text, written.pasted.unwrap_or_default())).unwrap_or_default();
    let most = i64::try_from(MOST_BY_HAND).unwrap_or(i64::MAX);
    view! {
        <section class="panel max-w-2xl p-5">
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <FormFault fault=fault fields=&["text", "numbers", "starts_at"] />
                    <input type="hidden" name="line" value=line.to_string() />
                    <TextArea
                        label="Text" name="text" rows=4 value=text help="Everybody gets the same, up to 1,600 characters."
                        error=field_error(fault, "text")
                    />
                    <TextArea
                        label="Numbers" name="numbers" rows=10 value=pasted
                        help="One a line, or separated by commas or semicolons, each with + and the country code, as in +1 202 555 0143."
                        error=field_error(fault, "numbers")
                    />
                    <p class="muted -mt-3 text-xs">
                        "Up to " {grouped(most)} " at once. A longer list is sent through the API: " <code>"POST /api/v1/blasts"</code> "."
                    </p>
                    <MomentField
                        label="Start" name="starts_at" help=if starts.is_some() { "Empty: as before." } else { "Empty: at once." }
                        error=field_error(fault, "starts_at")
                    />
                    {starts
                        .map(|at| {
                            view! {
                                <input type="hidden" name="was_start" value=at.0.to_string() />
                                <p class="muted -mt-3 text-xs">"Before, it was to start " <Time at=at /> "."</p>
                                <Check label="Start at once instead" name="at_once" />
                            }
                        })}
                    <div class="flex flex-wrap gap-2">
                        <Button look=Look::Main pending=waits(action)>
                            "See what it would do"
                        </Button>
                        <ButtonLink href=format!("/lines/{line}/blasts")>"Cancel"</ButtonLink>
                    </div>
                    <p class="muted text-xs">"Nothing is sent before you have seen that and confirmed it."</p>
                </div>
            </SendForm>
        </section>
    }
}

/// What the draft would do, and sending it.
fn confirm(line: &LineRow, draft: DraftId, preview: BlastPreview) -> impl IntoView + use<> {
    let action = Sending::to::<TakeBlast>();
    let id = line.id;
    let change = format!("/lines/{id}/blasts/new?draft={draft}&change=yes");
    let BlastPreview { text, starts_at, recipients, duplicates, opted_out, unreadable, first_unreadable, .. } = preview;
    let shown = first_lines(&text);
    let is_cut = shown.len() < text.len();
    let numbers = counted(recipients, "number", "numbers");
    let starts = match starts_at {
        Some(at) => view! { "Starts " <Time at=at /> }.into_any(),
        None => "Starts as soon as it is confirmed".into_any(),
    };
    let does = if starts_at.is_some() { format!("Schedule for {numbers}") } else { format!("Send to {numbers}") };
    let send = if recipients == 0 {
        view! {
            <p class="alert alert-warning alert-soft items-start py-2.5 text-sm" role="note">
                {icon(Icon::Warning)} <span>"Nobody is left to send it to."</span>
            </p>
        }
        .into_any()
    } else {
        view! {
            <SendForm action=action>
                <input type="hidden" name="line" value=id.to_string() />
                <input type="hidden" name="draft" value=draft.to_string() />
                <Button look=Look::Main pending=waits(action)>
                    {does}
                </Button>
            </SendForm>
        }
        .into_any()
    };
    view! {
        <section class="panel flex max-w-2xl flex-col gap-5 p-5">
            <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                <span class="font-semibold">{line.number.readable()}</span>
                <span class="muted">
                    {line.label.clone()} " · " <a class="text-link" href=format!("/accounts/{}", line.account_id)>{line.account.clone()}</a>
                </span>
            </div>
            <dl class="grid grid-cols-2 gap-4 border-y border-base-300 py-4 sm:grid-cols-4">
                <Stat label="Recipients" value=recipients />
                <Stat label="Left out: twice" value=duplicates />
                <Stat label="Left out: opted out" value=opted_out />
                <Stat label="Cannot be read" value=unreadable />
            </dl>
            {wrong(unreadable, first_unreadable)}
            <div class="flex flex-col gap-2">
                <h2 class="font-semibold">"Text"</h2>
                <p class="break-words whitespace-pre-line">{shown} {is_cut.then_some(" …")}</p>
            </div>
            <ul class="flex list-disc flex-col gap-1.5 ps-5">
                <li>{starts}</li>
                <li>"Who opts out before it starts is left out, too."</li>
            </ul>
            <FormFault fault=fault_of(action) />
            <div class="flex flex-wrap gap-2">
                {send}
                <ButtonLink href=change>"Change it"</ButtonLink>
                <ButtonLink href=format!("/lines/{id}/blasts")>"Cancel"</ButtonLink>
            </div>
        </section>
    }
}

/// What cannot be read, by row; nothing when all can.
fn wrong(count: i64, first: Vec<(usize, String)>) -> impl IntoView {
    let more = count - i64::try_from(first.len()).unwrap_or(0);
    (!first.is_empty()).then(|| {
        view! {
            <div class="flex flex-col gap-2">
                <h2 class="font-semibold">"These cannot be read, and are left out"</h2>
                <ul class="flex list-disc flex-col gap-1 ps-5 text-sm">
                    {first
                        .into_iter()
                        .map(|(row, text)| view! { <li>"Row " {row} ": " <span class="break-all">{text}</span></li> })
                        .collect_view()}
                    {(more > 0).then(|| view! { <li>"and " {grouped(more)} " more"</li> })}
                </ul>
                <p class="muted text-xs">"Each needs + and the country code, as in +1 202 555 0143."</p>
            </div>
        }
    })
}

/// The first lines of a text.
fn first_lines(text: &str) -> String {
    text.lines().take(LINES_SHOWN).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_shows_the_first_lines() {
        assert_eq!(first_lines("One\nTwo"), "One\nTwo");
        assert_eq!(first_lines("1\n2\n3\n4\n5\n6\n7"), "1\n2\n3\n4\n5\n6");
    }
}
