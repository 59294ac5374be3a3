//! Icons: strokes in the colour of the text beside them. They are decoration; the words say it.

use leptos::prelude::*;

/// What an icon stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    /// The product.
    Brand,
    /// What needs a person now.
    Home,
    /// The search.
    Search,
    /// A conversation.
    Conversation,
    /// One person.
    Person,
    /// A screen to go to.
    Go,
    /// All is well.
    Check,
    /// Lines.
    Lines,
    /// Accounts.
    Accounts,
    /// Connections.
    Connections,
    /// Sync.
    Sync,
    /// The simulator.
    Simulator,
    /// Staff.
    Staff,
    /// Roles.
    Roles,
    /// What waits for a second person.
    Approvals,
    /// Data utilities.
    Utilities,
    /// The audit.
    Audit,
    /// The menu of narrow screens.
    Menu,
    /// Something to add.
    Plus,
    /// A file to take away.
    Download,
    /// Back.
    Back,
    /// A warning.
    Warning,
}

/// The icon, 20 pixels wide.
pub fn icon(which: Icon) -> impl IntoView {
    let path = match which {
        Icon::Brand => "M3 14h4l5-8h5M3 6h4l1.3 2M11.4 12l1.3 2H17",
        Icon::Home => "M3 9.5 10 3.5l7 6M5 8v8.5h10V8M8.5 16.5v-5h3v5",
        Icon::Search => "M9 15a6 6 0 1 0 0-12 6 6 0 0 0 0 12zM13.5 13.5 17 17",
        Icon::Conversation => "M4 3.5h12a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H9l-4 3v-3H4a1 1 0 0 1-1-1v-8a1 1 0 0 1 1-1z",
        Icon::Person => "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4.5 16.5a5.5 5.5 0 0 1 11 0",
        Icon::Go => "M4 10h12M11 5l5 5-5 5",
        Icon::Check => "M4 10.5l4 4 8-9",
        Icon::Lines => {
            "M4 3.5h3l1.5 4-2 1.2a10 10 0 0 0 4.8 4.8l1.2-2 4 1.5v3a1.5 1.5 0 0 1-1.6 1.5C8.5 17 3 11.5 2.5 5.1A1.5 1.5 0 0 1 4 3.5z"
        }
        Icon::Accounts => "M3 17V5l6-2v14M9 7l8 2v8M3 17h14M5.5 7.5h1M5.5 10.5h1M5.5 13.5h1M12 11.5h2M12 14h2",
        Icon::Connections => "M7 2.5v4M13 2.5v4M4.5 6.5h11v3a5.5 5.5 0 0 1-11 0zM10 15v2.5",
        Icon::Sync => "M16.5 8A6.5 6.5 0 0 0 4.6 6.3L3 8M3 4v4h4M3.5 12a6.5 6.5 0 0 0 11.9 1.7L17 12M17 16v-4h-4",
        Icon::Simulator => "M6 2.5h8a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1zM9 15h2",
        Icon::Staff => "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 16.5a5 5 0 0 1 10 0M13 3.8a3 3 0 0 1 0 5.4M15 12.2a5 5 0 0 1 2.5 4.3",
        Icon::Roles => "M3 4.5h14v11H3zM3 8.5h14M7.5 4.5v11M10 12l1.2 1.3 2.6-2.8",
        Icon::Approvals => "M3 10.5h4l1.5 2h3l1.5-2h4M3 10.5l2.5-7h9l2.5 7v6H3z",
        Icon::Utilities => "M3 6h11M11.5 3.5 14 6l-2.5 2.5M17 14H6M8.5 11.5 6 14l2.5 2.5",
        Icon::Audit => "M5 2.5h7l3.5 3.5v11.5h-10.5zM12 2.5v3.5h3.5M7.5 9.5h5M7.5 12h5M7.5 14.5h3",
        Icon::Menu => "M3 5.5h14M3 10h14M3 14.5h14",
        Icon::Plus => "M10 4v12M4 10h12",
        Icon::Download => "M10 3v10M6 9.5l4 4 4-4M4 16.5h12",
        Icon::Back => "M12 4.5 6.5 10l5.5 5.5",
        Icon::Warning => "M10 3 2.5 16.5h15zM10 8v4M10 14.2v.1",
    };
    view! {
        <svg
            class="size-5 shrink-0" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"
            stroke-linejoin="round" aria-hidden="true"
        >
            <path d=path />
        </svg>
    }
}
