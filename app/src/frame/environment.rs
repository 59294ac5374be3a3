//! Which installation this is: a coloured band above every page of all that are not production, and a word in the browser's title.
//!
//! The rule: it is on the pages for nobody, too, since a password typed into the wrong installation is a mistake as well.

use leptos::prelude::*;

/// The name of an installation that is not production. The document has it as an attribute.
pub fn name() -> Option<String> {
    #[cfg(feature = "ssr")]
    {
        use_context::<crate::context::Services>()?.environment
    }
    #[cfg(not(feature = "ssr"))]
    {
        document().document_element()?.get_attribute("data-environment")
    }
}

/// The browser's title of a page.
pub fn title_of(environment: Option<&str>, page: &str) -> String {
    let title = if page.is_empty() { "Switchyard".to_owned() } else { format!("{page} · Switchyard") };
    match environment {
        Some(name) => format!("[{name}] {title}"),
        None => title,
    }
}

/// The band.
#[component]
pub fn EnvironmentBand(
    /// The name of the installation; none in production.
    name: Option<String>,
) -> impl IntoView {
    name.map(|name| view! { <aside class="environment" aria-label="Environment">{name} ": not production"</aside> })
}
