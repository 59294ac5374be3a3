//! Our own source as a list of tokens, for tests that must see everything of a kind: every statement, every route. It reads only as
//! much Rust as that takes: names, texts and signs, each with its place; comments and characters are passed over.

use std::path::{Path, PathBuf};

/// A token that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A name or a keyword.
    Name(String),
    /// A text, as the program has it.
    Text(String),
    /// Any other sign.
    Sign(char),
}

/// A token and the line that it begins on.
#[derive(Debug, Clone)]
pub struct Token {
    pub what: What,
    pub line: usize,
}

impl Token {
    pub fn name(&self) -> Option<&str> {
        match &self.what {
            What::Name(name) => Some(name),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.what {
            What::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn is(&self, sign: &str) -> bool {
        match &self.what {
            What::Name(name) => name == sign,
            What::Sign(own) => sign.chars().eq([*own]),
            What::Text(_) => false,
        }
    }
}

/// Every Rust file below a folder of the workspace, by its path from there.
pub fn files(folder: &str) -> Vec<(String, Vec<Token>)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let (mut folders, mut files): (Vec<PathBuf>, Vec<PathBuf>) = (vec![workspace.join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(end) if end == "rs" => files.push(path),
                _ => {}
            }
        }
    }
    files.sort();
    assert!(files.len() > 3, "{folder} was read");
    let named =
        |path: PathBuf| (path.strip_prefix(workspace).unwrap().display().to_string(), tokens(&std::fs::read_to_string(&path).unwrap()));
    files.into_iter().map(named).collect()
}

/// The tokens of a source text.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let (mut n, mut line, mut found) = (0, 1, Vec::new());
    while n < chars.len() {
        let (begin, began) = (n, line);
        let c = chars[n];
        let what = match c {
            '/' if at(n + 1) == '/' => {
                while n < chars.len() && chars[n] != '\n' {
                    n += 1;
                }
                None
            }
            '/' if at(n + 1) == '*' => {
                while n < chars.len() && !(chars[n] == '*' && at(n + 1) == '/') {
                    n += 1;
                }
                n += 2;
                None
            }
            '"' => {
                let (text, end) = quoted(&chars, n + 1);
                n = end;
                Some(What::Text(text))
            }
            'r' if at(n + 1) == '"' || (at(n + 1) == '#' && matches!(at(n + 2), '"' | '#')) => {
                let hashes = chars[n + 1..].iter().take_while(|c| **c == '#').count();
                let start = n + 2 + hashes;
                let closes = |end: usize| chars[end] == '"' && (1..=hashes).all(|n| at(end + n) == '#');
                let end = (start..chars.len()).find(|end| closes(*end)).unwrap();
                n = end + 1 + hashes;
                Some(What::Text(chars[start..end].iter().collect()))
            }
            // A character, not a lifetime.
            '\'' if at(n + 1) == '\\' => {
                n += 3;
                while at(n - 1) != '\'' || (at(n - 2) == '\\' && n - begin == 3) {
                    n += 1;
                }
                None
            }
            '\'' if at(n + 2) == '\'' => {
                n += 3;
                None
            }
            c if c.is_alphanumeric() || c == '_' => {
                while at(n).is_alphanumeric() || at(n) == '_' {
                    n += 1;
                }
                Some(What::Name(chars[begin..n].iter().collect()))
            }
            c => {
                n += 1;
                (!c.is_whitespace()).then_some(What::Sign(c))
            }
        };
        line += chars[begin..n.min(chars.len())].iter().filter(|c| **c == '\n').count();
        found.extend(what.map(|what| Token { what, line: began }));
    }
    found
}

/// The text that begins here, without its quotes, and the place behind it.
fn quoted(chars: &[char], mut n: usize) -> (String, usize) {
    let mut text = String::new();
    while chars[n] != '"' {
        if chars[n] != '\\' {
            text.push(chars[n]);
            n += 1;
            continue;
        }
        n += 2;
        match chars[n - 1] {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            // Goes on with the next line's first sign.
            '\n' => n += chars[n..].iter().take_while(|c| c.is_whitespace()).count(),
            other => text.push(other),
        }
    }
    (text, n + 1)
}

#[test]
fn texts_are_told_from_comments_characters_and_lifetimes() {
    let source = r##"fn a<'a>(x: &'a str) { // "no"
        let c = ['"', '\'', '\\', '\n']; /* "no" */
        b("one \"two\"
 three \
             four", r#"fi"ve"#)
    }"##;
    let texts: Vec<_> = tokens(source).into_iter().filter_map(|t| Some((t.text()?.to_owned(), t.line))).collect();
    assert_eq!(texts, [("one \"two\"\n three four".to_owned(), 3), ("fi\"ve".to_owned(), 5)]);
}

#[test]
fn unsafe_code_is_forbidden_in_every_crate_of_ours() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |path: &str| std::fs::read_to_string(workspace.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let root = read("Cargo.toml");
    assert!(root.contains("\n[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"));
    let members = root.lines().find_map(|line| line.strip_prefix("members = [")?.strip_suffix(']')).unwrap();
    let members: Vec<String> = members.split(", ").map(|member| format!("{}/Cargo.toml", member.trim_matches('"'))).collect();
    assert!(members.len() >= 4, "{members:?}");
    for path in members.iter().map(String::as_str).chain(["Cargo.toml"]) {
        assert!(read(path).contains("\n[lints]\nworkspace = true\n"), "{path} keeps the workspace's lints");
    }
}

/// What runs for as long as the process does, or now and then: its file, the type that it is a method of, and the function.
fn chores() -> Vec<(String, Option<String>, String)> {
    let mut found = Vec::new();
    for (path, tokens) in files("src") {
        let name = |at: usize| tokens.get(at).and_then(Token::name).unwrap_or_default().to_owned();
        let mut of = None;
        for (n, token) in tokens.iter().enumerate() {
            if token.is("impl") {
                let names = (n + 1..tokens.len()).take_while(|at| !tokens[*at].is("{")).map(name);
                of = names.filter(|name| !name.is_empty()).last();
            }
            if !(token.is("pub") && tokens[n + 1].is("async") && tokens[n + 2].is("fn")) {
                continue;
            }
            let (chore, arguments) = (name(n + 3), tokens[n + 4..].iter().take_while(|token| !token.is("{")));
            let has = |what: &str| arguments.clone().any(|token| token.is(what));
            let forgets = ["forget_o", "prune"].iter().any(|begin| chore.starts_with(begin)) || chore.ends_with("pruned");
            if forgets || has("CancellationToken") {
                found.push((path.clone(), of.clone().filter(|_| has("self")), chore));
            }
        }
    }
    found
}

#[test]
fn every_chore_is_started() {
    let (_, starts) = files("server/src").into_iter().find(|(path, _)| path == "server/src/application.rs").unwrap();
    let says = |signs: &[&str]| starts.windows(signs.len()).any(|window| window.iter().zip(signs).all(|(token, sign)| token.is(sign)));
    let all = chores();
    assert!(all.len() >= 19, "they were found: {all:?}");
    for (path, of, chore) in all {
        let mut rooms = path.trim_end_matches(".rs").split('/');
        let is_started = match &of {
            Some(of) => says(&[of, ":", ":", "new", "("]) && says(&[".", &chore, "("]),
            None => rooms.any(|room| says(&[room, ":", ":", &chore, "("])),
        };
        assert!(is_started, "{chore} of {path} is not started");
    }
}
