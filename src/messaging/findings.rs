//! Lines that look blast-only and are not set to None.

use super::consent;
use crate::db::{Db, Result, json};
use crate::staff::{Permit, may};
use crate::types::LineId;

/// The lines among these that have sent blasts, and to which nobody wrote but words such as STOP.
///
/// # Errors
/// What the database says.
pub(crate) async fn look_blast_only(db: &Db, _permit: &Permit<may::SeeDirectory>, lines: &[LineId]) -> Result<Vec<LineId>> {
    let lines: Vec<[LineId; 1]> = lines.iter().map(|line| [*line]).collect();
    let words: Vec<[&str; 1]> = consent::words().map(|word| [word]).collect();
    // Of each line it reads up to the first message that is no keyword. What was taken over from the platform's first version has no
    // carrier's id: each of the two has an index of its own.
    let found: Vec<(LineId,)> = db
        .all(
            "select l.id
             from json_each($1) j
             join line l on l.id = unhex(j.value->>0, '-')
             where exists (select 1 from blast b where b.line_id = l.id and b.state in ('sending', 'sent'))
               and not exists (
                 select 1 from message m
                 where m.line_id = l.id and m.direction = 'inbound' and m.carrier_id is not null
                   and lower(trim(m.body)) not in (select w.value->>0 from json_each($2) w))
               and not exists (
                 select 1 from message m
                 where m.line_id = l.id and m.direction = 'inbound' and m.carrier_id is null
                   and lower(trim(m.body)) not in (select w.value->>0 from json_each($2) w))",
            (json(&lines), json(&words)),
        )
        .await?;
    Ok(found.into_iter().map(|(line,)| line).collect())
}
