//! Cells of CSV files (RFC 4180) that people open in a spreadsheet.

/// What a spreadsheet may take for a formula when a cell begins with it, in full width too (OWASP, CSV injection).
const STARTS_FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// A cell in quotes. One that a spreadsheet would run gets an apostrophe.
pub fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(STARTS_FORMULA);
    format!("\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\""))
}

/// Adds a row of such cells to a text.
pub(super) fn add_row(text: &mut String, cells: &[&str]) {
    for (n, cell) in cells.iter().enumerate() {
        text.push_str(if n == 0 { "" } else { "," });
        text.push_str(&quoted(cell));
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_label_is_neither_broken_nor_run() {
        assert_eq!(quoted("Front desk, \"north\""), "\"Front desk, \"\"north\"\"\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("+12025550143"), "\"'+12025550143\"");
    }
}
