//! Numbers in words: with their thousands set apart, and before what they count.

/// A number with its thousands set apart: `12,345`.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut out = String::from(if value < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many of something: `1 message`, `1,250 messages`.
pub fn counted(count: i64, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {many}", grouped(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([0, 999, 1_000, 1_234_567, -12_345].map(grouped), ["0", "999", "1,000", "1,234,567", "-12,345"]);
    }

    #[test]
    fn one_is_said_as_one() {
        assert_eq!([0, 1, 2, 1_250].map(|n| counted(n, "person", "people")), ["0 people", "1 person", "2 people", "1,250 people"]);
    }
}
