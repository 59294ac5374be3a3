//! How long personal data is kept: an account's page, and the platform's. First what would go at once, with counts; then a typed
//! confirmation.
//!
//! The rule: the form only asks; what is set was previewed, on the version that was shown, and confirmed.

use crate::accounts::account_tabs;
use crate::fault::{Fault, Reply};
use crate::frame::{Me, use_me};
use crate::ui::{
    Button, ButtonLink, FaultView, Field, FormFault, Loading, Look, Notice, PageHead, Panel, SendForm, Sending, Stat, Tabs, fault_of,
    field_error, grouped, load, query_field, waits,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};
use switchyard::types::{AccountId, AccountRow, Days, Permission, Problem, Retention, RetentionPreview, counted};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, proof, services},
    switchyard::directory,
    switchyard::retention,
    switchyard::staff::may,
};

/// What confirms a change of the platform's; an account's is confirmed by its name.
const CONFIRM: &str = "remove";

/// What an account keeps, or the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The account; `None` for the platform.
    pub account: Option<AccountRow>,
    /// What is set.
    pub retention: Retention,
}

/// How long an account's data is kept, or the platform's.
#[server(prefix = "/fn", output = Reply, endpoint = "retention/get")]
pub async fn read_retention(account: Option<AccountId>) -> Result<Kept, Fault> {
    let permit = permit::<may::SeeDirectory>().await?;
    let db = services()?.db;
    let retention = retention::get(&db, &permit, account).await?;
    let account = match account {
        Some(id) => Some(directory::accounts::get(&db, &permit, id).await?),
        None => None,
    };
    Ok(Kept { account, retention })
}

/// What would go at once.
#[server(prefix = "/fn", output = Reply, endpoint = "retention/preview")]
pub async fn preview_retention(account: Option<AccountId>, wanted: [String; 4]) -> Result<RetentionPreview, Fault> {
    let permit = permit::<may::ManagePersonalData>().await?;
    let services = services()?;
    Ok(retention::preview(&services.db, &services.now, &permit, account, parsed(&wanted, 0)?).await?)
}

/// Sets how long it is kept, as previewed on `version`; `confirm` is the account's name.
#[server(prefix = "/fn", output = Reply, endpoint = "retention/set")]
pub async fn set_retention(
    account: Option<AccountId>,
    wanted: [String; 4],
    version: i64,
    #[server(default)] confirm: String,
) -> Result<(), Fault> {
    let permit = permit::<may::ManagePersonalData>().await?;
    let services = services()?;
    let (name, page) = match account {
        Some(id) => {
            let see = crate::context::permit::<may::SeeDirectory>().await?;
            (directory::accounts::get(&services.db, &see, id).await?.name, format!("/accounts/{id}/retention?done=retention"))
        }
        None => (CONFIRM.to_owned(), "/audit/retention?done=retention".to_owned()),
    };
    if confirm.trim() != name {
        return Err(Problem::invalid("confirm", "This is not what confirms it.").into());
    }
    let proof = proof().await?;
    retention::set(&services.db, &services.now, &permit, proof, account, parsed(&wanted, version)?).await?;
    leptos_axum::redirect(&page);
    Ok(())
}

/// The days as a form has them; an empty field is “for good”.
#[cfg(feature = "ssr")]
fn parsed(wanted: &[String; 4], version: i64) -> Result<Retention, Problem> {
    let days = |field: &str, text: &String| match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Problem::invalid(field, "Write a whole number of days, or nothing.")),
    };
    let [message_days, held_days, unknown_days, audit_days] = wanted;
    Ok(Retention {
        message_days: days("message_days", message_days)?,
        held_days: days("held_days", held_days)?,
        unknown_days: days("unknown_days", unknown_days)?,
        audit_days: days("audit_days", audit_days)?,
        version,
    })
}

/// A field: its name, its label, its help, and whether an account says it.
const FIELDS: [(&str, &str, &str, bool); 4] = [
    (
        "message_days",
        "What was written in messages",
        "Days. Older messages lose text and attachments; that they were sent stays. Results of imports go. Empty: for good.",
        true,
    ),
    ("held_days", "Held messages", "Days. Older ones become skipped: they are not posted to RingCentral any more. Empty: for good.", true),
    ("unknown_days", "Messages to unknown lines", "Days. Older ones are removed. Empty: for good.", false),
    (
        "audit_days",
        "Entries of the audit",
        "Days, at least 90. Older ones are removed; the check goes on from there. Empty: for good.",
        false,
    ),
];

fn shown(days: Days) -> String {
    days.map(|days| days.to_string()).unwrap_or_default()
}

/// An account, and how long its data is kept; or, without an account in the path, how long the platform keeps what is its own.
#[component]
pub fn RetentionPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get_str("id").map(ToOwned::to_owned)));
    let asked = FIELDS.map(|(name, ..)| query_field(name));
    let set = query_field("set");
    let found = load(
        move || (id.get(), !set.get().is_empty(), asked.map(|field| field.get())),
        |(id, is_asked, wanted)| async move {
            let account = match id.map(|id| id.parse::<AccountId>()) {
                None => None,
                Some(Ok(id)) => Some(id),
                Some(Err(_)) => return Err(Problem::not_found("There is no such account. The address may be mistyped.").into()),
            };
            let kept = read_retention(account).await?;
            let preview = if is_asked { Some(preview_retention(account, wanted.clone()).await?) } else { None };
            Ok((kept, preview, wanted))
        },
    );
    let me = use_me();
    view! {
        <Transition fallback=Loading>
            {move || Suspend::new(async move {
                match (me.await, found.await) {
                    (Ok(me), Ok((kept, preview, wanted))) => whole(&me, kept, preview, wanted).into_any(),
                    (Err(fault), _) | (_, Err(fault)) => view! { <FaultView fault=fault /> }.into_any(),
                }
            })}
        </Transition>
    }
}

fn whole(me: &Me, kept: Kept, preview: Option<RetentionPreview>, wanted: [String; 4]) -> impl IntoView + use<> {
    let (may_set, sees_messages) = (me.may(Permission::ManagePersonalData), me.may(Permission::SeeMessages));
    let id = kept.account.as_ref().map(|account| account.id);
    let (title, above, page) = match &kept.account {
        Some(account) => (account.name.clone(), ("Accounts", "/accounts"), format!("/accounts/{}/retention", account.id)),
        None => ("How long things are kept".to_owned(), ("Audit", "/audit"), "/audit/retention".to_owned()),
    };
    let confirm = kept.account.as_ref().map_or_else(|| CONFIRM.to_owned(), |account| account.name.clone());
    let Retention { message_days, held_days, unknown_days, audit_days, version } = kept.retention;
    let now = [message_days, held_days, unknown_days, audit_days].map(shown);
    let body = match preview {
        Some(preview) => Confirmation(ConfirmationProps { account: id, page: page.clone(), wanted, preview, version, confirm }).into_any(),
        None => view! {
            <Panel title="How long it is kept" note="What is older goes within the hour, and cannot be brought back.">
                {if may_set { form(page, now, id.is_some()).into_any() } else { facts(&now, id.is_some()).into_any() }}
            </Panel>
        }
        .into_any(),
    };
    view! {
        <PageHead title=title above=vec![(above.0.to_owned(), above.1.to_owned())]>
            {id.filter(|_| may_set).map(|id| view! { <ButtonLink href=format!("/accounts/{id}/erase")>"Erase a contact"</ButtonLink> })}
        </PageHead>
        {id.map(|id| view! { <Tabs label="This account" tabs=account_tabs(id, sees_messages) /> })}
        <Notice words=&[("retention", "What is older than that goes within the hour.")] />
        <div class="max-w-xl">{body}</div>
    }
}

fn facts(now: &[String; 4], of_account: bool) -> impl IntoView + use<> {
    let rows = FIELDS.iter().zip(now).filter(|((.., is_accounts), _)| *is_accounts == of_account);
    let rows = rows.map(|((_, label, ..), days)| {
        let days = days.parse::<i64>().map_or_else(|_| "For good".to_owned(), |days| counted(days, "day", "days"));
        view! {
            <dt>{*label}</dt>
            <dd>{days}</dd>
        }
    });
    view! { <dl class="facts">{rows.collect_view()}</dl> }
}

/// Asks what would go; a plain form that leads to the preview.
fn form(page: String, now: [String; 4], of_account: bool) -> impl IntoView {
    let fields = FIELDS.into_iter().zip(now).filter(|((.., is_accounts), _)| *is_accounts == of_account);
    let fields = fields.map(|((name, label, help, _), days)| {
        view! { <Field label=label name=name inputmode="numeric" optional=true value=days help=help /> }
    });
    view! {
        <form method="get" action=page class="flex flex-col gap-4">
            <input type="hidden" name="set" value="1" />
            {fields.collect_view()}
            <div>
                <Button look=Look::Main>"See what would go"</Button>
            </div>
        </form>
    }
}

/// What would go at once, and the typed confirmation.
#[component]
fn Confirmation(
    account: Option<AccountId>,
    page: String,
    wanted: [String; 4],
    preview: RetentionPreview,
    version: i64,
    confirm: String,
) -> impl IntoView {
    let action = Sending::to::<SetRetention>();
    let fault = fault_of(action);
    let is_capped = [preview.messages, preview.held, preview.unknown, preview.audit].contains(&preview.cap);
    let of_account = account.is_some();
    let counts = [
        ("Messages that lose their text", preview.messages),
        ("Held messages that become skipped", preview.held),
        ("Messages to unknown lines", preview.unknown),
        ("Entries of the audit", preview.audit),
    ];
    let stats = FIELDS.iter().zip(counts).filter(|((.., is_accounts), _)| *is_accounts == of_account);
    let stats = stats.map(|(_, (name, n))| view! { <Stat label=name value=n /> }).collect_view();
    let hidden = wanted.into_iter().enumerate().map(|(n, days)| view! { <input type="hidden" name=format!("wanted[{n}]") value=days /> });
    view! {
        <Panel title="What goes within the hour" note="It cannot be brought back. What comes later goes when it is as old.">
            <dl class="mb-4 grid grid-cols-2 gap-4">{stats}</dl>
            {is_capped.then(|| view! { <p class="muted mb-4 text-xs">"Counting stops at " {grouped(preview.cap)} ": there may be more."</p> })}
            <SendForm action=action>
                <div class="flex flex-col gap-4">
                    <FormFault fault=fault fields=&["confirm"] />
                    {account.map(|id| view! { <input type="hidden" name="account" value=id.to_string() /> })}
                    {hidden.collect_view()}
                    <input type="hidden" name="version" value=version.to_string() />
                    <p>"To confirm, write " <strong class="font-semibold">{confirm}</strong> "."</p>
                    <Field label="Confirmation" name="confirm" error=field_error(fault, "confirm") />
                    <div class="flex gap-2">
                        <Button look=Look::Danger pending=waits(action)>
                            "Keep it no longer"
                        </Button>
                        <ButtonLink href=page>"Cancel"</ButtonLink>
                    </div>
                </div>
            </SendForm>
        </Panel>
    }
}
