//! What the targets share: a receiver whose queue is in this process, and requests as texts.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::HeaderName;
use http::{HeaderValue, Method, Request, Uri};
use sha2::Sha256;

/// A configuration with something of everything that a push may be held against.
pub const CONFIG: &str = r#"
[[route]]
repository = "octo-org/node-server"
branches = ["main", "release/*", "feature/**"]
tags = ["v*"]
paths = ["src/**", "**.js", "README.md"]
paths_ignore = ["docs/**"]
pull_requests = { base = ["main"] }
pipeline = "node-server"
[route.variables]
GIT_BRANCH = "{branch}"
WHAT = "{tag} {short_sha} by {actor}: {message} ({delivery}, {ref}, {sha})"

[[route]]
repository = "octo-org/node-server"
pull_requests = true
pipeline = "node-server"

[[route]]
repository = "octo-org/node-server"
branches = ["**"]
paths = ["docs/**"]
pipeline = "docs"
source_action = ""
"#;

/// Two, as during a rotation.
pub const SECRETS: [&str; 2] = ["It's a Secret to Everybody", "the new one"];

/// SQS in this process: it keeps what it takes, and may be told to take nothing.
#[derive(Clone, Debug, Default)]
pub struct Sqs {
    taken: Arc<Mutex<Vec<String>>>,
    is_down: Arc<AtomicBool>,
}

impl Sqs {
    /// The bodies of the messages that it has taken since it was asked before.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.taken.lock().expect("nobody panics while they hold it"))
    }

    pub fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::Relaxed);
    }

    fn answer(&self, body: &[u8]) -> (u16, &'static str) {
        if self.is_down.load(Ordering::Relaxed) {
            return (500, r#"{"__type":"com.amazonaws.sqs#InternalError","message":"down"}"#);
        }
        let sent: serde_json::Value = serde_json::from_slice(body).expect("the SDK sends JSON");
        let message = sent["MessageBody"].as_str().expect("SendMessage has a body").to_owned();
        self.taken.lock().expect("nobody panics while they hold it").push(message);
        (200, r#"{"MessageId":"5fea7756-0ea4-451a-a703-a558b933e274"}"#)
    }

    /// A configuration of the SDK whose every call comes here, once.
    pub fn sdk_config(&self) -> SdkConfig {
        let credentials = Credentials::from_keys("AKIDEXAMPLE", "example", None);
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .http_client(SharedHttpClient::new(self.clone()))
            .build()
    }
}

impl HttpConnector for Sqs {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = self.answer(request.body().bytes().unwrap_or_default());
        let status = status.try_into().expect("it is a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

impl HttpClient for Sqs {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// GitHub's signature, by the published recipe.
pub fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// A delivery, read from a text: `METHOD PATH`, headers, an empty line, and the body.
///
/// A signature `right` or `new` stands for the one that GitHub would send with the first secret or the second, and a line
/// `queue: down` for a queue that takes nothing.
pub struct Delivery {
    pub request: Request<Bytes>,
    pub queue_is_down: bool,
}

impl Delivery {
    /// `None` for what no HTTP server would hand on.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let end = data.windows(2).position(|two| two == b"\n\n")?;
        let (head, body) = (&data[..end], Bytes::copy_from_slice(&data[end + 2..]));
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = lines.next()?;
        let blank = first.iter().position(|byte| *byte == b' ')?;
        let method = Method::from_bytes(&first[..blank]).ok()?;
        let uri = Uri::try_from(&first[blank + 1..]).ok()?;
        let mut request = Request::new(body);
        (*request.method_mut(), *request.uri_mut()) = (method, uri);
        let mut queue_is_down = false;
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
            match (name, value) {
                (b"queue", b"down") => queue_is_down = true,
                _ => {
                    let name = HeaderName::from_bytes(name).ok()?;
                    let value = match (name.as_str(), value) {
                        ("x-hub-signature-256", b"right") => sign(SECRETS[0], request.body()).into_bytes(),
                        ("x-hub-signature-256", b"new") => sign(SECRETS[1], request.body()).into_bytes(),
                        _ => value.to_vec(),
                    };
                    request.headers_mut().append(name, HeaderValue::from_bytes(&value).ok()?);
                }
            }
        }
        Some(Self { request, queue_is_down })
    }

    /// Whether it is signed as GitHub signs: once, with one of the secrets, over the body as it came.
    pub fn is_signed(&self) -> bool {
        let mut signatures = self.request.headers().get_all("x-hub-signature-256").iter();
        let (Some(signature), None) = (signatures.next(), signatures.next()) else { return false };
        SECRETS.iter().any(|secret| sign(secret, self.request.body()).as_bytes() == signature.as_bytes())
    }
}
