//! Pages: a list is read by a keyset cursor, never by number, so that page one thousand costs what page one costs.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Rows and, when more follow, the cursor of the next page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows of this page, in order.
    pub rows: Vec<T>,
    /// Hand this back to read on; `None` on the last page.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Makes a page of `limit` from the `limit + 1` rows that were read; `key` is the sort key of a row.
    pub fn of<K: Serialize>(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| Cursor::at(&key(row)));
        Self { rows, next }
    }

    /// The same page with other rows.
    pub fn map<U>(self, with: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(with).collect(), next: self.next }
    }
}

/// The sort key of the last row seen, as text that can stand in a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

impl Cursor {
    /// The cursor behind a row with this sort key.
    pub fn at(key: &impl Serialize) -> Self {
        let json = serde_json::to_string(key).unwrap_or_default();
        Self(json.bytes().map(|b| format!("{b:02x}")).collect())
    }

    /// The sort key; `None` for text that is no cursor of this list, which then starts at its beginning.
    pub fn key<K: DeserializeOwned>(&self) -> Option<K> {
        let hex = self.0.as_bytes();
        if !hex.len().is_multiple_of(2) || hex.len() > 2_000 {
            return None;
        }
        let bytes: Option<Vec<u8>> = hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
        serde_json::from_slice(&bytes?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_the_key_it_was_made_of() {
        let cursor = Cursor::at(&("Müller & Söhne", 7));
        assert_eq!(cursor.key::<(String, i64)>(), Some(("Müller & Söhne".to_owned(), 7)));
        assert_eq!(Cursor("zz".into()).key::<(String, i64)>(), None);
        assert_eq!(Cursor("é1".into()).key::<i64>(), None);
    }

    #[test]
    fn the_last_page_has_no_next() {
        assert!(Page::of(vec![1, 2], 2, |n| *n).next.is_none());
        assert_eq!(Page::of(vec![1, 2, 3], 2, |n| *n).next.and_then(|c| c.key::<i32>()), Some(2));
    }
}
