//! Charts: bars or lines over time against a limit, as SVG that is painted on the server and needs no script. Every chart says what
//! it shows in a sentence and has its numbers in a table.
//!
//! The rule: colours come by classes and sizes by attributes, since the page's policy allows no styles in the markup. What is
//! painted is made of numbers and of our own words only.

use leptos::prelude::*;
use std::fmt::Write;
use switchyard::types::{Timestamp, grouped};

/// The colour of a series: a token of the style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// What is as it should be.
    Main,
    /// The other of two that are as they should be.
    Other,
    /// What is on its way.
    Moving,
    /// What waits.
    Waiting,
    /// What went wrong.
    Bad,
}

impl Ink {
    fn class(self) -> &'static str {
        match self {
            Self::Main => "ink-main",
            Self::Other => "ink-other",
            Self::Moving => "ink-moving",
            Self::Waiting => "ink-waiting",
            Self::Bad => "ink-bad",
        }
    }
}

/// How a chart is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// What happened in each step.
    Bars,
    /// What stood at each step.
    Lines,
}

/// Numbers of one kind, one for each step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What they count, in small letters.
    pub name: &'static str,
    /// Their colour.
    pub ink: Ink,
    /// The numbers.
    pub values: Vec<i64>,
}

/// What a chart shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// What it says, in a sentence.
    pub says: String,
    /// Where the first step begins.
    pub from: Timestamp,
    /// Seconds of a step.
    pub step_seconds: i64,
    /// What is drawn; no two in one colour.
    pub series: Vec<Series>,
    /// What a step cannot go above.
    pub limit: Option<i64>,
}

impl Graph {
    fn steps(&self) -> usize {
        self.series.first().map_or(0, |series| series.values.len())
    }

    fn begin(&self, step: usize) -> Timestamp {
        let seconds = self.step_seconds.saturating_mul(i64::try_from(step).unwrap_or(0));
        Timestamp(self.from.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The highest mark of the axis and how far the marks are apart.
    fn scale(&self) -> (i64, i64) {
        let highest = self.series.iter().flat_map(|series| series.values.iter().copied()).chain(self.limit).max().unwrap_or(0).max(1);
        let mut decade = 1;
        loop {
            for part in [1, 2, 5] {
                let apart = part * decade;
                if apart * 4 >= highest {
                    return ((highest + apart - 1) / apart * apart, apart);
                }
            }
            decade *= 10;
        }
    }

    /// A moment, as short as the span allows. As every other one `times.js` writes it in the reader's zone.
    fn moment(&self, step: usize) -> String {
        let (at, text) = (self.begin(step).rfc3339(), self.begin(step).minute());
        let (short, text) = if self.step_seconds <= 60 * 60 { ("clock", &text[11..]) } else { ("day", &text[5..10]) };
        format!("<time datetime=\"{at}\" data-short=\"{short}\">{text}</time>")
    }

    /// The marks beside the plot, the highest first.
    fn heights(&self) -> String {
        let (top, apart) = self.scale();
        (0..=top / apart).rev().fold(String::new(), |mut out, mark| {
            let _ = write!(out, "<span>{}</span>", grouped(mark * apart));
            out
        })
    }

    /// The moments below the plot.
    fn moments(&self) -> String {
        (0..=4).fold(String::new(), |mut out, quarter| {
            let text = if quarter == 4 { "now".to_owned() } else { self.moment(self.steps() * quarter / 4) };
            let _ = write!(out, "<span>{text}</span>");
            out
        })
    }

    /// The plot, one unit wide for each step and a hundred high.
    fn plot(&self, shape: Shape) -> String {
        let (top, apart) = self.scale();
        // In tenths of the plot's units.
        let height = |value: i64| value.saturating_mul(1_000) / top;
        let down = |value: i64| tenths(1_000 - height(value));
        let steps = self.steps();
        let mut out = String::new();
        for mark in 0..=top / apart {
            let _ = write!(out, "<path class=\"chart-mark\" d=\"M0 {}H{steps}\"/>", down(mark * apart));
        }
        for series in &self.series {
            let class = series.ink.class();
            match shape {
                Shape::Bars => {
                    let mut bars = String::new();
                    for (at, value) in series.values.iter().enumerate().filter(|(_, value)| **value > 0) {
                        // Even one of a thousand is seen.
                        let high = tenths(height(*value).max(15));
                        let _ = write!(bars, "M{at}.12 100v-{high}h.76v{high}z");
                    }
                    let _ = write!(out, "<path class=\"chart-bars {class}\" d=\"{bars}\"/>");
                }
                Shape::Lines => {
                    let mut line = String::new();
                    for (at, value) in series.values.iter().enumerate() {
                        let _ = write!(line, "{}{at}.5 {}", if at == 0 { 'M' } else { 'L' }, down(*value));
                    }
                    let _ = write!(out, "<path class=\"chart-area {class}\" d=\"{line}V100H.5z\"/>");
                    let _ = write!(out, "<path class=\"chart-line {class}\" d=\"{line}\"/>");
                }
            }
        }
        if let Some(limit) = self.limit {
            let _ = write!(out, "<path class=\"chart-limit\" d=\"M0 {}H{steps}\"/>", down(limit));
        }
        for step in 0..steps {
            let said = self.series.iter().map(|series| format!("{} {}", grouped(series.values[step]), series.name));
            let said = said.collect::<Vec<_>>().join(", ");
            let _ = write!(
                out,
                "<rect class=\"chart-hit\" x=\"{step}\" width=\"1\" height=\"100\"><title data-at=\"{}\">{} UTC: {said}</title></rect>",
                self.begin(step).rfc3339(),
                self.begin(step).minute()
            );
        }
        out
    }

    /// The rows of the table, the newest first, without those that hold nothing.
    fn rows(&self) -> String {
        let mut out = String::new();
        for step in (0..self.steps()).rev().filter(|&step| self.series.iter().any(|series| series.values[step] != 0)) {
            let at = self.begin(step);
            let _ = write!(out, "<tr><td><time datetime=\"{}\">{} UTC</time></td>", at.rfc3339(), at.minute());
            for series in &self.series {
                let _ = write!(out, "<td>{}</td>", grouped(series.values[step]));
            }
            out.push_str("</tr>");
        }
        if out.is_empty() {
            let _ = write!(out, "<tr><td colspan=\"{}\">Nothing in this time</td></tr>", self.series.len() + 1);
        }
        out
    }
}

/// Tenths as a number; the compiler's own way to write fractions would be 4 kB of WebAssembly.
fn tenths(of: i64) -> String {
    format!("{}.{}", of / 10, of % 10)
}

/// A chart with its heading, its sentence and its numbers. Painted again with other numbers it keeps its nodes, so that what a
/// reader has opened stays open.
#[component]
pub fn Chart(
    /// What is drawn.
    title: &'static str,
    /// How it is drawn.
    shape: Shape,
    /// The numbers.
    graph: Graph,
    /// What the limit is, in words.
    #[prop(optional)]
    limit: &'static str,
) -> impl IntoView {
    let key = |class: String, name: &'static str| {
        view! {
            <li class="flex items-center gap-1.5">
                <svg class="h-2.5 w-4" viewBox="0 0 16 10" aria-hidden="true">
                    <path class=class d="M0 5H16" stroke-width="4" />
                </svg>
                {name}
            </li>
        }
    };
    // One series by itself is named by the heading.
    let named =
        graph.series.iter().filter(|_| graph.series.len() > 1).map(|series| (format!("chart-line {}", series.ink.class()), series.name));
    let limited = graph.limit.map(|_| ("chart-limit".to_owned(), limit));
    let keys = named.chain(limited).map(|(class, name)| key(class, name)).collect_view();
    let heads = graph.series.iter().map(|series| view! { <th scope="col">{series.name}</th> }).collect_view();
    view! {
        <figure class="flex min-w-0 flex-col gap-2">
            <figcaption class="flex flex-wrap items-baseline justify-between gap-x-6 gap-y-1">
                <div class="min-w-0">
                    <h3 class="font-medium">{title}</h3>
                    <p class="muted text-xs">{graph.says.clone()}</p>
                </div>
                <ul class="muted flex flex-wrap gap-x-4 gap-y-1 text-xs">{keys}</ul>
            </figcaption>
            <div class="chart">
                <div class="chart-heights" aria-hidden="true" inner_html=graph.heights()></div>
                <svg
                    class="chart-plot" role="img" aria-label=graph.says.clone() preserveAspectRatio="none"
                    viewBox=format!("0 0 {} 100", graph.steps()) inner_html=graph.plot(shape)
                ></svg>
                <div class="chart-moments" aria-hidden="true" inner_html=graph.moments()></div>
            </div>
            <details class="text-xs">
                <summary class="text-link inline-flex min-h-6 cursor-pointer items-center">"The numbers"</summary>
                <div class="mt-1 max-h-56 overflow-y-auto rounded-field border border-base-300" tabindex="0" role="region" aria-label=title>
                    <table class="numbers">
                        <thead>
                            <tr>
                                <th scope="col">"From"</th>
                                {heads}
                            </tr>
                        </thead>
                        <tbody inner_html=graph.rows()></tbody>
                    </table>
                </div>
            </details>
        </figure>
    }
}

/// How much of something there is, as a bar; the number stands beside it.
#[component]
pub fn Share(
    /// How much.
    value: i64,
    /// Of how much.
    of: i64,
    /// Its colour.
    ink: Ink,
) -> impl IntoView {
    let of = of.max(1);
    // Even little is seen.
    let width = tenths((value.clamp(0, of) * 1_000 / of).max(if value > 0 { 10 } else { 0 }));
    view! {
        <svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
            <rect class="share-ground" width="100" height="8" />
            <rect class=format!("chart-bars {}", ink.class()) width=width height="8" />
        </svg>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(values: &[i64], limit: Option<i64>) -> Graph {
        Graph {
            says: String::new(),
            from: Timestamp(0),
            step_seconds: 60,
            series: vec![Series { name: "posts", ink: Ink::Main, values: values.to_vec() }],
            limit,
        }
    }

    #[test]
    fn the_axis_ends_at_or_above_the_highest_number_and_has_round_marks() {
        for (highest, wanted) in
            [(0, (1, 1)), (1, (1, 1)), (3, (3, 1)), (5, (6, 2)), (40, (40, 10)), (41, (60, 20)), (2_500, (3_000, 1_000))]
        {
            assert_eq!(graph(&[highest], None).scale(), wanted, "{highest}");
        }
        assert_eq!(graph(&[3], Some(40)).scale(), (40, 10), "the limit is in sight");
    }

    #[test]
    fn every_number_is_in_the_table_and_those_that_are_none_are_left_out() {
        let rows = graph(&[0, 1_250, 0, 3], None).rows();
        let row = |minute: u8, number: &str| {
            format!(
                "<tr><td><time datetime=\"1970-01-01T00:0{minute}:00.000Z\">1970-01-01 00:0{minute} UTC</time></td><td>{number}</td></tr>"
            )
        };
        assert_eq!(rows, row(3, "3") + &row(1, "1,250"));
        assert!(graph(&[0, 0], None).rows().contains("Nothing in this time"));
    }

    #[test]
    fn a_bar_is_as_high_as_its_number_and_a_small_one_is_seen() {
        let plot = graph(&[40, 0, 20, 1], Some(1_000)).plot(Shape::Bars);
        assert!(plot.contains("M0.12 100v-4.0h.76v4.0z"), "{plot}");
        assert!(plot.contains("M3.12 100v-1.5h.76v1.5z"), "{plot}");
        assert!(!plot.contains("M1.12"), "{plot}");
        assert_eq!(plot.matches("<title data-at=").count(), 4);
    }
}
