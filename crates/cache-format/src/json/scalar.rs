//! Reading the scalars of JSON: strings, whole numbers, booleans, and objects of strings.
//!
//! Null means absent. A number is never rounded: one that does not fit is an error that quotes it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    self, Deserialize as _, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor,
};

/// Reads a string; `None` for null.
pub(crate) fn text<'de, D: Deserializer<'de>>(
    value: D,
    name: &'static str,
) -> Result<Option<Cow<'de, str>>, D::Error> {
    value.deserialize_any(TextVisitor(name))
}

/// Reads a string; null is the empty one.
pub(crate) fn string<'de, D: Deserializer<'de>>(value: D, name: &'static str) -> Result<String, D::Error> {
    Ok(text(value, name)?.map(Cow::into_owned).unwrap_or_default())
}

/// Reads a string and parses it; `None` for null.
pub(crate) fn parsed<'de, D: Deserializer<'de>, T, E: fmt::Display>(
    value: D,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, D::Error> {
    let Some(text) = text(value, name)? else { return Ok(None) };
    parse(&text).map(Some).map_err(|error| {
        let message = error.to_string();
        let named = message.starts_with(name);
        if named { D::Error::custom(message) } else { D::Error::custom(format_args!("{name}: {message}")) }
    })
}

/// Reads a whole number; `None` for null.
pub(crate) fn number<'de, D, T>(value: D, name: &'static str) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let Some(number) = value.deserialize_any(NumberVisitor(name))? else { return Ok(None) };
    match T::try_from(number) {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(out_of_range(name, number)),
    }
}

/// Reads a boolean; `None` for null.
pub(crate) fn boolean<'de, D: Deserializer<'de>>(
    value: D,
    name: &'static str,
) -> Result<Option<bool>, D::Error> {
    value.deserialize_any(BooleanVisitor(name))
}

/// Keys and values, borrowed from the input unless they have escapes.
pub(crate) type StringMap<'de> = Vec<(Cow<'de, str>, Cow<'de, str>)>;

/// Reads an object of strings under any keys, in their order. Null is the empty object, and as a value the empty string.
pub(crate) fn string_map<'de, D: Deserializer<'de>>(
    value: D,
    name: &'static str,
) -> Result<StringMap<'de>, D::Error> {
    value.deserialize_any(StringMapVisitor(name))
}

/// Skips a value. False for null.
pub(crate) fn skip<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Option::<IgnoredAny>::deserialize(value).map(|skipped| skipped.is_some())
}

fn out_of_range<E: de::Error>(name: &str, number: impl fmt::Display) -> E {
    E::custom(format_args!("{name} {number} is out of range"))
}

struct TextVisitor(&'static str);

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string as {}", self.0)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }
}

struct NumberVisitor(&'static str);

impl Visitor<'_> for NumberVisitor {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number as {}", self.0)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
        i64::try_from(number).map(Some).map_err(|_| out_of_range(self.0, number))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
        // The parser hands over `-0`, and whole numbers beyond 64 bits, as floating point.
        if number == 0.0 && number.is_sign_negative() {
            Ok(Some(0))
        } else if number.abs() >= 9.0e18 {
            Err(out_of_range(self.0, format_args!("{number:e}")))
        } else {
            Err(E::invalid_type(de::Unexpected::Float(number), &self))
        }
    }
}

struct BooleanVisitor(&'static str);

impl Visitor<'_> for BooleanVisitor {
    type Value = Option<bool>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "true or false as {}", self.0)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value))
    }
}

struct StringMapVisitor(&'static str);

impl<'de> Visitor<'de> for StringMapVisitor {
    type Value = StringMap<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of strings as {}", self.0)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(key) = map.next_key_seed(TextSeed(self.0))? {
            let value = map.next_value_seed(TextSeed(self.0))?;
            found.push((key.unwrap_or_default(), value.unwrap_or_default()));
        }
        Ok(found)
    }
}

struct TextSeed(&'static str);

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Option<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Self::Value, D::Error> {
        text(value, self.0)
    }
}
