//! Phone numbers: E.164 or a short code. They are personal data, so they print masked; only `expose` shows one.

use serde::{Deserialize, Serialize};

/// A phone number in E.164 (`+` and 7 to 15 digits, ITU-T E.164) or a short code (3 to 8 digits).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "services", derive(sqlx::Type), sqlx(transparent))]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// What was given is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number: write + and the country code, as in +1 202 555 0143, or a short code of 3 to 8 digits")]
pub struct NotAPhoneNumber;

impl PhoneNumber {
    /// Reads a number as people write it: spaces, dots, dashes and brackets are dropped. Ten bare digits are not guessed at.
    pub fn parse(text: &str) -> Result<Self, NotAPhoneNumber> {
        let mut plain = String::with_capacity(16);
        for c in text.trim().chars() {
            match c {
                '+' if plain.is_empty() => plain.push(c),
                '0'..='9' if plain.len() < 17 => plain.push(c),
                ' ' | '-' | '.' | '(' | ')' | '\u{a0}' => {}
                _ => return Err(NotAPhoneNumber),
            }
        }
        let digits = plain.strip_prefix('+');
        let valid = match digits {
            Some(digits) => (7..=15).contains(&digits.len()) && !digits.starts_with('0'),
            None => (3..=8).contains(&plain.len()),
        };
        if valid { Ok(Self(plain)) } else { Err(NotAPhoneNumber) }
    }

    /// The whole number. Only for the carrier, the database and people who may see it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The number grouped as people of its country read it: `+1 202 555 0143`.
    pub fn readable(&self) -> String {
        match self.0.strip_prefix("+1") {
            Some(us) if us.len() == 10 => format!("+1 {} {} {}", &us[..3], &us[3..6], &us[6..]),
            _ => self.0.clone(),
        }
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = NotAPhoneNumber;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> String {
        number.0
    }
}

impl std::fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.0.len().saturating_sub(4).max(1);
        let head = usize::from(self.0.starts_with('+')) * 2;
        let masked = |(at, c)| if at < head || at >= shown { c } else { '•' };
        f.write_str(&self.0.chars().enumerate().map(masked).collect::<String>())
    }
}

impl std::fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in ["+12025550143", "+1 (202) 555-0143", " +1.202.555.0143 "] {
            assert_eq!(PhoneNumber::parse(text).map(|n| n.expose().to_owned()), Ok("+12025550143".to_owned()));
        }
        assert!(PhoneNumber::parse("55501").is_ok(), "a short code");
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in ["", "+", "2025550143", "+0123456789", "+1202555014x", "12", "+1234567890123456", "1+2025550143", "+１２０２５５５"]
        {
            assert_eq!(PhoneNumber::parse(text), Err(NotAPhoneNumber), "{text}");
        }
    }

    #[test]
    fn a_number_prints_masked() {
        let number = PhoneNumber::parse("+12025550143").expect("valid");
        assert_eq!(number.to_string(), "+1••••••0143");
        assert!(!format!("{number:?}").contains("202555"));
        assert_eq!(number.readable(), "+1 202 555 0143");
    }
}
