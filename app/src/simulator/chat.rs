//! A post as an agent sees it in the RingCentral app: the small part of its markup that Switchyard's posts use.
//!
//! The rule: what is not understood stays text, so that nothing written by a customer becomes more than text here.

use leptos::prelude::*;

/// A piece of a line.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Strong(&'a str),
    Em(&'a str),
    Link(&'a str, &'a str),
}

/// The text of a post.
pub(super) fn post(text: &str) -> impl IntoView + use<> {
    text.lines()
        .map(|line| match line.strip_prefix('>') {
            Some(quoted) => view! { <p class="border-s-2 border-base-300 ps-2.5">{pieces(quoted.trim_start())}</p> }.into_any(),
            None => view! { <p class="min-h-5">{pieces(line)}</p> }.into_any(),
        })
        .collect_view()
}

fn pieces(line: &str) -> impl IntoView + use<> {
    read(line)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned().into_any(),
            Piece::Strong(text) => view! { <strong class="font-semibold">{text.to_owned()}</strong> }.into_any(),
            Piece::Em(text) => view! { <em class="muted">{text.to_owned()}</em> }.into_any(),
            Piece::Link(label, href) => {
                view! { <a class="text-link" href=href.to_owned() rel="external">{label.to_owned()}</a> }.into_any()
            }
        })
        .collect_view()
}

fn read(line: &str) -> Vec<Piece<'_>> {
    let (mut out, mut rest, mut plain) = (Vec::new(), line, 0);
    while let Some(sign) = rest[plain..].find(['*', '[']) {
        let at = plain + sign;
        match marked(&rest[at..]) {
            Some((piece, length)) => {
                if at > 0 {
                    out.push(Piece::Text(&rest[..at]));
                }
                out.push(piece);
                rest = &rest[at + length..];
                plain = 0;
            }
            None => plain = at + 1,
        }
    }
    if !rest.is_empty() {
        out.push(Piece::Text(rest));
    }
    out
}

/// What begins here, and how long it is.
fn marked(text: &str) -> Option<(Piece<'_>, usize)> {
    if let Some(inner) = text.strip_prefix("**") {
        let end = inner.find("**").filter(|end| *end > 0)?;
        return Some((Piece::Strong(&inner[..end]), end + 4));
    }
    if let Some(inner) = text.strip_prefix('*') {
        let end = inner.find('*').filter(|end| *end > 0)?;
        return Some((Piece::Em(&inner[..end]), end + 2));
    }
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (href, _) = rest.split_once(')')?;
    let is_safe = href.starts_with("https://") || href.starts_with("http://");
    is_safe.then_some((Piece::Link(label, href), label.len() + href.len() + 4))
}

#[cfg(test)]
mod tests {
    use super::Piece::{Em, Link, Strong, Text};
    use super::read;

    #[test]
    fn a_posts_markup_is_read_and_anything_else_stays_text() {
        assert_eq!(read("**Blast** · 10:30 *ref x*"), [Strong("Blast"), Text(" · 10:30 "), Em("ref x")]);
        assert_eq!(read("[photo](http://127.0.0.1/c)!"), [Link("photo", "http://127.0.0.1/c"), Text("!")]);
        assert_eq!(read("2 * 3 [x](javascript:alert)"), [Text("2 * 3 [x](javascript:alert)")]);
        assert_eq!(read("über * alles"), [Text("über * alles")]);
    }
}
