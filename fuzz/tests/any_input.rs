//! A short run of every fuzz target: its seeds as they are, and many mutations of them. `SEED` and `FUZZ_RUNS` change which and how
//! many; what fails is printed with its input.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use switchyard::clock::Rng;
use targets::TARGETS;

/// What inputs are made of, beside the seeds.
const PARTS: &[&str] = &[
    "\0",
    "\n",
    "\r\n",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    "[]",
    "null",
    "true",
    "-1",
    "1e400",
    "18446744073709551616",
    "+",
    "+1",
    "=",
    "@",
    "-",
    "\t",
    "*",
    "**",
    "_",
    "`",
    "~",
    "![:Team](1)",
    "](",
    ")",
    ">",
    "#",
    "|",
    "\u{1}",
    "\u{202e}",
    "＝",
    "é",
    "💥",
    "٣",
    "\u{a0}",
    "t=1795238411,v1=",
    "00",
    "zz",
    "%00",
    "'",
];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn below(rng: &Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("a small number")
}

fn mutated(rng: &Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[below(rng, seeds.len())].clone();
    for _ in 0..=rng.below(6) {
        let (at, to) = (below(rng, data.len() + 1), below(rng, data.len() + 1));
        match rng.below(7) {
            0 if at < data.len() => data[at] ^= 1 << rng.below(8),
            1 => data.truncate(at),
            2 => drop(data.drain(at.min(to)..at.max(to))),
            3 => {
                let part = PARTS[below(rng, PARTS.len())].repeat(1 + below(rng, 3));
                data.splice(at..at, part.into_bytes());
            }
            4 => {
                let other = &seeds[below(rng, seeds.len())];
                data.splice(at.., other[below(rng, other.len() + 1)..].iter().copied());
            }
            5 if data.len() < 20_000 => {
                let again = data[at.min(to)..at.max(to)].repeat(1 + below(rng, 40));
                data.splice(at..at, again);
            }
            _ => data.splice(at..at, [rng.bytes::<1>()[0]]).for_each(drop),
        }
        data.truncate(60_000);
    }
    data
}

#[test]
fn whatever_comes_in_each_reader_and_writer_keeps_its_promises() {
    let (seed, runs) = (number("SEED", 7), number("FUZZ_RUNS", 3_000));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let mut failed = Vec::new();
    std::panic::set_hook(Box::new(|_| {}));
    for (name, target) in TARGETS {
        let rng = Rng::seeded(seed);
        let files = std::fs::read_dir(folder.join(name)).unwrap_or_else(|error| panic!("fuzz/seeds/{name}: {error}"));
        let mut seeds: Vec<Vec<u8>> = files.map(|file| std::fs::read(file.expect("a file").path()).expect("a seed")).collect();
        seeds.sort();
        assert!(!seeds.is_empty(), "{name} has seeds");
        let inputs = seeds.iter().cloned().chain((0..runs).map(|_| mutated(&rng, &seeds)));
        for (run, input) in inputs.enumerate() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(&input))) {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
                failed
                    .push(format!("{name}, run {run} of seed {seed}: {words:.2000}\n  input: {:.1000?}", String::from_utf8_lossy(&input)));
                break;
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
