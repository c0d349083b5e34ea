//! Requests as the newer endpoints read them: each member is held against a schema, and the answer says what is wrong.
//!
//! A member that the schema does not know is refused here, where GitHub may ignore it: it is a mistake of the client's.

use serde_json::{Map, Value};

use super::operations::refuse;
use crate::standin::wire::Reply;

/// A refusal in the place of what was read.
pub(super) type Read<T> = Result<T, Box<Reply>>;

/// A 422 in the words of GitHub's schema checks.
pub(super) fn invalid_request(why: &str) -> Box<Reply> {
    Box::new(refuse(422, &format!("Invalid request.\n\n{why}")))
}

/// An object of a request.
pub(super) struct Fields<'a>(&'a Map<String, Value>);

/// A body that must be a JSON object; an empty one is an empty object.
pub(super) fn body(bytes: &[u8]) -> Read<Map<String, Value>> {
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Box::new(refuse(400, "Body should be a JSON object"))),
        Err(_) => Err(Box::new(refuse(400, "Problems parsing JSON"))),
    }
}

impl<'a> Fields<'a> {
    /// Takes an object that has no other members than these.
    pub(super) fn new(object: &'a Map<String, Value>, known: &[&str]) -> Read<Self> {
        match object.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(invalid_request(&format!("\"{name}\" is not a permitted key."))),
            None => Ok(Self(object)),
        }
    }

    /// As [`Self::new`], for a member of another object or an item of a list.
    pub(super) fn of(value: &'a Value, known: &[&str]) -> Read<Self> {
        let object = value.as_object().ok_or_else(|| invalid_request(&format!("{value} is not an object.")))?;
        Self::new(object, known)
    }

    /// A member that is there; null is as good as left out.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn required<T>(name: &str, value: Option<T>) -> Read<T> {
        value.ok_or_else(|| invalid_request(&format!("\"{name}\" wasn't supplied.")))
    }

    fn wrong<T>(name: &str, value: &Value, kind: &str) -> Read<T> {
        Err(invalid_request(&format!("For 'properties/{name}', {value} is not {kind}.")))
    }

    pub(super) fn text(&self, name: &str) -> Read<Option<String>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Self::wrong(name, other, "a string"),
        }
    }

    /// A text of at most so many characters.
    pub(super) fn short_text(&self, name: &str, limit: usize) -> Read<Option<String>> {
        let text = self.text(name)?;
        match text.as_ref().map(|text| text.chars().count()) {
            Some(length) if length > limit => {
                let why = format!("Only {limit} characters are allowed; {length} were supplied.");
                Err(invalid_request(&why))
            }
            _ => Ok(text),
        }
    }

    /// A text that says something.
    pub(super) fn required_text(&self, name: &str, limit: usize) -> Read<String> {
        Self::required(name, self.short_text(name, limit)?.filter(|text| !text.is_empty()))
    }

    pub(super) fn one_of(&self, name: &str, allowed: &'static [&'static str]) -> Read<Option<&'static str>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match allowed.iter().find(|known| **known == text) {
            Some(known) => Ok(Some(known)),
            None => Self::wrong(name, &Value::String(text), &format!("a member of {allowed:?}")),
        }
    }

    pub(super) fn number(&self, name: &str) -> Read<Option<u64>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number) => Ok(Some(number)),
                None => Self::wrong(name, value, "an integer"),
            },
        }
    }

    pub(super) fn flag(&self, name: &str) -> Read<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Self::wrong(name, other, "a boolean"),
        }
    }

    /// A list of at most so many items.
    pub(super) fn list(&self, name: &str, limit: usize) -> Read<Option<&'a [Value]>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) if items.len() > limit => {
                let why = format!("No more than {limit} items are allowed; {} were supplied.", items.len());
                Err(invalid_request(&why))
            }
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(other) => Self::wrong(name, other, "an array"),
        }
    }

    pub(super) fn texts(&self, name: &str) -> Read<Option<Vec<&'a str>>> {
        let Some(items) = self.list(name, usize::MAX)? else { return Ok(None) };
        let texts = items.iter().map(|item| item.as_str().map_or_else(|| Self::wrong(name, item, "a string"), Ok));
        texts.collect::<Read<_>>().map(Some)
    }

    /// An address on the web.
    pub(super) fn url(&self, name: &str) -> Read<Option<String>> {
        let url = self.text(name)?;
        let is_web = |url: &String| url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
        match &url {
            Some(wrong) if !is_web(wrong) => Err(invalid_request(&format!("{name} must use http(s) scheme"))),
            _ => Ok(url),
        }
    }

    /// A moment like `2026-01-24T22:03:44Z`.
    pub(super) fn moment(&self, name: &str) -> Read<Option<String>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let form = "0000-00-00T00:00:00Z";
        let fits = |(c, form): (char, char)| if form == '0' { c.is_ascii_digit() } else { c == form };
        if text.len() == form.len() && text.chars().zip(form.chars()).all(fits) {
            Ok(Some(text))
        } else {
            Self::wrong(name, &Value::String(text), "a date-time")
        }
    }
}
