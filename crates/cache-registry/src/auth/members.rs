//! Members of JSON objects, found as Go finds them: in any case of letters, with `null` and empty texts as absent.
//!
//! Nothing is parsed here.

use serde_json::{Map, Value};

/// A member of an object. The exact name precedes others.
pub(super) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    let other = || members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    members.get(name).or_else(other).filter(|value| !value.is_null())
}

/// A member that is an object.
pub(super) fn object<'v>(value: &'v Value, name: &str) -> Option<&'v Map<String, Value>> {
    member(value, name)?.as_object()
}

/// A member that is a text, unless that is empty.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    member(value, name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_and_empty_members_are_absent_and_the_exact_name_comes_first() {
        let value =
            json!({"Auth": "other", "auth": "exact", "USERNAME": "me", "none": null, "empty": "", "n": 7});
        assert_eq!((text(&value, "auth"), text(&value, "username")), (Some("exact"), Some("me")));
        for name in ["none", "empty", "n", "absent"] {
            assert_eq!(text(&value, name), None, "{name}");
        }
        assert!(member(&json!([1]), "auth").is_none() && object(&value, "auth").is_none());
    }
}
