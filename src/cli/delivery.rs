//! A delivery in a file, in any of the forms in which people come by one.

use std::io::{self, Read as _};
use std::path::Path;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Error;
use crate::webhook::{delivery_id, is_event_name, payload_of};

/// What stands for standard input.
const STDIN: &str = "-";

/// A delivery as GitHub sends it, and the bytes of its body to the last one: they are what is signed.
pub(super) struct Delivery(pub(super) Request<Bytes>);

impl Delivery {
    /// Reads a delivery: the payload alone (as JSON or as a form), what Lambda hands to a function (by a Function URL, an
    /// API Gateway or a load balancer), or what GitHub's API says of a delivery
    /// (`GET /repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{id}`). `event` names the event where the file does not.
    ///
    /// # Errors
    /// Where the file can't be read, is no JSON, or does not tell which event it is.
    pub(super) fn read(path: &Path, event: Option<&str>) -> Result<Self, Error> {
        let is_stdin = path == Path::new(STDIN);
        let path = if is_stdin { Path::new("standard input") } else { path };
        let unreadable = |cause| Error::Read { path: path.to_owned(), cause };
        let bytes = if is_stdin {
            let mut bytes = Vec::new();
            io::stdin().read_to_end(&mut bytes).map(|_| bytes).map_err(unreadable)?
        } else {
            std::fs::read(path).map_err(unreadable)?
        };
        Self::parse(bytes, event).map_err(|problem| Error::Delivery { path: path.to_owned(), problem })
    }

    /// GitHub's id of it, where it has one.
    pub(super) fn id(&self) -> String {
        delivery_id(self.0.headers())
    }

    fn parse(bytes: Vec<u8>, event: Option<&str>) -> Result<Self, String> {
        // Some editors and shells put a byte order mark in front.
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).map(<[u8]>::to_vec).unwrap_or(bytes);
        let (mut request, named) = if bytes.starts_with(FORM) {
            (of_form(bytes), None)
        } else {
            let json: Value = serde_json::from_slice(&bytes).map_err(|error| format!("it is no JSON: {error}"))?;
            not_for_the_worker(&json)?;
            if json["requestContext"].is_object() {
                (of_lambda(&bytes)?, None)
            } else if json["request"]["payload"].is_object() {
                (of_github(&bytes, &json["request"])?, json["event"].as_str().map(str::to_owned))
            } else {
                (Request::new(Bytes::from(bytes)), None)
            }
        };
        request.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        let header = request.headers().contains_key(EVENT);
        let guessed = if header { None } else { named.or_else(|| guess(&request).map(str::to_owned)) };
        if let Some(event) = event.map(str::to_owned).or(guessed) {
            let value = HeaderValue::from_str(&event).ok().filter(|_| is_event_name(&event));
            let value = value.ok_or_else(|| format!("{event:?} is no name of an event"))?;
            request.headers_mut().insert(EVENT, value);
        }
        if !request.headers().contains_key(EVENT) {
            return Err("it does not say which event it is; --event names it, as in --event push".to_owned());
        }
        Ok(Self(request))
    }
}

/// How a body begins that GitHub sends as a form.
const FORM: &[u8] = b"payload=";

/// The header that names the event.
const EVENT: HeaderName = HeaderName::from_static("x-github-event");

/// The event that a payload is of, by what only this event's payload has.
fn guess(request: &Request<Bytes>) -> Option<&'static str> {
    let payload = payload_of(request.headers(), request.body()).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    let has = |key: &str| !payload[key].is_null();
    match () {
        () if has("pull_request") && has("number") => Some("pull_request"),
        () if has("check_run") => Some("check_run"),
        () if has("check_suite") => Some("check_suite"),
        () if has("ref") && has("after") => Some("push"),
        () if has("zen") => Some("ping"),
        () => None,
    }
}

/// The worker's events look as if they were deliveries to somebody who searches for a lost push.
fn not_for_the_worker(json: &Value) -> Result<(), String> {
    let what = match json {
        _ if json["Records"].is_array() => "a batch of the queue's messages",
        _ if json["detail-type"].is_string() => "an event of EventBridge's",
        _ if json["job"].is_string() => "a message of the queue",
        _ => return Ok(()),
    };
    Err(format!("it is {what}, which the worker gets, and no delivery of GitHub's"))
}

fn of_form(body: Vec<u8>) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(body));
    let form = HeaderValue::from_static("application/x-www-form-urlencoded");
    request.headers_mut().insert(CONTENT_TYPE, form);
    request
}

fn of_lambda(event: &[u8]) -> Result<Request<Bytes>, String> {
    let text = std::str::from_utf8(event).map_err(|error| error.to_string())?;
    let request = lambda_http::request::from_str(text).map_err(|error| format!("no event of a function's: {error}"))?;
    let (parts, body) = request.into_parts();
    let mut delivery = Request::new(Bytes::copy_from_slice(&body));
    *delivery.headers_mut() = parts.headers;
    Ok(delivery)
}

/// What GitHub's API tells of a delivery, with the payload as it stands there: the same push is known by its bytes, and a key
/// in another place makes others of them.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    request: ToldRequest<'a>,
}

#[derive(Deserialize)]
struct ToldRequest<'a> {
    #[serde(borrow)]
    payload: &'a RawValue,
}

fn of_github(told: &[u8], request: &Value) -> Result<Request<Bytes>, String> {
    let told: Told<'_> = serde_json::from_slice(told).map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::new();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        let wrong = || format!("the header {name} is none that HTTP takes");
        let value = value.as_str().ok_or_else(wrong)?;
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        headers.insert(name, HeaderValue::from_str(value).map_err(|_| wrong())?);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut delivery = Request::new(Bytes::copy_from_slice(told.request.payload.get().as_bytes()));
    *delivery.headers_mut() = headers;
    Ok(delivery)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_githubs_api_tells_is_sent_as_it_stands_there() {
        let payload =
            r#"{"ref":"refs/heads/main","after":"a1","before":"b2","pusher":{"name":"octocat","email":null}}"#;
        let told = format!(
            r#"{{"id":2,"guid":"0b989ba4","event":"push","request":{{"headers":{{"X-GitHub-Event":"push"}},"payload":{payload}}}}}"#
        );
        let delivery = Delivery::parse(told.into_bytes(), None).unwrap();
        assert_eq!(delivery.0.body(), payload.as_bytes());
    }
}
