//! The document and its routes. Every page is rendered whole and in order on the server, so that it can be read without JavaScript.

use crate::accounts::{AccountPage, AccountsPage, CloseAccountPage, ContactPage, ContactsPage, NewAccountPage, UserPage, UsersPage};
use crate::approvals::ApprovalsPage;
use crate::audit::AuditPage;
use crate::bulk::BulkPage;
use crate::connections::{ConnectionPage, ConnectionsPage, NewConnectionPage, NewSecretsPage, RemoveConnectionPage};
use crate::conversation::{ComparePage, ConversationPage};
use crate::erasure::{AskErasurePage, ErasurePage};
use crate::frame::environment::{self, EnvironmentBand};
use crate::frame::{Frame, FramedRoute};
use crate::home::HomePage;
use crate::invitation::InvitationPage;
use crate::lines::{
    AccountBlastsPage, BlastPage, CloseLinePage, ConsentPage, ConversationsPage, FindingsPage, LineBlastsPage, LinePage, LinesPage,
    NewBlastPage, NewLinePage, TypeChangePage, TypesPage,
};
use crate::parts::PartsPage;
use crate::retention::RetentionPage;
use crate::roles::{RolePage, RolesPage};
use crate::screen::{of_the_path, screen};
use crate::search::SearchPage;
use crate::sign_in::{CodePage, SignInPage};
use crate::simulator::SimulatorPage;
use crate::staff::{MemberPage, NewMemberPage, StaffPage};
use crate::sync::{FindPage, SyncPage, UnknownPage};
use crate::ui::FaultView;
use crate::utilities::{LaunchPage, RunPage, RunsPage, UtilitiesPage};
use crate::you::YouPage;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Outlet, ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};
use switchyard::types::Problem;

#[cfg(feature = "ssr")]
use std::{collections::HashMap, sync::Arc};

/// The files that the browser loads, in a folder that has a version of their content in its name so that they can be kept for ever.
#[cfg(feature = "ssr")]
#[derive(Debug, Clone)]
pub struct Assets {
    /// The folder as a browser asks for it, without a slash at the end. The files name each other relative to it.
    pub folder: String,
    /// The style sheet.
    pub css: String,
    /// The module that starts the WebAssembly.
    pub js: String,
    /// The WebAssembly of what every screen needs; of all screens, where it is not split.
    pub wasm: String,
    /// The files, without `.wasm`, that each room of screens needs besides; see [`crate::screen`].
    pub rooms: Arc<HashMap<String, Vec<String>>>,
}

/// The HTML document around the application.
#[cfg(feature = "ssr")]
pub fn shell(assets: Assets) -> impl IntoView {
    use leptos_meta::MetaTags;
    let nonce = leptos::nonce::use_nonce();
    let [css, js, wasm] = [&assets.css, &assets.js, &assets.wasm].map(|file| format!("{}/{file}", assets.folder));
    let start = format!("import start, {{ hydrate }} from {js:?}; start({{ module_or_path: {wasm:?} }}).then(hydrate);");
    let scripts =
        crate::frame::SCRIPTS.map(|script| view! { <script type="module" nonce=nonce.clone() inner_html=script></script> }).collect_view();
    provide_context(assets);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=crate::frame::theme::chosen() data-environment=environment::name()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <meta name="robots" content="noindex" />
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                <link rel="stylesheet" href=css />
                <link rel="modulepreload" href=js nonce=nonce.clone() />
                <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="" />
                <MetaTags />
            </head>
            <body>
                <App />
                <p id="connection" class="connection" role="status"></p>
                <script type="module" nonce=nonce.clone() inner_html=start></script>
                <script type="module" nonce=nonce inner_html=crate::live::SCRIPT></script>
                {scripts}
            </body>
        </html>
    }
}

/// The application.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let environment = environment::name();
    let named = environment.clone();
    view! {
        <Title formatter=move |page: String| environment::title_of(named.as_deref(), &page) />
        <EnvironmentBand name=environment />
        <Router>
            <Routes fallback=NotFound>
                <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
                <Route path=path!("/sign-in/code") view=CodePage ssr=SsrMode::Async />
                <Route path=path!("/invitation") view=InvitationPage ssr=SsrMode::Async />
                <ParentRoute path=path!("") view=FramedRoute ssr=SsrMode::Async>
                    <Route path=path!("/") view=screen!(home, HomePage) ssr=SsrMode::Async />
                    <Route path=path!("/search") view=screen!(search, SearchPage) ssr=SsrMode::Async />
                    <Route path=path!("/lines") view=LinesPage ssr=SsrMode::Async />
                    <Route path=path!("/lines/new") view=NewLinePage ssr=SsrMode::Async />
                    <Route path=path!("/lines/types") view=screen!(types, TypesPage) ssr=SsrMode::Async />
                    <Route path=path!("/bulk") view=screen!(types, BulkPage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id") view=|| of_the_path(LinePage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/type") view=|| of_the_path(TypeChangePage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/conversations") view=screen!(conversations, ConversationsPage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/conversations/:conversation") view=screen!(conversations, ConversationPage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/conversations/:conversation/ringcentral") view=screen!(conversations, ComparePage) ssr=SsrMode::Async />
                    <Route path=path!("/sync") view=screen!(sync, SyncPage) ssr=SsrMode::Async />
                    <Route path=path!("/sync/find") view=screen!(sync, FindPage) ssr=SsrMode::Async />
                    <Route path=path!("/sync/unknown") view=screen!(sync, UnknownPage) ssr=SsrMode::Async />
                    <Route path=path!("/simulator") view=screen!(simulator, SimulatorPage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts") view=screen!(house, AccountsPage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts/new") view=screen!(house, NewAccountPage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts/:id/erase") view=screen!(house, AskErasurePage) ssr=SsrMode::Async />
                    <Route path=path!("/erasures/:id") view=screen!(house, ErasurePage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts/:id") view=screen!(directory, AccountPage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts/:id/retention") view=screen!(house, RetentionPage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts/:id/close") view=screen!(directory, CloseAccountPage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts/:id/users") view=screen!(directory, UsersPage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts/:id/contacts") view=screen!(directory, ContactsPage) ssr=SsrMode::Async />
                    <Route path=path!("/accounts/:id/blasts") view=screen!(directory, AccountBlastsPage) ssr=SsrMode::Async />
                    <Route path=path!("/users/:id") view=screen!(directory, UserPage) ssr=SsrMode::Async />
                    <Route path=path!("/contacts/:id") view=screen!(directory, ContactPage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/close") view=screen!(directory, CloseLinePage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/consent") view=screen!(directory, ConsentPage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/blasts") view=screen!(directory, LineBlastsPage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/blasts/new") view=screen!(directory, NewBlastPage) ssr=SsrMode::Async />
                    <Route path=path!("/lines/:id/blasts/:blast") view=screen!(directory, BlastPage) ssr=SsrMode::Async />
                    <Route path=path!("/findings") view=screen!(directory, FindingsPage) ssr=SsrMode::Async />
                    <ParentRoute path=path!("/connections") view=Outlet ssr=SsrMode::Async>
                        <Route path=path!("") view=screen!(connections, ConnectionsPage) ssr=SsrMode::Async />
                        <Route path=path!("/new") view=screen!(connections, NewConnectionPage) ssr=SsrMode::Async />
                        <Route path=path!("/:id") view=screen!(connections, ConnectionPage) ssr=SsrMode::Async />
                        <Route path=path!("/:id/secrets") view=screen!(connections, NewSecretsPage) ssr=SsrMode::Async />
                        <Route path=path!("/:id/remove") view=screen!(connections, RemoveConnectionPage) ssr=SsrMode::Async />
                    </ParentRoute>
                    <Route path=path!("/utilities") view=screen!(utilities, UtilitiesPage) ssr=SsrMode::Async />
                    <Route path=path!("/utilities/history") view=screen!(utilities, RunsPage) ssr=SsrMode::Async />
                    <Route path=path!("/utilities/new/:kind") view=screen!(utilities, LaunchPage) ssr=SsrMode::Async />
                    <Route path=path!("/utilities/runs/:id") view=screen!(utilities, RunPage) ssr=SsrMode::Async />
                    <Route path=path!("/staff") view=screen!(staff, StaffPage) ssr=SsrMode::Async />
                    <Route path=path!("/staff/new") view=screen!(staff, NewMemberPage) ssr=SsrMode::Async />
                    <Route path=path!("/staff/:id") view=screen!(staff, MemberPage) ssr=SsrMode::Async />
                    <Route path=path!("/roles") view=screen!(staff, RolesPage) ssr=SsrMode::Async />
                    <Route path=path!("/roles/:id") view=screen!(staff, RolePage) ssr=SsrMode::Async />
                    <Route path=path!("/approvals") view=screen!(staff, ApprovalsPage) ssr=SsrMode::Async />
                    <Route path=path!("/ui") view=screen!(parts, PartsPage) ssr=SsrMode::Async />
                    <Route path=path!("/you") view=screen!(you, YouPage) ssr=SsrMode::Async />
                    <Route path=path!("/audit") view=screen!(house, AuditPage) ssr=SsrMode::Async />
                    <Route path=path!("/audit/retention") view=screen!(house, RetentionPage) ssr=SsrMode::Async />
                </ParentRoute>
            </Routes>
        </Router>
    }
}

/// What an unknown address shows, in the frame of the console.
#[component]
fn NotFound() -> impl IntoView {
    view! {
        <Frame>
            <Title text="Not found" />
            <FaultView fault=Problem::not_found("There is no such page. The address may be mistyped, or the page has moved.").into() />
        </Frame>
    }
}
