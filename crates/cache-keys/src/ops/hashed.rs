//! The value whose JSON text is hashed for a key: objects with their members in a fixed order.
//!
//! It is only written, as Go writes it, and never read. Its depth is that of the types that make it.

use cache_model::json;
use data_encoding::BASE64;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    Number(i128),
    Text(String),
    List(Vec<Value>),
    Object(Object),
    /// `NAME=value` texts: a list whose fields are named.
    Env(Vec<String>),
    /// The base64 text of the JSON text of a value.
    Encoded(Box<Value>),
}

/// An object. Members come in the order in which they are added.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object(Vec<(&'static str, Value)>);

impl Value {
    /// The position of an input or output as protocol buffers have it: -1 for none.
    pub(crate) fn index(position: Option<usize>) -> Self {
        Self::Number(position.map_or(-1, |position| position as i128))
    }

    pub(crate) fn list<T>(items: impl IntoIterator<Item = T>) -> Self
    where
        T: Into<Self>,
    {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        self.flatten(String::new(), &mut fields);
        fields
    }

    fn is_zero(&self) -> bool {
        match self {
            Self::Bool(value) => !value,
            Self::Number(value) => *value == 0,
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Env(items) => items.is_empty(),
            Self::Object(_) | Self::Encoded(_) => false,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::Number(value) => json::push_number(*value, out),
            Self::Text(text) => json::push_string(text, out),
            Self::List(items) => json::push_list(items, out, Self::write),
            Self::Env(items) => json::push_list(items, out, |item, out| json::push_string(item, out)),
            Self::Encoded(value) => json::push_string(&BASE64.encode(&value.json()), out),
            Self::Object(Object(members)) => {
                let mut object = json::Object::open(out);
                for (name, value) in members {
                    value.write(object.plain_key(name));
                }
                object.close();
            }
        }
    }

    fn flatten(&self, path: String, fields: &mut Vec<(String, String)>) {
        match self {
            Self::Bool(value) => fields.push((path, value.to_string())),
            Self::Number(value) => fields.push((path, value.to_string())),
            Self::Text(text) => fields.push((path, text.clone())),
            Self::Encoded(value) => value.flatten(path, fields),
            Self::Env(items) => {
                for item in items {
                    let (name, value) = item.split_once('=').unwrap_or((item, ""));
                    fields.push((format!("{path}.{name}"), value.to_owned()));
                }
            }
            Self::List(items) => {
                for (position, item) in items.iter().enumerate() {
                    item.flatten(format!("{path}[{position}]"), fields);
                }
            }
            Self::Object(Object(members)) if members.is_empty() => fields.push((path, "{}".to_owned())),
            Self::Object(Object(members)) => {
                for (name, value) in members {
                    let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
                    value.flatten(path, fields);
                }
            }
        }
    }
}

impl Object {
    /// Adds a member.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Adds a member unless it is zero, false or empty (Go's `omitempty`).
    pub(crate) fn with_set(self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if value.is_zero() { self } else { self.with(name, value) }
    }

    /// Adds a member if there is a value, which may be empty.
    pub(crate) fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}
