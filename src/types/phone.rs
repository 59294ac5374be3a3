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

    /// The number grouped so that it can be read: the country code apart, then three digits at a time, or four at the end:
    /// `+1 202 555 0143`, `+44 207 946 0958`. How each country groups its own is not known here. A short code stays as it is.
    pub fn readable(&self) -> String {
        let Some(digits) = self.0.strip_prefix('+') else { return self.0.clone() };
        let (country, mut rest) = digits.split_at(country_digits(digits));
        let mut grouped = format!("+{country}");
        while !rest.is_empty() {
            let (group, behind) = rest.split_at(group_digits(rest.len()));
            grouped.push(' ');
            grouped.push_str(group);
            rest = behind;
        }
        grouped
    }
}

/// Of how many digits the country code is (ITU-T E.164, list of assigned country codes).
fn country_digits(digits: &str) -> usize {
    match digits.as_bytes() {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    }
}

/// How many digits the next group has, of so many that are left: none stands alone.
fn group_digits(left: usize) -> usize {
    match left {
        0..=4 => left,
        5 => 2,
        8 => 4,
        _ => 3,
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
    }

    #[test]
    fn a_number_of_any_country_is_grouped_to_be_read_and_reads_back() {
        let numbers = [
            ("+12025550143", "+1 202 555 0143"),
            ("+79161234567", "+7 916 123 4567"),
            ("+442079460958", "+44 207 946 0958"),
            ("+33123456789", "+33 123 456 789"),
            ("+4930123456", "+49 3012 3456"),
            ("+493012345678", "+49 301 234 5678"),
            ("+4915112345678", "+49 151 1234 5678"),
            ("+420601123456", "+420 601 123 456"),
            ("+35312345678", "+353 1234 5678"),
            ("+97225551234", "+972 2555 1234"),
            ("+29012345", "+290 12 345"),
            ("+6421555123", "+64 2155 5123"),
            ("+3541234567", "+354 123 4567"),
            ("+2901234", "+290 1234"),
            ("55501", "55501"),
        ];
        for (number, readable) in numbers {
            let number = PhoneNumber::parse(number).expect(number);
            assert_eq!(number.readable(), readable);
            assert_eq!(PhoneNumber::parse(readable), Ok(number));
        }
    }

    #[test]
    fn country_codes_are_as_long_as_they_are() {
        let longest = |digits: usize| (0..100).filter(|code| country_digits(&format!("{code:02}55555")) == digits).count();
        // 20 codes begin with 1 or 7; those of two digits are 44.
        assert_eq!([longest(1), longest(2)], [20, 44]);
    }
}
