//! What the stories about AWS are told with: requests on the wire, and what becomes of the journal.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use super::World;
use crate::domain::time::Timestamp;

/// A world whose journal is left for the check against the services' own models when its story is over.
pub(super) struct Told(pub(super) World);

impl Deref for Told {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl DerefMut for Told {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let Some(folder) = std::env::var_os("PIPEHOOK_STANDIN_JOURNALS") else {
            return;
        };
        let folder = std::path::PathBuf::from(folder);
        let name = format!("{}-{}.jsonl", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let journal = self.0.journal_json_lines();
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), journal)).unwrap();
    }
}

fn signed(content_type: &str) -> http::request::Builder {
    Request::post("http://127.0.0.1:4566/")
        .header("host", "127.0.0.1:4566")
        .header("content-type", content_type)
        .header("authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20260124/us-east-1/x/aws4_request")
}

/// A request of one of AWS's JSON protocols.
pub(super) fn aws(target: &str, body: &Value) -> Request<Bytes> {
    let version = if target.starts_with("AmazonSQS") { "1.0" } else { "1.1" };
    let request = signed(&format!("application/x-amz-json-{version}")).header("x-amz-target", target);
    request.body(Bytes::from(body.to_string())).unwrap()
}

/// A request of AWS's query protocols.
pub(super) fn form(version: &str, action: &str, fields: &[(&str, &str)]) -> Request<Bytes> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", action).append_pair("Version", version).extend_pairs(fields);
    signed("application/x-www-form-urlencoded").body(Bytes::from(form.finish())).unwrap()
}

pub(super) fn respond(world: &mut World, now: Timestamp, request: &Request<Bytes>) -> Response<Bytes> {
    world.handle(now, request).response().unwrap()
}

/// The status and the JSON of an answer.
pub(super) fn read(response: &Response<Bytes>) -> (u16, Value) {
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
}

/// What an operation answers, or the code of its error.
pub(super) fn ask(world: &mut World, now: Timestamp, target: &str, body: &Value) -> Result<Value, String> {
    match read(&respond(world, now, &aws(target, body))) {
        (200, answer) => Ok(answer),
        (_, error) => Err(error["__type"].as_str().unwrap_or_default().to_owned()),
    }
}
