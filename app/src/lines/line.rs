//! One line: its facts, what it is connected to, who has access, its automatic replies, and what was changed by whom.

use super::conversations::tabs;
use super::facts::{Closing, Facts};
use super::parts::{Access, Connection, History, TypePanel};
use super::responders::Responders;
use super::{line_of_path, no_such_line};
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::history::HistoryRow;
use crate::live::{is_idle, on_change, say_while};
use crate::ui::{FaultView, Loaded, Loading, Notice, PageHead, Tabs, TypeBadge, closed_badge, load, query_field};
use crate::utilities::{TransferBanner, line_runs};
use leptos::prelude::*;
use switchyard::types::{Change, ConnectionRow, Cursor, LineDetail, LineId, Page, Permission};

#[cfg(feature = "ssr")]
use {
    super::line,
    crate::connections::connection_of,
    crate::context::{permit, services},
    crate::history::in_words,
    switchyard::staff::{self, may},
};

/// How many changes the page shows at a time.
#[cfg(feature = "ssr")]
const PAGE: usize = 20;

/// The changes of a line, newest first.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/history")]
pub async fn line_history(id: LineId, after: Option<Cursor>) -> Result<Page<HistoryRow>, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    Ok(staff::line_history(&services()?.db, &permit, id, after.as_ref(), PAGE).await?.map(in_words))
}

/// A line with the connection of its account, asked for at once.
#[server(prefix = "/fn", output = Reply, endpoint = "lines/whole")]
pub async fn whole_line(id: LineId) -> Result<(LineDetail, Option<ConnectionRow>), Fault> {
    let detail = line(id).await?;
    let connection = connection_of(detail.line.account_id).await?;
    Ok((detail, connection))
}

/// One line.
#[component]
pub fn LinePage() -> impl IntoView {
    let id = line_of_path();
    // Grows with each change made here, and has the page read anew.
    let changes = RwSignal::new(0_u32);
    let older = query_field("older");
    let detail = load(
        move || (id.get(), changes.get()),
        |(id, _)| async move {
            match id {
                Some(id) => whole_line(id).await,
                None => Err(no_such_line()),
            }
        },
    );
    let history = load(
        move || (id.get(), older.get(), changes.get()),
        |(id, older, _)| async move {
            match id {
                Some(id) => line_history(id, (!older.is_empty()).then_some(Cursor(older))).await,
                None => Err(no_such_line()),
            }
        },
    );
    let me = use_me();
    // Painted anew as a whole: not while a form on it is open, and not before the reading that is under way has been painted.
    let changed_elsewhere = RwSignal::new(false);
    let (under_way, missed) = (StoredValue::new(false), StoredValue::new(false));
    let read_again = move || {
        changed_elsewhere.set(false);
        under_way.set_value(true);
        changes.update(|n| *n += 1);
    };
    say_while(changed_elsewhere, "The line was changed meanwhile.", "Show the change", read_again);
    on_change(
        move |change| matches!(change, Change::Line { line_id, .. } if Some(line_id) == id.get_untracked()),
        move || match (is_idle(), under_way.get_value()) {
            (true, false) => read_again(),
            (true, true) => missed.set_value(true),
            (false, _) => changed_elsewhere.set(true),
        },
    );
    // What was saved here comes back as a change, too, perhaps while its form is still open: what is painted anew is not told of.
    let painted = RwSignal::new(0_u32);
    Effect::new(move |_| {
        painted.track();
        under_way.set_value(false);
        request_animation_frame(move || {
            let is_missed = missed.try_update_value(std::mem::take) == Some(true);
            match (is_missed || changed_elsewhere.try_get_untracked() == Some(true), is_idle()) {
                (true, true) => read_again(),
                (true, false) if is_missed => changed_elsewhere.set(true),
                _ => {}
            }
        });
    });
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                let loaded = (me.await, detail.await);
                painted.update(|n| *n += 1);
                match loaded {
                    (Ok(me), Ok((detail, connection))) => whole(me, detail, connection, history, changes).into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(
    me: Me,
    detail: LineDetail,
    connection: Option<ConnectionRow>,
    history: Loaded<Result<Page<HistoryRow>, Fault>>,
    changes: RwSignal<u32>,
) -> impl IntoView {
    let LineDetail { line, version, created_at, connected, transfer, users, users_of_account, responders } = detail;
    let me_again = me.clone();
    let (id, of_type, label, account) = (line.id, line.integration_type, line.label.clone(), line.account_id);
    let is_closed = line.closed_at.is_some();
    let closing =
        me.may(Permission::ManageDirectory).then(|| view! { <Closing id=id version=version is_closed=is_closed changes=changes /> });
    view! {
        <PageHead
            title=line.number.readable() above=vec![("Lines".to_owned(), "/lines".to_owned())]
            beside=move || {
                view! {
                    <span class="muted">{label.clone()}</span>
                    <TypeBadge of=of_type />
                    {closed_badge(is_closed)}
                }
            }
        >
            {closing}
        </PageHead>
        <Tabs label="This line" tabs=tabs(id, me.may(Permission::SeeMessages)) />
        {transfer.map(|run| view! { <TransferBanner account=line.account.clone() run=run me=me.clone() /> })}
        <Notice words=&[
            ("added", "The line was added."),
            ("type", "The integration type was set. The history below says what changed."),
            ("closed", "The line is closed. The history below says what that did."),
        ] />
        <div class="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
            <div class="flex min-w-0 flex-col gap-4">
                <TypePanel id=id of_type=of_type is_closed=is_closed connected=connected me=me.clone() />
                <Responders id=id responders=responders me=me.clone() changes=changes />
            </div>
            <div class="flex min-w-0 flex-col gap-4">
                <Facts line=line version=version created_at=created_at me=me.clone() changes=changes />
                <Connection of=connection account=account of_type=of_type may=me.may(Permission::ManageDirectory) />
                <Access id=id account=account users=users of_account=users_of_account me=me changes=changes />
            </div>
            <div class="flex min-w-0 flex-col gap-4 lg:col-span-2">
                {line_runs(id, account, &me_again)}
                <History history=history />
            </div>
        </div>
    }
}
