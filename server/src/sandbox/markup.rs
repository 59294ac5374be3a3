//! HTML from text: escaping, and the part of RingCentral's mini-markdown that its app shows.
//!
//! The one rule: the text is escaped first and marked up after, so that a text that was not made harmless shows as bold or as a
//! mention here, just as an agent would see it, and never as HTML.

/// Makes a text harmless in HTML, in content and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A post's text as the app shows it: line breaks, quotes, bold, italics, underlined, links and mentions.
pub(super) fn render(text: &str) -> String {
    let (mut out, mut quoting) = (String::new(), false);
    for (number, line) in text.split('\n').enumerate() {
        let quoted = line.strip_prefix('>');
        if quoted.is_some() != quoting {
            out.push_str(if quoting { "</blockquote>" } else { "<blockquote>" });
            quoting = !quoting;
        } else if number > 0 {
            out.push_str("<br>");
        }
        inline(&escape(quoted.map_or(line, str::trim_start)), &mut out);
    }
    if quoting {
        out.push_str("</blockquote>");
    }
    out
}

/// Marks up one escaped line. Whatever is not closed on the line stays as it is.
fn inline(line: &str, out: &mut String) {
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after = if let Some((shown, after)) = mention(rest) {
            out.push_str("<span class=\"mention\">@");
            out.push_str(shown);
            out.push_str("</span>");
            after
        } else if let Some((label, address, after)) = link(rest) {
            out.push_str(&format!("<a href=\"{address}\" rel=\"noreferrer\">"));
            inline(label, out);
            out.push_str("</a>");
            after
        } else if let Some((tag, inner, after)) = enclosed(rest, "**", "strong")
            .or_else(|| enclosed(rest, "*", "em"))
            .or_else(|| enclosed(rest, "_", "u").filter(|_| line.len() == rest.len() || ends_a_word(line, rest)))
        {
            out.push_str(&format!("<{tag}>"));
            inline(inner, out);
            out.push_str(&format!("</{tag}>"));
            after
        } else {
            out.push(c);
            &rest[c.len_utf8()..]
        };
        rest = after;
    }
}

/// Whether `rest` begins where a new word does: an underscore inside a word (a file's name) underlines nothing.
fn ends_a_word(line: &str, rest: &str) -> bool {
    !line[..line.len() - rest.len()].chars().next_back().is_some_and(char::is_alphanumeric)
}

fn enclosed<'a>(text: &'a str, mark: &str, tag: &'static str) -> Option<(&'static str, &'a str, &'a str)> {
    let inner = text.strip_prefix(mark)?;
    let end = inner.find(mark)?;
    let inside = &inner[..end];
    let shown = !inside.is_empty() && !inside.starts_with(char::is_whitespace) && !inside.ends_with(char::is_whitespace);
    shown.then_some((tag, inside, &inner[end + mark.len()..]))
}

/// The kinds and ids of all that a text mentions.
pub(super) fn mentions(text: &str) -> impl Iterator<Item = (&str, &str)> {
    const KINDS: [&str; 8] = ["Person", "Team", "File", "Link", "Event", "Task", "Note", "Card"];
    text.match_indices("![:").filter_map(|(at, _)| {
        let (kind, rest) = text[at + 3..].split_once("](")?;
        let (id, _) = rest.split_once(')')?;
        (KINDS.contains(&kind) && !id.contains(char::is_whitespace)).then_some((kind, id))
    })
}

/// `![:Person](id)` and its like.
fn mention(text: &str) -> Option<(&str, &str)> {
    let (kind, rest) = text.strip_prefix("![:")?.split_once("](")?;
    let (_, after) = rest.split_once(')')?;
    (!kind.is_empty() && kind.chars().all(char::is_alphanumeric)).then_some((kind, after))
}

/// `[label](address)`, for addresses that a browser may open.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (address, after) = rest.split_once(')')?;
    let safe = address.starts_with("https://") || address.starts_with("http://");
    (safe && !label.contains('[')).then_some((label, address, after))
}
