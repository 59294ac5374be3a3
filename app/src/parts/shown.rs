//! Badges, values, tables, charts, and what stands there when something is empty, on its way or wrong.

use super::Example;
use crate::connections::StateBadge;
use crate::fault::Fault;
use crate::lines::consent_badge;
use crate::sync::{SyncBadge, SyncReason};
use crate::ui::{
    Badge, ButtonLink, Cell, Chart, Effects, Empty, FaultView, Graph, Help, Icon, Ink, Loading, Notice, Number, Pager, Panel, Progress,
    RowLink, Series, Shape, Share, Stat, Table, Tabs, Time, Tone, TypeBadge, closed_badge, closed_fact, contact_number, icon, masked_note,
    no_account,
};
use crate::utilities::RunBadge;
use leptos::prelude::*;
use switchyard::types::{
    ConnectionState, ConsentState, Cursor, IntegrationType, PhoneNumber, Problem, RunState, ShownNumber, SyncState, Timestamp,
};

const TONES: [(Tone, &str); 5] =
    [(Tone::Plain, "plain"), (Tone::Info, "to know"), (Tone::Good, "as it should be"), (Tone::Warning, "look"), (Tone::Bad, "failed")];
const ICONS: [Icon; 22] = [
    Icon::Brand,
    Icon::Home,
    Icon::Search,
    Icon::Conversation,
    Icon::Person,
    Icon::Go,
    Icon::Check,
    Icon::Lines,
    Icon::Accounts,
    Icon::Connections,
    Icon::Sync,
    Icon::Simulator,
    Icon::Staff,
    Icon::Roles,
    Icon::Approvals,
    Icon::Utilities,
    Icon::Audit,
    Icon::Menu,
    Icon::Plus,
    Icon::Download,
    Icon::Back,
    Icon::Warning,
];
/// 21 November 2026, 05:20 UTC.
pub(super) const MOMENT: Timestamp = Timestamp(1_795_238_411_042_000);

fn number() -> Option<PhoneNumber> {
    PhoneNumber::parse("+12025550143").ok()
}

/// One word, one sign, one value.
pub fn marks() -> Vec<Example> {
    let row = |view: AnyView| view! { <div class="flex flex-wrap items-center gap-3">{view}</div> }.into_any();
    let badges = TONES.map(|(tone, word)| view! { <Badge tone=tone>{word}</Badge> }).collect_view();
    let types = IntegrationType::ALL.iter().map(|of| view! { <TypeBadge of=*of /> }).collect_view();
    let values = number().map(|number| {
        view! {
            <Number number=number.clone() />
            {contact_number(&ShownNumber::of(number, false))}
            <Time at=MOMENT />
        }
    });
    let stalled = SyncState::Stalled { since: MOMENT, why: "the sign-in was refused".to_owned() };
    let syncs =
        [SyncState::NotConnected, SyncState::InSync, SyncState::Held { count: 3 }, SyncState::Delivering { count: 1 }, stalled.clone()];
    let syncs = syncs.map(|of| view! { <SyncBadge of=of /> }).collect_view();
    let connections = [
        ConnectionState::SignedIn,
        ConnectionState::Idle,
        ConnectionState::Paused { since: MOMENT },
        ConnectionState::Waiting { until: MOMENT, why: "the limit of a minute is reached".to_owned() },
        ConnectionState::Refused { why: "the credential is revoked".to_owned() },
    ];
    let connections = connections.map(|of| view! { <StateBadge of=of /> }).collect_view();
    let runs = RunState::ALL.iter().map(|of| view! { <RunBadge of=*of /> }).collect_view();
    let closed = view! {
        <div class="flex flex-wrap items-center gap-3">
            {closed_badge(true)} <dl class="facts facts-narrow">{closed_fact(Some(MOMENT))}</dl>
        </div>
    };
    let consents = [None, Some(ConsentState::Unknown), Some(ConsentState::OptedIn), Some(ConsentState::OptedOut)].map(consent_badge);
    vec![
        ("Badge", row(badges.into_any())),
        ("TypeBadge", row(types.into_any())),
        ("SyncBadge, SyncReason", row(view! { {syncs} <SyncReason of=stalled /> }.into_any())),
        ("StateBadge of a connection", row(connections.into_any())),
        ("RunBadge", row(runs.into_any())),
        ("Consent", row(consents.collect_view().into_any())),
        ("What is closed: its badge, its fact", closed.into_any()),
        ("Icon", row(ICONS.map(icon).collect_view().into_any())),
        ("Number, a masked one, Time", row(values.into_any())),
        ("The word above what is masked", masked_note(true).into_any()),
        (
            "Stat",
            view! {
                <dl class="flex gap-8">
                    <Stat label="held" value=1_234_567 />
                    <Stat label="stalled" value=0 />
                </dl>
            }
            .into_any(),
        ),
    ]
}

/// Lists, and what stands in their place.
pub fn tables() -> Vec<Example> {
    let rows = [("Front desk", IntegrationType::Ringcentral), ("Reminders", IntegrationType::None)]
        .map(|(label, of)| {
            view! {
                <tr role="row">
                    <Cell of="Label">
                        <RowLink href="/ui".to_owned()>{label}</RowLink>
                    </Cell>
                    <Cell of="Type">
                        <TypeBadge of=of />
                    </Cell>
                    <Cell of="Changed">
                        <Time at=MOMENT />
                    </Cell>
                </tr>
            }
        })
        .collect_view();
    let table = view! {
        <div class="panel">
            <Table label="Example" head=&["Label", "Type", "Changed"]>
                {rows}
            </Table>
        </div>
    };
    // What was done, and where a page is, stand in the URL: there they come from.
    let notice = view! {
        <Notice words=&[("example", "The line was changed.")] />
        <ButtonLink href="/ui?done=example">"As after a change"</ButtonLink>
    };
    let pager = view! {
        <Pager label="Pages of an example" next=Some(Cursor::at(&"Front desk")) />
        <Pager label="Pages of an example at its end" next=None />
    };
    let empty = view! {
        <div class="panel">
            <Empty title="No lines yet">"Add the first line to an account to see it here."</Empty>
        </div>
    };
    let accounts = view! { {no_account("A line belongs to an account.", true)} {no_account("A line belongs to an account.", false)} };
    let effects = ["What comes in is still recorded.", "Nothing is posted into RingCentral."].map(str::to_owned).to_vec();
    let progress = view! {
        <Progress label="Messages" done=Signal::stored(0) of=Signal::stored(520) />
        <Progress label="Messages" done=Signal::stored(260) of=Signal::stored(520) />
        <Progress label="Messages" done=Signal::stored(520) of=Signal::stored(520) />
    };
    vec![
        ("Notice", notice.into_any()),
        ("Table", table.into_any()),
        ("Pager", pager.into_any()),
        ("Empty", empty.into_any()),
        ("No account yet: who may add one, who may not", accounts.into_any()),
        ("Effects", view! { <Effects title="What will happen" each=effects /> }.into_any()),
        ("Help", view! { <Help question="What does held mean?">"RingCentral does not know of it yet."</Help> }.into_any()),
        ("Loading", view! { <Loading /> }.into_any()),
        ("Progress: begun, half, done", progress.into_any()),
        ("Tabs", view! { <Tabs label="Example" tabs=vec![("Components", "/ui".to_owned()), ("Lines", "/lines".to_owned())] /> }.into_any()),
        (
            "Panel",
            view! {
                <Panel title="Facts" note="What is known of it.">
                    "Its content."
                </Panel>
            }
            .into_any(),
        ),
    ]
}

/// Numbers over time.
pub fn charts() -> Vec<Example> {
    let graph =
        |limit, series: Vec<Series>| Graph { says: "Between 0 and 40 a minute".to_owned(), from: MOMENT, step_seconds: 60, series, limit };
    let of = |name, ink, values: [i64; 8]| Series { name, ink, values: values.to_vec() };
    let bars = graph(Some(40), vec![of("posts", Ink::Main, [3, 12, 40, 0, 8, 22, 1, 17])]);
    let lines = graph(
        None,
        vec![
            of("inbound", Ink::Main, [3, 12, 30, 4, 8, 22, 1, 17]),
            of("outbound", Ink::Other, [9, 9, 14, 20, 31, 2, 5, 8]),
            of("failed", Ink::Bad, [0, 0, 1, 0, 4, 0, 0, 0]),
        ],
    );
    let nothing = graph(None, vec![of("posts", Ink::Main, [0; 8])]);
    let shares =
        [Ink::Main, Ink::Other, Ink::Moving, Ink::Waiting, Ink::Bad].map(|ink| view! { <Share value=40 of=100 ink=ink /> }).collect_view();
    vec![
        (
            "Chart: bars under a limit",
            view! { <Chart title="Posts" shape=Shape::Bars graph=bars limit="RingCentral’s limit" /> }.into_any(),
        ),
        ("Chart: lines", view! { <Chart title="Messages" shape=Shape::Lines graph=lines /> }.into_any()),
        ("Chart: nothing", view! { <Chart title="Nothing yet" shape=Shape::Bars graph=nothing /> }.into_any()),
        ("Share", shares.into_any()),
    ]
}

/// In place of what could not be loaded.
pub fn faults() -> Vec<Example> {
    let text = |text: &str| text.to_owned();
    let all = [
        Problem::NotFound { text: text("There is no such line. The address may be mistyped.") },
        Problem::Forbidden { text: text("Your roles do not let you see staff.") },
        Problem::Internal { reference: text("0123456789ab") },
    ];
    // Made as they are: to be answered with one would be the answer's status.
    let shown = all.into_iter().map(|problem| view! { <FaultView fault=Fault(problem) /> }).collect_view();
    vec![("FaultView", shown.into_any())]
}
