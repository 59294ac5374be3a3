//! Pages of lists.

use crate::world::{number, world};
use crate::{Bench, percentile};
use std::time::Instant;
use switchyard::directory::lines;
use switchyard::messaging::blast;
use switchyard::sync;
use switchyard::types::{LineFilter, PhoneNumber, SyncFilter};

impl Bench {
    pub(crate) async fn lists(&mut self, engine: &'static str) {
        let sizes: &[u64] = if self.full { &[10_000, 1_000_000] } else { &[10_000, 100_000] };
        for &size in sizes {
            let Some(w) = world(engine, 200).await else { return };
            for (n, chunk) in (0..size).collect::<Vec<_>>().chunks(100_000).enumerate() {
                let recipients: Vec<PhoneNumber> = chunk.iter().map(|n| number(1_000_000 + n)).collect();
                let line = w.lines[n % w.lines.len()].0;
                blast::take_as_staff(&w.db, &w.now, &w.member.permit().unwrap(), line, "Sale!", &recipients).await.unwrap();
                while blast::record_next(&w.db, &w.now).await.unwrap() {}
            }
            w.settle().await;
            let see = w.member.permit().unwrap();
            let (mut first, mut deep, mut own) = (Vec::new(), Vec::new(), Vec::new());
            let mut cursor = None;
            for _ in 0..300 {
                let began = Instant::now();
                let page = sync::list(&w.db, &see, &SyncFilter::default(), None, 50).await.unwrap();
                first.push(began.elapsed());
                let began = Instant::now();
                let next = sync::list(&w.db, &see, &SyncFilter::default(), cursor.as_ref().or(page.next.as_ref()), 50).await.unwrap();
                deep.push(began.elapsed());
                cursor = next.next;
                let began = Instant::now();
                lines::list(&w.db, &w.member.permit().unwrap(), &LineFilter { search: "line 1".into(), ..LineFilter::default() }, None, 50)
                    .await
                    .unwrap();
                own.push(began.elapsed());
            }
            for (name, mut times) in [("first page", first), ("a later page", deep), ("lines, searched", own)] {
                times.sort_unstable();
                let name = format!("lists: p99 {name}, {size} conversations");
                self.note(Some(&w), &name, percentile(&times, 99), "ms", Some((20.0, true)), size, 300);
            }
            w.end().await;
        }
    }
}
