//! The limits of a connection: how many posts it may make. They are typed when it is added, and changed on its page.

use super::Whole;
use crate::fault::{Fault, Reply};
use crate::live::{Followed, is_idle};
use crate::ui::{Button, Field, FormFault, Look, SendForm, Sending, fault_of, field_error, look_again, waits};
use leptos::prelude::*;
use switchyard::types::{ConnectionId, ConnectionRow};

#[cfg(feature = "ssr")]
use {
    crate::context::{permit, services},
    switchyard::ringcentral,
    switchyard::staff::may,
    switchyard::types::Problem,
};

/// Changes how many posts a connection may make.
#[server(prefix = "/fn", output = Reply, endpoint = "connections/limits")]
pub async fn edit_limits(
    id: ConnectionId,
    version: i64,
    #[server(default)] posts_per_minute: String,
    #[server(default)] posts_per_day: String,
) -> Result<(), Fault> {
    let permit = permit::<may::ManageDirectory>().await?;
    let services = services()?;
    let limits = (limit("posts_per_minute", &posts_per_minute)?, limit("posts_per_day", &posts_per_day)?);
    Ok(ringcentral::edit_limits(&services.db, &services.now, &permit, (id, version), limits).await?)
}

/// A limit as it was typed; nothing is none.
#[cfg(feature = "ssr")]
pub(super) fn limit(field: &str, text: &str) -> Result<Option<i64>, Problem> {
    match text.trim().replace(',', "").as_str() {
        "" => Ok(None),
        number => number.parse().map(Some).map_err(|_| Problem::invalid(field, "Write a number, or nothing for no limit.")),
    }
}

/// The fields of the limits, and what they hold at first.
pub(super) fn fields(fault: Signal<Option<Fault>>, [per_minute, per_day]: [String; 2]) -> impl IntoView {
    view! {
        <div class="grid gap-4 sm:grid-cols-2">
            <Field
                label="Posts a minute" name="posts_per_minute" inputmode="numeric" value=per_minute optional=true
                help="RingCentral allows 40." error=field_error(fault, "posts_per_minute")
            />
            <Field
                label="Posts a day" name="posts_per_day" inputmode="numeric" value=per_day optional=true
                help="RingCentral allows 2,500." error=field_error(fault, "posts_per_day")
            />
        </div>
        <p class="muted text-xs">"Choose less where other programs use the same app. Empty means no limit, as in a sandbox."</p>
    }
}

/// The limits as the reader sees them, with the version that they were read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    version: i64,
    per_minute: Option<i64>,
    per_day: Option<i64>,
}

impl Seen {
    fn of(row: &ConnectionRow) -> Self {
        Self { version: row.version, per_minute: row.posts_per_minute, per_day: row.posts_per_day }
    }

    /// What the fields hold at first.
    fn typed(self) -> [String; 2] {
        [self.per_minute, self.per_day].map(|limit| limit.map(|most| most.to_string()).unwrap_or_default())
    }

    /// The version to go by where `now` is stored: whatever else was done to the connection meanwhile, its limits may be the ones shown.
    fn version(self, now: Self) -> i64 {
        if (self.per_minute, self.per_day) == (now.per_minute, now.per_day) { now.version } else { self.version }
    }
}

/// The form that changes the limits on a connection's page.
#[derive(Clone, Copy)]
pub struct Limits {
    id: ConnectionId,
    now: Memo<Seen>,
    /// What the form shows: the page is followed, and what is being typed stays.
    shown: RwSignal<Seen>,
    looks: RwSignal<u32>,
    action: Sending,
}

impl Limits {
    /// Those of this connection; the page is read anew after each try.
    pub fn new(id: ConnectionId, followed: Followed<Whole>) -> Self {
        let now = Memo::new(move |_| followed.now.with(|whole| Seen::of(&whole.detail.row)));
        let (shown, looks, is_saved) = (RwSignal::new(now.get_untracked()), RwSignal::new(0_u32), StoredValue::new(false));
        let action = Sending::to::<EditLimits>();
        action.on_success(move || is_saved.set_value(true));
        action.on_answer(move || followed.read_again());
        Effect::new(move |before: Option<u32>| {
            let (now, look) = (now.get(), looks.get());
            let looks_again = before.is_some_and(|before| before != look);
            let is_saved = is_saved.try_update_value(std::mem::take) == Some(true);
            if (is_saved || looks_again || is_idle()) && shown.get_untracked() != now {
                shown.set(now);
            }
            look
        });
        Self { id, now, shown, looks, action }
    }

    /// The form, folded.
    pub fn fold(self) -> impl IntoView {
        let Self { id, now, shown, looks, action } = self;
        let (fault, shown) = (fault_of(action), shown.get());
        let version = move || shown.version(now.get()).to_string();
        view! {
            <details class="fold border-t border-base-300" open=move || fault.with(Option::is_some)>
                <summary class="px-4 py-3 font-medium text-primary">"Change limits…"</summary>
                <div class="px-4 pb-4">
                    <SendForm action=action>
                        <div class="flex max-w-md flex-col gap-3">
                            <FormFault fault=fault fields=&["posts_per_minute", "posts_per_day"] />
                            {look_again(action, looks)}
                            <input type="hidden" name="id" value=id.to_string() />
                            <input type="hidden" name="version" value=version />
                            {fields(fault, shown.typed())}
                            <p class="muted text-xs">
                                "They hold from the next post on; what waits for a limit asks again at once. RingCentral’s address stays: another address is another connection."
                            </p>
                            <div>
                                <Button look=Look::Main pending=waits(action)>
                                    "Save"
                                </Button>
                            </div>
                        </div>
                    </SendForm>
                </div>
            </details>
        }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::{Seen, limit};

    #[test]
    fn a_limit_is_a_number_or_nothing() {
        assert_eq!(limit("f", " 2,500 ").expect("a number"), Some(2_500));
        assert_eq!(limit("f", " ").expect("nothing"), None);
        assert!(limit("f", "many").is_err());
    }

    #[test]
    fn a_form_goes_by_the_version_on_which_its_limits_were_the_stored_ones() {
        let seen = Seen { version: 3, per_minute: Some(40), per_day: None };
        assert_eq!(seen.version(Seen { version: 5, ..seen }), 5, "it was paused meanwhile");
        assert_eq!(seen.version(Seen { version: 5, per_day: Some(100), ..seen }), 3, "somebody else changed a limit");
    }
}
