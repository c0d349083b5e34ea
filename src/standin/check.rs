//! Checks a request against its operation's shape: members, types, lengths, patterns, enums.
//!
//! The shapes repeat what the public service models say, cut down to what requests can hold.

use serde_json::Value;

use super::wire::AwsError;

/// What a value of a request must look like.
pub(crate) enum Shape {
    Text {
        min: usize,
        max: usize,
        pattern: Pattern,
    },
    OneOf(&'static [&'static str]),
    Integer {
        min: i64,
        max: i64,
    },
    /// Seconds since the epoch, with or without a fraction.
    Moment,
    Flag,
    List {
        min: usize,
        max: usize,
        of: &'static Shape,
    },
    Map {
        key: &'static Shape,
        value: &'static Shape,
    },
    Members(&'static [Member]),
}

/// A member of a structure.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: &'static Shape,
}

pub(crate) const fn must(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, required: true, shape }
}

pub(crate) const fn may(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, required: false, shape }
}

/// A pattern of the service models: which characters a text is made of, or that it is a UUID.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pattern {
    Any,
    /// ASCII letters, digits, and these.
    AlphanumericAnd(&'static str),
    /// Any characters but these.
    NoneOf(&'static str),
    /// `.*`, which no line break matches.
    OneLine,
    Uuid,
}

impl Pattern {
    fn fits(self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::AlphanumericAnd(more) => text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c)),
            Self::NoneOf(not) => !text.contains(|c| not.contains(c)),
            Self::OneLine => !text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']),
            Self::Uuid => {
                text.len() == 36
                    && text.char_indices().all(|(at, c)| match at {
                        8 | 13 | 18 | 23 => c == '-',
                        _ => c.is_ascii_digit() || ('a'..='f').contains(&c),
                    })
            }
        }
    }
}

/// Any text.
pub(crate) static TEXT: Shape = Shape::Text { min: 0, max: usize::MAX, pattern: Pattern::Any };
/// A timestamp.
pub(crate) static MOMENT: Shape = Shape::Moment;
/// A yes or no.
pub(crate) static FLAG: Shape = Shape::Flag;

/// Checks a request's body against the members of its input.
///
/// # Errors
/// `SerializationException` for a wrong type or an unknown member, `ValidationException` for a broken constraint.
pub(crate) fn check(members: &'static [Member], body: &Value) -> Result<(), AwsError> {
    structure(members, body, "")
}

fn structure(members: &'static [Member], value: &Value, path: &str) -> Result<(), AwsError> {
    let object = value.as_object().ok_or_else(|| wrong_type(path, "an object", value))?;
    if let Some(unknown) = object.keys().find(|key| !members.iter().any(|member| member.name == key.as_str())) {
        return Err(AwsError::new("SerializationException", format!("Unknown member '{}'", join(path, unknown))));
    }
    for member in members {
        let path = join(path, member.name);
        match object.get(member.name) {
            // The services read a null as an absent member.
            None | Some(Value::Null) if member.required => {
                return Err(constraint("null", &path, "Member must not be null"));
            }
            None | Some(Value::Null) => {}
            Some(value) => one(member.shape, value, &path)?,
        }
    }
    Ok(())
}

fn one(shape: &'static Shape, value: &Value, path: &str) -> Result<(), AwsError> {
    match shape {
        Shape::Text { min, max, pattern } => {
            let text = value.as_str().ok_or_else(|| wrong_type(path, "a string", value))?;
            let length = text.chars().count();
            if length < *min {
                let rule = format!("Member must have length greater than or equal to {min}");
                return Err(constraint(text, path, &rule));
            }
            if length > *max {
                let rule = format!("Member must have length less than or equal to {max}");
                return Err(constraint(text, path, &rule));
            }
            if !pattern.fits(text) {
                let rule = format!("Member must satisfy regular expression pattern: {pattern:?}");
                return Err(constraint(text, path, &rule));
            }
        }
        Shape::OneOf(values) => {
            let text = value.as_str().ok_or_else(|| wrong_type(path, "a string", value))?;
            if !values.contains(&text) {
                let rule = format!("Member must satisfy enum value set: [{}]", values.join(", "));
                return Err(constraint(text, path, &rule));
            }
        }
        Shape::Integer { min, max } => {
            let number = value.as_i64().ok_or_else(|| wrong_type(path, "an integer", value))?;
            if number < *min || number > *max {
                let rule = format!("Member must have value between {min} and {max}");
                return Err(constraint(&number.to_string(), path, &rule));
            }
        }
        Shape::Moment => {
            value.as_f64().ok_or_else(|| wrong_type(path, "a number", value))?;
        }
        Shape::Flag => {
            value.as_bool().ok_or_else(|| wrong_type(path, "a boolean", value))?;
        }
        Shape::List { min, max, of } => {
            let items = value.as_array().ok_or_else(|| wrong_type(path, "a list", value))?;
            if items.len() < *min || items.len() > *max {
                let rule = format!("Member must have length between {min} and {max}");
                return Err(constraint(&format!("{} items", items.len()), path, &rule));
            }
            for (at, item) in items.iter().enumerate() {
                one(of, item, &format!("{path}.{}.member", at + 1))?;
            }
        }
        Shape::Map { key, value: of } => {
            let entries = value.as_object().ok_or_else(|| wrong_type(path, "an object", value))?;
            for (name, item) in entries {
                one(key, &Value::String(name.clone()), path)?;
                one(of, item, &join(path, name))?;
            }
        }
        Shape::Members(members) => structure(members, value, path)?,
    }
    Ok(())
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn wrong_type(path: &str, wanted: &str, value: &Value) -> AwsError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let place = if path.is_empty() { "the body" } else { path };
    AwsError::new("SerializationException", format!("{place} must be {wanted}, not {found}"))
}

fn constraint(value: &str, path: &str, rule: &str) -> AwsError {
    AwsError::validation(format!(
        "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {rule}"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static NAME: Shape = Shape::Text { min: 1, max: 5, pattern: Pattern::AlphanumericAnd(".@-_") };
    static ID: Shape = Shape::Text { min: 0, max: 100, pattern: Pattern::Uuid };
    static LINE: Shape = Shape::Text { min: 1, max: 9, pattern: Pattern::OneLine };
    static MODE: Shape = Shape::OneOf(&["ON", "OFF"]);
    static COUNT: Shape = Shape::Integer { min: 1, max: 100 };
    static ITEM: Shape = Shape::Members(&[must("line", &LINE)]);
    static ITEMS: Shape = Shape::List { min: 1, max: 2, of: &ITEM };
    static INPUT: &[Member] = &[
        must("name", &NAME),
        may("id", &ID),
        may("mode", &MODE),
        may("count", &COUNT),
        may("items", &ITEMS),
        may("flag", &FLAG),
    ];

    fn refused(body: &Value) -> (&'static str, String) {
        let error = check(INPUT, body).unwrap_err();
        (error.code, error.message)
    }

    #[test]
    fn a_request_that_keeps_every_rule_passes() {
        let body = json!({"name": "a.b-1", "id": "12345678-1234-5678-abcd-12345678abcd", "mode": "ON", "count": 100,
            "items": [{"line": "x"}], "flag": false});
        assert_eq!(check(INPUT, &body), Ok(()));
        assert_eq!(check(INPUT, &json!({"name": "a", "id": null})), Ok(()), "null is the same as absent");
    }

    #[test]
    fn every_broken_rule_is_named_with_its_place() {
        for (body, code, place) in [
            (json!([]), "SerializationException", "the body"),
            (json!({"name": "a", "nam": 1}), "SerializationException", "'nam'"),
            (json!({}), "ValidationException", "'name'"),
            (json!({"name": 1}), "SerializationException", "name must be a string"),
            (json!({"name": ""}), "ValidationException", "'name'"),
            (json!({"name": "abcdef"}), "ValidationException", "'name'"),
            (json!({"name": "a b"}), "ValidationException", "'name'"),
            (json!({"name": "a", "id": "12345678-1234-5678-ABCD-12345678abcd"}), "ValidationException", "'id'"),
            (json!({"name": "a", "mode": "on"}), "ValidationException", "'mode'"),
            (json!({"name": "a", "count": 0}), "ValidationException", "'count'"),
            (json!({"name": "a", "count": 1.5}), "SerializationException", "count"),
            (json!({"name": "a", "items": []}), "ValidationException", "'items'"),
            (json!({"name": "a", "items": [{"line": "a\nb"}]}), "ValidationException", "items.1.member.line"),
            (json!({"name": "a", "items": [{"line": "a", "x": 1}]}), "SerializationException", "items.1.member.x"),
            (json!({"name": "a", "flag": "true"}), "SerializationException", "flag"),
        ] {
            let (found, message) = refused(&body);
            assert_eq!(found, code, "{body}: {message}");
            assert!(message.contains(place), "{body}: {message}");
        }
    }
}
