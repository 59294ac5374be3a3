//! Light or dark: the system's choice unless the member makes one. The choice is a cookie, so that the server paints it at once.

use crate::fault::{Fault, Reply};
use crate::ui::{SendForm, Sending};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
const COOKIE: &str = "switchyard_theme";

/// What the member chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system has it.
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

/// The theme that was chosen, as the document's attribute; `None` follows the system.
pub fn chosen() -> Option<&'static str> {
    #[cfg(feature = "ssr")]
    let word = crate::context::cookie(COOKIE);
    #[cfg(not(feature = "ssr"))]
    let word = document().document_element().and_then(|root| root.get_attribute("data-theme"));
    match word.as_deref() {
        Some("light") => Some("light"),
        Some("dark") => Some("dark"),
        _ => None,
    }
}

/// Remembers the theme for a year. Anybody may: it changes nothing but how this browser is painted.
#[server(prefix = "/fn", output = Reply, endpoint = "theme")]
pub async fn set_theme(theme: Theme) -> Result<(), Fault> {
    let (value, age) = if theme == Theme::System { ("", 0) } else { (theme.word(), 365 * 24 * 60 * 60) };
    let secure = if crate::context::services()?.secure_cookies { "; Secure" } else { "" };
    crate::context::set_cookie(&format!("{COOKIE}={value}; Path=/; Max-Age={age}; SameSite=Lax; HttpOnly{secure}"));
    Ok(())
}

/// Chooses between the system's theme, light and dark.
#[component]
pub fn ThemeChoice() -> impl IntoView {
    let action = Sending::to::<SetTheme>();
    let current = RwSignal::new(chosen());
    // With JavaScript the page is repainted at once, without waiting for the answer.
    let paint = move |theme: Theme| {
        let word = (theme != Theme::System).then(|| theme.word());
        current.set(word);
        if let Some(root) = document().document_element() {
            let _ = match word {
                Some(word) => root.set_attribute("data-theme", word),
                None => root.remove_attribute("data-theme"),
            };
        }
    };
    let buttons = [Theme::System, Theme::Light, Theme::Dark]
        .map(|theme| {
            let pressed = move || current.get().unwrap_or("system") == theme.word();
            view! {
                <button
                    type="submit" name="theme" value=theme.word() on:click=move |_| paint(theme) aria-pressed=move || pressed().to_string()
                    class="min-h-7 flex-1 rounded-selector text-xs font-medium"
                    class=(["bg-base-100", "text-base-content", "shadow-sm"], pressed) class=("muted", move || !pressed())
                >
                    {theme.name()}
                </button>
            }
        })
        .collect_view();
    view! {
        <SendForm action=action>
            <div role="group" aria-label="Theme" class="flex gap-0.5 rounded-field bg-base-300/70 p-0.5">
                {buttons}
            </div>
        </SendForm>
    }
}
