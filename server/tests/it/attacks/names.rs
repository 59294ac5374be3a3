//! By what names the console is told something: the arguments of its server functions, and the fields of its pages' addresses. They are
//! read from the code, so that a new one is attacked too.

use crate::source::{Token, files};
use std::collections::{BTreeMap, BTreeSet};

/// An argument of a server function, or a part of one, as a form names it: `note`, `rows[]`, `wanted[0]`, `filter[state]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    pub field: String,
    /// How the fields begin of which a form may have one alone.
    one_of: Option<String>,
}

impl Argument {
    fn plain(field: String) -> Self {
        Self { field, one_of: None }
    }

    /// Whether a form's field is this one. What there may be several of may be numbered.
    pub fn is(&self, field: &str) -> bool {
        let number = self.field.strip_suffix("[]").and_then(|name| field.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']'));
        self.field == field || number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    }

    /// Adds it to a form, in place of what says the same in another way.
    pub fn say(&self, fields: &mut Vec<(String, String)>, text: &str) {
        if let Some(begin) = &self.one_of {
            fields.retain(|(name, _)| !name.starts_with(begin.as_str()));
        }
        fields.push((self.field.clone(), text.to_owned()));
    }
}

/// What a form takes apart.
enum Shape {
    /// A struct: every field by itself, each with its type.
    Fields(Vec<(String, Vec<Token>)>),
    /// An enum around values: one of them, by its word.
    OneOf(Vec<String>),
}

/// One where a bracket opens, minus one where one closes. An arrow is none.
fn depth(tokens: &[Token], at: usize) -> i32 {
    let is = |signs: [&str; 4]| signs.iter().any(|sign| tokens[at].is(sign));
    let is_arrow = tokens[at].is(">") && at > 0 && (tokens[at - 1].is("-") || tokens[at - 1].is("="));
    i32::from(is(["(", "[", "{", "<"])) - i32::from(is([")", "]", "}", ">"]) && !is_arrow)
}

/// What stands between the bracket at `at` and the one that closes it, and the place behind.
fn within(tokens: &[Token], at: usize) -> (&[Token], usize) {
    let mut deep = 0;
    let closes = |end: &usize| {
        deep += depth(tokens, *end);
        deep == 0
    };
    let end = (at..tokens.len()).find(closes).unwrap_or_else(|| panic!("line {}: nothing closes this", tokens[at].line));
    (&tokens[at + 1..end], end + 1)
}

/// What commas divide.
fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut deep, mut begin, mut found) = (0, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        deep += depth(tokens, at);
        if deep == 0 && token.is(",") {
            found.push(&tokens[begin..at]);
            begin = at + 1;
        }
    }
    found.push(&tokens[begin..]);
    found.retain(|part| !part.is_empty());
    found
}

/// Without the attributes that it begins with.
fn bare(mut part: &[Token]) -> &[Token] {
    while part.first().is_some_and(|token| token.is("#")) {
        part = &part[within(part, 1).1..];
    }
    part
}

/// Fields or arguments: each by the name that it is sent under, with its type.
fn fields(body: &[Token]) -> Vec<(String, &[Token])> {
    let named = |part| {
        let renamed = windows(part, ["rename", "="]).find_map(|at| part.get(at + 2)?.text());
        let bare = bare(part);
        let colon = bare.iter().position(|token| token.is(":"))?;
        let name = bare[..colon].last()?.name()?;
        Some((renamed.unwrap_or(name).to_owned(), &bare[colon + 1..]))
    };
    parts(body).into_iter().filter_map(named).collect()
}

/// Where these stand one behind the other.
fn windows<const N: usize>(tokens: &[Token], signs: [&'static str; N]) -> impl Iterator<Item = usize> {
    let fits = move |window: &[Token]| window.iter().zip(signs).all(|(token, sign)| token.is(sign));
    tokens.windows(N).enumerate().filter(move |(_, window)| fits(window)).map(|(at, _)| at)
}

/// `ConversationId` as `conversation_id`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// The structs and enums of a file that a form takes apart, by name.
fn shapes(tokens: &[Token]) -> Vec<(String, Shape)> {
    let mut found = Vec::new();
    for (at, window) in tokens.windows(3).enumerate() {
        let Some(name) = window[1].name().filter(|_| window[2].is("{")) else { continue };
        if window[0].is("struct") {
            let fields = fields(within(tokens, at + 2).0).into_iter().map(|(name, kind)| (name, kind.to_vec()));
            found.push((name.to_owned(), Shape::Fields(fields.collect())));
        } else if window[0].is("enum") {
            let around = parts(within(tokens, at + 2).0).into_iter().map(bare).filter(|of| of.get(1).is_some_and(|next| next.is("(")));
            let words: Vec<String> = around.filter_map(|of| of[0].name().map(snake)).collect();
            if !words.is_empty() {
                found.push((name.to_owned(), Shape::OneOf(words)));
            }
        }
    }
    found
}

/// The fields that a form has for what has this name and type.
fn taken_apart(name: &str, kind: &[Token], known: &BTreeMap<String, Vec<Shape>>) -> Vec<Argument> {
    match kind {
        [of, open, ..] if of.is("Option") && open.is("<") => return taken_apart(name, within(kind, 1).0, known),
        [of, open, ..] if of.is("Vec") && open.is("<") => return vec![Argument::plain(format!("{name}[]"))],
        [open, .., many, _] if open.is("[") => {
            let many: usize = many.name().and_then(|many| many.parse().ok()).unwrap_or_else(|| panic!("{name} has no fixed length"));
            return (0..many).map(|n| Argument::plain(format!("{name}[{n}]"))).collect();
        }
        _ => {}
    }
    let own = kind.last().and_then(Token::name).unwrap_or_default();
    match known.get(own).map_or(&[][..], Vec::as_slice) {
        [] => vec![Argument::plain(name.to_owned())],
        [Shape::Fields(fields)] => fields.iter().flat_map(|(of, kind)| taken_apart(&format!("{name}[{of}]"), kind, known)).collect(),
        [Shape::OneOf(words)] => {
            let of = |word: &String| Argument { field: format!("{name}[{word}]"), one_of: Some(format!("{name}[")) };
            words.iter().map(of).collect()
        }
        _ => panic!("{name}: several types are called {own}"),
    }
}

/// The arguments of every server function, by its path below `/fn/`.
pub fn arguments() -> BTreeMap<String, Vec<Argument>> {
    let (app, types) = (files("app/src"), files("src/types"));
    let mut known: BTreeMap<String, Vec<Shape>> = BTreeMap::new();
    for (name, shape) in app.iter().chain(&types).flat_map(|(_, tokens)| shapes(tokens)) {
        known.entry(name).or_default().push(shape);
    }
    let mut found = BTreeMap::new();
    for (file, tokens) in &app {
        for at in windows(tokens, ["#", "[", "server", "("]) {
            let (attribute, behind) = within(tokens, at + 1);
            // Another one stands at an argument and says that it may be left out.
            let Some(path) = windows(attribute, ["endpoint", "="]).find_map(|at| attribute.get(at + 2)?.text()) else { continue };
            let function = behind + tokens[behind..].iter().position(|token| token.is("fn")).unwrap();
            assert!(tokens[function + 2].is("("), "{file}: the arguments of {path} follow its name");
            let arguments = fields(within(tokens, function + 2).0);
            let arguments = arguments.into_iter().flat_map(|(name, kind)| taken_apart(&name, kind, &known)).collect();
            assert!(found.insert(path.to_owned(), arguments).is_none(), "{path} is there once");
        }
    }
    found
}

/// Where the name of a field of an address stands somewhere else than where it is read, and the names.
const ELSEWHERE: [(&str, &[&str]); 2] = [
    ("app/src/parts/forms.rs", &["light-q", "light-filter", "dark-q", "dark-filter"]),
    ("app/src/retention.rs", &["message_days", "held_days", "unknown_days", "audit_days"]),
];
/// What is read from an address as it is written, or by its form.
const AS_WRITTEN: [&str; 5] = ["__path", "__err", "back", "row", "find-account"];

/// The fields of addresses that pages and files read.
pub fn address_fields() -> BTreeSet<String> {
    let mut found: BTreeSet<String> = AS_WRITTEN.into_iter().map(ToOwned::to_owned).collect();
    let mut elsewhere = BTreeSet::new();
    for (file, tokens) in files("app/src") {
        for at in windows(&tokens, ["query_field"]) {
            let is_called = tokens[at + 1].is("(") && !tokens[at - 1].is("fn");
            let is_mapped = tokens[at + 1].is(")") && tokens[at - 1].is("(") && tokens[at - 2].is("map");
            let names = match (is_called, is_mapped) {
                (true, _) if tokens[at + 2].text().is_some() => &tokens[at + 2..at + 3],
                (false, true) => listed_before(&tokens, at - 3),
                (true, _) => &[],
                // It is taken in from another room, or made.
                (false, false) => continue,
            };
            if names.is_empty() {
                elsewhere.insert(file.clone());
            }
            found.extend(names.iter().filter(|token| !token.is(",")).map(|token| word(&tokens, token)));
        }
        let calls = windows(&tokens, ["field", "("]).map(|at| at + 2);
        let calls = calls.chain(windows(&tokens, ["query", ".", "get", "("]).map(|at| at + 4));
        let calls = calls.chain(windows(&tokens, ["Choosing", ":", ":", "of", "("]).map(|at| at + 5));
        found.extend(calls.filter_map(|at| tokens.get(at)?.text().map(ToOwned::to_owned)));
    }
    let said: BTreeSet<String> = ELSEWHERE.iter().map(|(file, _)| (*file).to_owned()).collect();
    assert_eq!(elsewhere, said, "the code left, the names that stand elsewhere right");
    found.extend(ELSEWHERE.iter().flat_map(|(_, names)| *names).map(|name| (*name).to_owned()));
    for (file, tokens) in files("server/src/console") {
        for of in windows(&tokens, ["Query", "<"]).map(|at| tokens[at + 2].name().unwrap()) {
            let is_it = |window: &[Token]| window[0].is("struct") && window[1].is(of) && window[2].is("{");
            let at = tokens.windows(3).position(is_it).unwrap_or_else(|| panic!("{file}: {of} is in another file"));
            found.extend(fields(within(&tokens, at + 2).0).into_iter().map(|(name, _)| name));
        }
    }
    found
}

/// The list that ends before the dot at `dot`; nothing if none ends there.
fn listed_before(tokens: &[Token], dot: usize) -> &[Token] {
    let end = dot.checked_sub(1).filter(|end| tokens[*end].is("]"));
    let begin = end.and_then(|end| tokens[..end].iter().rposition(|token| token.is("[")));
    begin.zip(end).map_or(&[][..], |(begin, end)| &tokens[begin + 1..end])
}

/// A text, or that of the constant of this name in the same file.
fn word(tokens: &[Token], token: &Token) -> String {
    let constant = |name: &str| {
        let at = tokens.windows(2).position(|t| t[0].is("const") && t[1].is(name));
        at.and_then(|at| tokens[at..].iter().find_map(Token::text))
    };
    let text = token.text().or_else(|| token.name().and_then(constant));
    text.unwrap_or_else(|| panic!("line {}: neither a text nor a constant of its file", token.line)).to_owned()
}

#[test]
fn arguments_are_taken_apart_as_forms_send_them() {
    let known: BTreeMap<String, Vec<Shape>> = shapes(&crate::source::tokens(
        "pub struct Filter { #[serde(default)] pub search: String, #[serde(rename = \"type\")] of_type: Option<Kind> }
         enum Kind { A, B }
         pub enum Of { Line(LineId), BigOne(Id) }",
    ))
    .into_iter()
    .map(|(name, shape)| (name, vec![shape]))
    .collect();
    let arguments =
        crate::source::tokens("id: AccountId, #[server(default)] rows: Vec<String>, filter: Option<Filter>, wanted: [String; 2], of: Of,");
    let found: Vec<Argument> = fields(&arguments).into_iter().flat_map(|(name, kind)| taken_apart(&name, kind, &known)).collect();
    let names: Vec<&str> = found.iter().map(|argument| argument.field.as_str()).collect();
    assert_eq!(names, ["id", "rows[]", "filter[search]", "filter[type]", "wanted[0]", "wanted[1]", "of[line]", "of[big_one]"]);
    assert!(found[1].is("rows[]") && found[1].is("rows[7]") && !found[1].is("rows") && !found[1].is("rows[x]"));
    let mut form = vec![("of[line]".to_owned(), "1".to_owned()), ("id".to_owned(), "2".to_owned())];
    found[7].say(&mut form, "3");
    assert_eq!(form, [("id".to_owned(), "2".to_owned()), ("of[big_one]".to_owned(), "3".to_owned())]);
}
