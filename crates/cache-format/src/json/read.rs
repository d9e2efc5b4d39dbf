//! Reading JSON as Go's `encoding/json` does, on top of `serde_json`.
//!
//! Null means absent, unknown members are skipped, a known member given twice is an error. Invalid UTF-8 and lone
//! surrogate escapes in strings become U+FFFD. Nothing here recurses on nested input, and nothing builds a tree.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::de::SliceRead;

use crate::json::sanitize::sanitize;
pub(crate) use crate::json::scalar::{boolean, number, parsed, skip, string, string_map, text};
use crate::{FormatError, FormatErrorKind};

/// The position of the reading in a document, for errors: an entry of a list, or a single member.
#[derive(Default)]
pub(crate) struct Place(Cell<Option<(&'static str, Option<usize>)>>);

impl Place {
    pub(crate) fn entry(&self, noun: &'static str, position: usize) {
        self.0.set(Some((noun, Some(position))));
    }

    pub(crate) fn member(&self, noun: &'static str) {
        self.0.set(Some((noun, None)));
    }

    pub(crate) fn clear(&self) {
        self.0.set(None);
    }

    fn text(&self) -> Option<String> {
        self.0.get().map(|(noun, position)| match position {
            Some(position) => format!("{noun} {position}"),
            None => noun.to_owned(),
        })
    }
}

/// The name of a document that is a line of a file.
pub(crate) const RECORD_LINE: &str = "record line";

/// Reads one document. `read` gets the deserializer, and the place to keep up to date.
///
/// A text that fails is read once more after [`sanitize`], if that changes anything. So clean texts never pay for it.
pub(crate) fn document<T>(
    name: &'static str,
    bytes: &[u8],
    read: impl for<'de> Fn(&mut serde_json::Deserializer<SliceRead<'de>>, &Place) -> serde_json::Result<T>,
) -> Result<T, FormatError> {
    let attempt = |bytes: &[u8]| {
        let place = Place::default();
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let value = read(&mut json, &place).map_err(|error| describe(name, &place, &error))?;
        place.clear();
        json.end().map_err(|error| describe(name, &place, &error))?;
        Ok(value)
    };
    attempt(bytes).or_else(|error| match sanitize(bytes) {
        Some(clean) => attempt(&clean),
        None => Err(error),
    })
}

fn describe(name: &'static str, place: &Place, error: &serde_json::Error) -> FormatError {
    let kind = if error.is_data() { FormatErrorKind::Invalid } else { FormatErrorKind::Syntax };
    let whole = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = match whole.strip_suffix(&position) {
        // Its reader counts the lines.
        Some(message) if name == RECORD_LINE => format!("{} (column {})", shortened(message), error.column()),
        Some(message) => format!("{} (line {}, column {})", shortened(message), error.line(), error.column()),
        None => shortened(&whole).into_owned(),
    };
    FormatError::new(kind, name, message).at(place.text())
}

/// A message that may quote the input. If it is too long for a line, its middle is left out.
fn shortened(message: &str) -> Cow<'_, str> {
    const HEAD: usize = 200;
    const TAIL: usize = 100;
    if message.len() <= 2 * (HEAD + TAIL) {
        return Cow::Borrowed(message);
    }
    let (head, _) = message.split_at(message.floor_char_boundary(HEAD));
    let (_, tail) = message.split_at(message.ceil_char_boundary(message.len() - TAIL));
    Cow::Owned(format!("{head} … {tail}"))
}

/// An object, read member by member into its implementor.
pub(crate) trait Object<'de> {
    /// The expected value, for the message about any other value.
    const WHAT: &'static str;
    /// The names of the known members, at most 32.
    const KEYS: &'static [&'static str];

    /// Whether an unknown member is an error.
    fn is_strict(&self) -> bool {
        false
    }

    /// Reads the value of the member `key`, one of [`Object::KEYS`]. Written by [`members`], with the keys.
    fn member<D: Deserializer<'de>>(&mut self, key: &'static str, value: D) -> Result<(), D::Error>;

    /// Called after each member that was read.
    fn end_member(&mut self) {}
}

/// Defines `KEYS` and `member` of an [`Object`] from one list of keys, so that no key lacks its reader.
///
/// `|self, value, key|` names the variables of the readers: expressions that may return early with `?`.
macro_rules! members {
    (|$this:ident, $value:ident, $key:ident| $($name:literal => $read:expr),+ $(,)?) => {
        const KEYS: &'static [&'static str] = &[$($name),+];

        fn member<D: serde::Deserializer<'de>>(
            &mut $this,
            $key: &'static str,
            $value: D,
        ) -> Result<(), D::Error> {
            match $key {
                $($name => $read,)+
                unknown => {
                    return Err(serde::de::Error::custom(format_args!("no reader for {unknown:?}")));
                }
            }
            Ok(())
        }
    };
}
pub(crate) use members;

/// A list, read item by item into its implementor.
pub(crate) trait List<'de> {
    /// The expected value, for the message about any other value.
    const WHAT: &'static str;

    /// Reads the next item.
    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error>;
}

/// Reads an object into `target`. False for null.
pub(crate) fn object<'de, D, T>(value: D, target: &mut T) -> Result<bool, D::Error>
where
    D: Deserializer<'de>,
    T: Object<'de>,
{
    value.deserialize_any(ObjectVisitor(target))
}

/// Reads a list into `target`; null is the empty list.
pub(crate) fn list<'de, D, T>(value: D, target: &mut T) -> Result<(), D::Error>
where
    D: Deserializer<'de>,
    T: List<'de>,
{
    value.deserialize_any(ListVisitor(target))
}

struct ObjectVisitor<'t, T>(&'t mut T);

impl<'de, T: Object<'de>> Visitor<'de> for ObjectVisitor<'_, T> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_unit<E: de::Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut seen = 0u32;
        let strict = self.0.is_strict();
        while let Some(key) = map.next_key_seed(Key { known: T::KEYS, strict })? {
            let Some((position, key)) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen & (1 << position) != 0 {
                return Err(A::Error::custom(format_args!("{key:?} is given twice")));
            }
            seen |= 1 << position;
            map.next_value_seed(Member { target: &mut *self.0, key })?;
        }
        Ok(true)
    }
}

/// Reads a key: its position among the known keys, and that key.
struct Key {
    known: &'static [&'static str],
    strict: bool,
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<(usize, &'static str)>;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<(usize, &'static str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let known = self.known.iter().enumerate().find(|(_, known)| **known == text);
        match known {
            Some((position, known)) => Ok(Some((position, known))),
            None if self.strict => {
                Err(E::custom(format_args!("unknown member {text:?}; known are {}", self.known.join(", "))))
            }
            None => Ok(None),
        }
    }
}

struct Member<'t, T> {
    target: &'t mut T,
    key: &'static str,
}

impl<'de, T: Object<'de>> DeserializeSeed<'de> for Member<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        self.target.member(self.key, value)?;
        self.target.end_member();
        Ok(())
    }
}

struct ListVisitor<'t, T>(&'t mut T);

impl<'de, T: List<'de>> Visitor<'de> for ListVisitor<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::WHAT)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Item(&mut *self.0))?.is_some() {}
        Ok(())
    }
}

struct Item<'t, T>(&'t mut T);

impl<'de, T: List<'de>> DeserializeSeed<'de> for Item<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        self.0.item(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_that_is_too_long_for_a_line_loses_its_middle() {
        let (head, tail) = ("h".repeat(200), "t".repeat(100));
        let fits = format!("{head}{}{tail}", "m".repeat(300));
        assert_eq!(shortened(&fits), fits);
        let too_long = format!("{head}{}{tail}", "m".repeat(301));
        assert_eq!(shortened(&too_long), format!("{head} … {tail}"));
    }
}
