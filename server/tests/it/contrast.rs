//! The colours of both themes, counted from the style sheet's tokens: every pair of text and ground keeps WCAG 2.2 AA. And what no style
//! may hang on.

use std::collections::HashMap;
use std::path::Path;

/// Text of any size.
const TEXT: f64 = 4.5;
/// What is no text: the outline of the focus, the lines of charts.
const SIGN: f64 = 3.0;

/// A colour as lightness and two axes, in which the browser mixes, too.
type Oklab = [f64; 3];

/// `oklch(45% 0.115 245)`.
fn parse(text: &str) -> Option<Oklab> {
    let inside = text.trim().strip_prefix("oklch(")?.strip_suffix(')')?;
    let mut parts = inside.split_whitespace();
    let lightness: f64 = parts.next()?.strip_suffix('%')?.parse().ok()?;
    let chroma: f64 = parts.next()?.parse().ok()?;
    let hue = parts.next()?.parse::<f64>().ok()?.to_radians();
    Some([lightness / 100.0, chroma * hue.cos(), chroma * hue.sin()])
}

/// `share` of the one in the other, as `color-mix(in oklab, …)`.
fn mixed(share: f64, one: Oklab, other: Oklab) -> Oklab {
    [0, 1, 2].map(|at| one[at] * share + other[at] * (1.0 - share))
}

/// How bright it is, by the matrices of CSS Color 4; what no screen can show is cut off as a browser does.
fn luminance([l, a, b]: Oklab) -> f64 {
    let long = (l + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let middle = (l - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (l - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    let red = 4.076_741_662_1 * long - 3.307_711_591_3 * middle + 0.230_969_929_2 * short;
    let green = -1.268_438_004_6 * long + 2.609_757_401_1 * middle - 0.341_319_396_5 * short;
    let blue = -0.004_196_086_3 * long - 0.703_418_614_7 * middle + 1.707_614_701 * short;
    0.2126 * red.clamp(0.0, 1.0) + 0.7152 * green.clamp(0.0, 1.0) + 0.0722 * blue.clamp(0.0, 1.0)
}

/// The contrast of two colours, from 1 to 21.
fn contrast(one: Oklab, other: Oklab) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The colours of each theme, by name.
fn themes() -> Vec<(String, HashMap<String, Oklab>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../style/tokens.css");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("@plugin \"daisyui/theme\" {").skip(1);
    blocks
        .map(|block| {
            let lines = block.split('}').next().unwrap_or_default().lines();
            let pairs: Vec<(&str, &str)> = lines.filter_map(|line| line.trim().strip_suffix(';')?.split_once(": ")).collect();
            let name = pairs.iter().find(|(key, _)| *key == "name").unwrap().1.trim_matches('"').to_owned();
            let colours = pairs.iter().filter_map(|(key, value)| Some((key.strip_prefix("--color-")?.to_owned(), parse(value).unwrap())));
            (name, colours.collect())
        })
        .collect()
}

#[test]
fn known_colours_have_their_known_contrast() {
    let [white, black, grey] = ["oklch(100% 0 0)", "oklch(0% 0 0)", "oklch(56.66% 0 0)"].map(|text| parse(text).unwrap());
    assert!((contrast(white, black) - 21.0).abs() < 0.01);
    // #767676 is the lightest grey that is good enough on white.
    assert!((contrast(white, grey) - 4.54).abs() < 0.05, "{}", contrast(white, grey));
}

#[test]
fn every_pair_of_text_and_ground_keeps_its_contrast_in_both_themes() {
    let mut wrong = Vec::new();
    let themes = themes();
    assert_eq!(themes.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["light", "dark"]);
    for (theme, colours) in &themes {
        let of = |name: &str| colours[name];
        let mut check = |what: String, text: Oklab, ground: Oklab, least: f64| {
            let found = contrast(text, ground);
            if found < least {
                wrong.push(format!("{theme}: {what} has {found:.2}, not {least}"));
            }
        };
        let (base, content) = (of("base-100"), of("base-content"));
        let grounds = [("base-100", base), ("base-200", of("base-200"))];
        for (name, ground) in grounds {
            check(format!("text on {name}"), content, ground, TEXT);
            check(format!("muted text on {name}"), mixed(0.76, content, base), ground, TEXT);
            for tone in ["primary", "success", "warning", "error", "info"] {
                check(format!("{tone} on {name}"), of(tone), ground, TEXT);
                check(format!("the sign of {tone} on {name}"), of(tone), ground, SIGN);
            }
        }
        for tone in ["primary", "secondary", "accent", "neutral", "info", "success", "warning", "error", "environment"] {
            check(format!("text on {tone}"), of(&format!("{tone}-content")), of(tone), TEXT);
            check(format!("the band of {tone} beside the page"), of(tone), of("base-200"), SIGN);
        }
        for tone in ["neutral", "info", "success", "warning", "error"] {
            check(format!("a badge of {tone}"), of(tone), mixed(0.08, of(tone), base), TEXT);
        }
        // Where one is, which row has the focus, what a palette has chosen.
        check("the way that one is on".to_owned(), of("primary"), mixed(0.12, of("primary"), base), TEXT);
        check("text of a message that came in".to_owned(), content, mixed(0.08, of("primary"), base), TEXT);
        check("a note above a form".to_owned(), content, mixed(0.08, of("info"), base), TEXT);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What stands within the root, the body or a table and hangs on what else is there is worked out anew for all of it with each row that
/// comes or goes: some 20 ms each time, several times for each key. A property of the whole, which is inherited, costs nothing.
#[test]
fn no_style_within_the_page_hangs_on_what_the_whole_page_has() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../style");
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let sheet = std::fs::read_to_string(&path).unwrap();
        read += sheet.lines().count();
        for selector in sheet.lines().filter(|line| line.ends_with(['{', ','])) {
            let whole = [":root", "html", "body", "main", ".picking", ".rows"].into_iter().find_map(|whole| {
                let (_, inside) = selector.split_once(&format!("{whole}:has("))?;
                let mut depth = 1;
                let end = inside.find(|sign| {
                    depth += i32::from(sign == '(') - i32::from(sign == ')');
                    depth == 0
                })?;
                Some(&inside[end + 1..])
            });
            assert!(whole.is_none_or(|rest| [" {", ","].contains(&rest)), "{}: {selector}", path.display());
        }
    }
    assert!(read > 500, "{read} lines of style were read");
}
