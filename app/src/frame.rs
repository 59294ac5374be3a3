//! What stands around every screen: the ways to go, who is signed in, the theme, the keyboard.
//!
//! The rule: it is usable before and without JavaScript, and it shows only the ways that lead somewhere for this member.

pub mod environment;
pub mod keys;
pub mod palette;
pub mod theme;

use crate::fault::{Fault, Reply};
use crate::live::{LiveSwitch, Waiting, provide_live};
use crate::sign_in::Prove;
use crate::ui::{Asking, Icon, Loaded, PROOF_FORM, ProofFault, SendForm, Sending, ToastRegion, icon, load, provide_again, provide_toasts};
use crate::undo::{UndoBar, provide_undo};
use keys::{Keys, KeysButton, provide_help};
use leptos::html;
use leptos::prelude::*;
use leptos_router::components::Outlet;
use leptos_router::hooks::use_location;
use palette::{PaletteButton, PaletteDialog, provide_palette};
use serde::{Deserialize, Serialize};
use switchyard::types::{Permission, SignedIn, UndoOffer};
use theme::ThemeChoice;

#[cfg(feature = "ssr")]
use {
    crate::context::{member, services, session},
    switchyard::staff::{self, approvals},
    switchyard::undo,
};

/// What every page does without the program: tells apart what nobody asked for, says that the console does not answer, keeps drafts,
/// leads back to the row, keeps the focus on the page, writes times in the reader's zone, and copies times and numbers exactly.
#[cfg(feature = "ssr")]
pub const SCRIPTS: [&str; 7] = [
    include_str!("frame/present.js"),
    include_str!("frame/connection.js"),
    include_str!("frame/drafts.js"),
    include_str!("frame/back.js"),
    include_str!("frame/focus.js"),
    include_str!("frame/times.js"),
    include_str!("frame/copy.js"),
];

/// What every screen knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// Who is signed in.
    pub member: SignedIn,
    /// The sandbox runs, so there is a simulator.
    pub simulator: bool,
    /// How much waits for their decision.
    pub to_decide: i64,
    /// What they have just done and may take back.
    pub undo: Option<UndoOffer>,
}

impl Me {
    /// Whether a role allows it somewhere: what to show. The verb asks again.
    pub fn may(&self, permission: Permission) -> bool {
        self.member.may(permission)
    }

    /// Whether a role allows it on all accounts, as what belongs to no account needs it.
    pub fn may_everywhere(&self, permission: Permission) -> bool {
        self.member.may_everywhere(permission)
    }
}

/// Who is signed in, read once for all screens; see [`use_me`].
pub type MeLoaded = Loaded<Result<Me, Fault>>;

/// Who is signed in. Await it within the `Suspend` of a screen.
///
/// # Panics
/// Outside a [`Frame`].
pub fn use_me() -> MeLoaded {
    expect_context()
}

/// Who is signed in and what there is to go to.
#[server(prefix = "/fn", output = Reply, endpoint = "me")]
pub async fn who_am_i() -> Result<Me, Fault> {
    let member = member().await?;
    let services = services()?;
    let to_decide = approvals::to_decide(&services.db, &services.now, &member).await?;
    let undo = undo::offered(&services.db, &services.now, &member, None).await?;
    Ok(Me { member: member.signed_in(), simulator: services.sandbox_url.is_some(), to_decide, undo })
}

/// Ends the session.
#[server(prefix = "/fn", output = Reply, endpoint = "sign-out")]
pub async fn sign_out() -> Result<(), Fault> {
    let session = session()?;
    if let (Ok(member), Some(id)) = (member().await, session.id()) {
        let services = services()?;
        staff::sign_out(&services.db, &services.now, &member, &staff::session_handle(&id)).await?;
    }
    if let Err(error) = session.flush().await {
        tracing::error!(%error, "a session could not be ended");
        return Err(switchyard::types::Problem::unavailable("You could not be signed out. Try again.").into());
    }
    crate::context::clear_site_data();
    leptos_axum::redirect("/sign-in");
    Ok(())
}

/// The frame around the screen that the route chooses.
#[component]
pub fn FramedRoute() -> impl IntoView {
    view! {
        <Frame>
            <Outlet />
        </Frame>
    }
}

/// The frame around a screen.
#[component]
pub fn Frame(
    /// The screen.
    children: Children,
) -> impl IntoView {
    let me: MeLoaded = load(|| (), |()| who_am_i());
    provide_context(me);
    provide_again();
    provide_undo();
    provide_toasts();
    provide_live();
    provide_help();
    provide_palette();
    let proof = Sending::to::<Prove>();
    provide_context(Asking::by(proof));
    let here = use_location().pathname;
    let main = NodeRef::<html::Main>::new();
    let menu = NodeRef::<html::Details>::new();
    // A new page begins where its content begins, for the eye and for a screen reader; the menu has done its work.
    Effect::new(move |before: Option<String>| {
        let path = here.get();
        if before.is_some_and(|before| before != path) {
            if let Some(main) = main.get_untracked() {
                let _ = main.focus();
            }
            if let Some(menu) = menu.get_untracked() {
                let _ = menu.remove_attribute("open");
            }
        }
        path
    });
    view! {
        <a
            href="#main" rel="external"
            class="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-40 focus:rounded-field focus:bg-primary focus:px-4 focus:py-2 focus:text-primary-content"
        >
            "Skip to the content"
        </a>
        <div class="lg:grid lg:min-h-[calc(100dvh-var(--band))] lg:grid-cols-[14rem_minmax(0,1fr)]">
            <header class="sticky top-(--band) z-20 flex h-14 items-center justify-between gap-3 border-b border-base-300 bg-base-100 px-4 lg:hidden">
                <Brand />
                <div class="ms-auto">
                    <PaletteButton />
                </div>
                <details node_ref=menu class="fold">
                    <summary class="btn btn-sm btn-ghost h-9">{icon(Icon::Menu)} "Menu"</summary>
                    <div class="absolute inset-x-0 top-14 flex max-h-[calc(100dvh-3.5rem-var(--band))] flex-col gap-4 overflow-y-auto border-b border-base-300 bg-base-100 p-4 shadow-lg">
                        <Ways me=me />
                        <Foot me=me />
                    </div>
                </details>
            </header>
            <header class="hidden border-e border-base-300 bg-base-100 lg:block">
                <div class="sticky top-(--band) flex h-[calc(100dvh-var(--band))] flex-col gap-6 overflow-y-auto p-3">
                    <div class="px-2 pt-2">
                        <Brand />
                    </div>
                    <PaletteButton />
                    <Ways me=me />
                    <div class="mt-auto">
                        <Foot me=me />
                    </div>
                </div>
            </header>
            <main id="main" node_ref=main tabindex="-1" class="mx-auto w-full max-w-7xl min-w-0 px-4 py-5 sm:px-6 lg:px-8 lg:py-7">
                <Withheld me=me />
                <ProofFault />
                {children()}
            </main>
        </div>
        <SendForm id=PROOF_FORM action=proof>
            ""
        </SendForm>
        <div class="notes">
            <ToastRegion>
                <UndoBar />
            </ToastRegion>
            <Waiting />
        </div>
        <PaletteDialog />
        <Keys />
    }
}

/// The product's name.
#[component]
fn Brand() -> impl IntoView {
    view! {
        <a href="/" class="flex min-h-6 items-center gap-2 font-semibold">
            <span class="text-primary">{icon(Icon::Brand)}</span>
            "Switchyard"
        </a>
    }
}

/// The screens there are to go to.
#[component]
fn Ways(me: MeLoaded) -> impl IntoView {
    let here = use_location().pathname;
    let counted = move |to: &'static str, name: &'static str, of: Icon, count: i64| {
        let is_here =
            move || here.with(|here| here == to || here.strip_prefix(to).is_some_and(|rest| rest.starts_with('/'))).then_some("page");
        view! {
            <li>
                <a href=to class="nav-link" aria-current=is_here>
                    {icon(of)} {name}
                    {(count > 0)
                        .then(|| {
                            view! {
                                <span class="badge badge-sm badge-primary ms-auto">{count} <span class="sr-only">" to decide"</span></span>
                            }
                        })}
                </a>
            </li>
        }
    };
    let way = move |to, name, of| counted(to, name, of, 0);
    view! {
        <nav aria-label="Main">
            <ul class="flex flex-col gap-0.5">
                {way("/", "Home", Icon::Home)} {way("/lines", "Lines", Icon::Lines)} {way("/accounts", "Accounts", Icon::Accounts)}
                {way("/connections", "Connections", Icon::Connections)}
                <Suspense>
                    {move || Suspend::new(async move {
                        let me = me.await.ok();
                        let may = |permission| me.as_ref().is_some_and(|me| me.may(permission));
                        view! {
                            {may(Permission::SeeMessages).then(|| way("/sync", "Sync", Icon::Sync))}
                            {me.as_ref()
                                .is_some_and(|me| me.simulator && me.may(Permission::SendMessages))
                                .then(|| way("/simulator", "Simulator", Icon::Simulator))}
                            {may(Permission::SeeRuns).then(|| way("/utilities", "Utilities", Icon::Utilities))}
                            {may(Permission::SeeStaff).then(|| way("/staff", "Staff", Icon::Staff))}
                            {may(Permission::SeeStaff).then(|| way("/roles", "Roles", Icon::Roles))}
                            {(may(Permission::Approve) || may(Permission::SetIntegrationType) || may(Permission::ManageStaff) || may(Permission::SeeRuns))
                                .then(|| {
                                    let to_decide = me.as_ref().map_or(0, |me| me.to_decide);
                                    counted("/approvals", "Approvals", Icon::Approvals, to_decide)
                                })}
                            {may(Permission::SeeAudit).then(|| way("/audit", "Audit", Icon::Audit))}
                        }
                    })}
                </Suspense>
            </ul>
        </nav>
    }
}

/// Says what a second factor would let them do.
#[component]
fn Withheld(me: MeLoaded) -> impl IntoView {
    view! {
        <Suspense>
            {move || Suspend::new(async move {
                let withheld = me.await.map(|me| me.member.withheld).unwrap_or_default();
                let first = withheld.first()?;
                let more = withheld.len() - 1;
                let sentence = match more {
                    0 => format!("Your roles let you {}, but only with a second factor.", first.sentence()),
                    _ => format!("Your roles let you {}, and {more} more, but only with a second factor.", first.sentence()),
                };
                Some(view! {
                    <p class="alert alert-warning alert-soft mb-4 items-start py-2.5 text-sm">
                        {icon(Icon::Warning)} <span>{sentence} " " <a href="/you" class="text-link font-medium">"Set one up"</a></span>
                    </p>
                })
            })}
        </Suspense>
    }
}

/// The theme, who is signed in, and the way out.
#[component]
fn Foot(me: MeLoaded) -> impl IntoView {
    let action = Sending::to::<SignOut>();
    view! {
        <div class="flex flex-col gap-3 px-2 pb-1">
            <LiveSwitch />
            <ThemeChoice />
            <div class="flex flex-col gap-1 border-t border-base-300 pt-3">
                <a href="/you" class="flex min-h-6 flex-col rounded-field hover:underline">
                    <span class="truncate font-medium">
                        <Suspense>
                            {move || Suspend::new(async move {
                                // Drafts go by who has typed them.
                                me.await.ok().map(|me| view! { <span data-who=me.member.id.to_string()>{me.member.name}</span> })
                            })}
                        </Suspense>
                    </span>
                    <span class="muted text-xs">"Your account"</span>
                </a>
                <div class="-mx-3 flex items-center justify-between">
                    <SendForm action=action>
                        <button type="submit" class="btn btn-sm btn-ghost text-sm font-medium">"Sign out"</button>
                    </SendForm>
                    <KeysButton />
                </div>
            </div>
        </div>
    }
}
