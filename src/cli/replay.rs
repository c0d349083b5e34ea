//! `pipehook replay`: signs a delivery and sends it as GitHub would, and tells what the webhook makes of it.

use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use clap::Args;
use console::style;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use super::account::{AccountArguments, innermost};
use super::delivery::Delivery;
use super::secret::{SecretSource, SourceParser};
use super::webhook::address;
use crate::domain::template::one_line;
use crate::local::sign;
use crate::settings::Secret;

/// GitHub hangs up after 10 s (docs.github.com, "Best practices for using webhooks").
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the functions have the secret, too, when they run without AWS.
const SECRET_VARIABLE: &str = "PIPEHOOK_WEBHOOK_SECRET";

const FORM: &str = "application/x-www-form-urlencoded";

/// What `replay` is told.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipehook replay push.json --url http://127.0.0.1:4011/ --secret-from env:SECRET\n  \
                  pipehook replay push.json\n  pipehook replay push.json --form --event push --json\n  \
                  gh api repos/OWNER/NAME/hooks/1/deliveries/2 | pipehook replay -\n\n\
                  The same push starts its pipelines once, however often and under whichever id it is delivered. It is known by \
                  the bytes of its payload; those that GitHub's API shows may differ from those that were sent, so that \
                  `pipehook webhook redeliver` is surer.\n\
                  Exits with 0 where the webhook has accepted it, and with 1 where it has not."
)]
pub(super) struct Arguments {
    /// The delivery: GitHub's payload, what Lambda hands to a function, or what GitHub's API tells of a delivery; - for
    /// standard input
    #[arg(value_name = "EVENT.json")]
    delivery: PathBuf,
    /// The webhook's address; without it, the stack's
    #[arg(long, value_name = "URL", value_parser = address)]
    url: Option<String>,
    /// Where the secret is: env:NAME, file:PATH, ssm:NAME, or - for standard input; without it, PIPEHOOK_WEBHOOK_SECRET, or
    /// else where the stack has it
    #[arg(long, value_name = "SOURCE", value_parser = SourceParser)]
    secret_from: Option<SecretSource>,
    /// The event, where the delivery does not name it: push, pull_request, check_run, check_suite, ping
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// The id of the delivery; without it, the one that it has, or a new one
    #[arg(long = "delivery", value_name = "ID")]
    delivery_id: Option<String>,
    /// Send it as a form, as webhooks do whose content type was left as it is by default
    #[arg(long)]
    form: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountArguments,
}

/// What the webhook made of it.
#[derive(Debug, Serialize)]
struct Replayed {
    url: String,
    event: String,
    delivery: String,
    status_code: u16,
    accepted: bool,
    /// The whole answer: as JSON where it is that, or else as a text.
    answer: Value,
}

/// The answer to an accepted delivery.
#[derive(Deserialize)]
struct Accepted {
    decisions: Vec<Decision>,
}

#[derive(Deserialize)]
struct Decision {
    decision: String,
    #[serde(default)]
    pipeline: Option<String>,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default)]
    reason: String,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Error> {
        if self.secret_from == Some(SecretSource::Stdin) && self.delivery.as_os_str() == "-" {
            return Err(Error::StdinTwice);
        }
        let mut delivery = Delivery::read(&self.delivery, self.event.as_deref())?.0;
        if self.form {
            delivery = as_form(delivery);
        }
        let header = |name: &str| {
            let value = delivery.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (event, own_id) = (header("x-github-event"), header("x-github-delivery"));
        let id = self.delivery_id.clone().unwrap_or(own_id);
        let id = if id.is_empty() { new_id() } else { id };
        let (url, secret) = self.url_and_secret().await?;
        let request = Request::post(&url)
            .header(CONTENT_TYPE, header(CONTENT_TYPE.as_str()))
            .header("user-agent", concat!("GitHub-Hookshot/pipehook-", env!("CARGO_PKG_VERSION")))
            .header("accept", "*/*")
            .header("x-github-event", &event)
            .header("x-github-delivery", &id)
            .header("x-hub-signature-256", sign(secret.expose(), delivery.body()))
            .body(SdkBody::from(delivery.body().clone()));
        let request = request.map_err(|error| Error::Delivery {
            path: self.delivery.clone(),
            problem: format!("it can't be sent under the id \"{}\": {error}", one_line(&id)),
        })?;
        let (status, body) = post(&url, request).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        let replayed = Replayed {
            url,
            event,
            delivery: id,
            status_code: status.as_u16(),
            accepted: status.is_success(),
            answer: serde_json::from_slice(&body).unwrap_or(Value::String(text)),
        };
        let mut out = io::stdout().lock();
        let written = if self.json {
            let line = serde_json::to_string(&replayed).map_err(io::Error::from);
            line.and_then(|line| writeln!(out, "{line}"))
        } else {
            write!(out, "{replayed}")
        };
        written.map_err(Error::Output)?;
        if replayed.accepted {
            Ok(())
        } else {
            Err(Error::Rejected { answer: replayed.refusal(), mending: mending(status) })
        }
    }

    /// The account is only asked for what is not said here.
    async fn url_and_secret(&self) -> Result<(String, Secret), Error> {
        let of_the_environment = || {
            let is_set = std::env::var(SECRET_VARIABLE).is_ok_and(|secret| !secret.trim().is_empty());
            is_set.then(|| SecretSource::Env(SECRET_VARIABLE.to_owned()))
        };
        let source = self.secret_from.clone().or_else(of_the_environment);
        let needs_account = self.url.is_none() || source.as_ref().is_none_or(SecretSource::is_in_the_account);
        let account = if needs_account { Some(self.account.open().await?) } else { None };
        let url = match (&self.url, &account) {
            (Some(url), _) => url.clone(),
            (None, Some(account)) => account.webhook_url().await?,
            (None, None) => return Err(Error::NoRegion),
        };
        let source = match (source, &account) {
            (Some(source), _) => source,
            (None, Some(account)) => SecretSource::Ssm(account.webhook_secret_parameter()),
            (None, None) => return Err(Error::NoRegion),
        };
        Ok((url, source.read_first(account.as_ref()).await?.secret))
    }
}

/// The same delivery, as GitHub sends it to a webhook whose content type is `form`.
fn as_form(delivery: Request<bytes::Bytes>) -> Request<bytes::Bytes> {
    let is_form = delivery.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(FORM.as_bytes()));
    if is_form {
        return delivery;
    }
    let (mut parts, body) = delivery.into_parts();
    parts.headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(FORM));
    let payload = String::from_utf8_lossy(&body);
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload).finish();
    Request::from_parts(parts, form.into())
}

/// A random UUID, the form of GitHub's ids.
fn new_id() -> String {
    let hex = format!("{:032x}", fastrand::u128(..));
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

/// Sends a request, and gives whatever is answered.
///
/// # Errors
/// [`Error::Unreachable`].
pub(super) async fn post(url: &str, request: Request<SdkBody>) -> Result<(StatusCode, bytes::Bytes), Error> {
    let unreachable = |cause: String| Error::Unreachable { url: one_line(url), cause };
    let place: Uri = url.parse().map_err(|error: http::uri::InvalidUri| unreachable(error.to_string()))?;
    let authority = place.authority().map(ToString::to_string).unwrap_or_default();
    let origin = format!("{}://{authority}", place.scheme_str().unwrap_or("https"));
    let (mut parts, body) = request.into_parts();
    // The rest of the address is put in front when it is sent.
    let path = place.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|error: http::uri::InvalidUri| unreachable(error.to_string()))?;
    let request =
        HttpRequest::try_from(Request::from_parts(parts, body)).map_err(|error| unreachable(error.to_string()))?;
    // The certificates are the machine's own, so that a company's proxy is trusted where the machine trusts it.
    let client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let operation: Operation<HttpRequest, (StatusCode, bytes::Bytes), ErrorMetadata> = Operation::builder()
        .service_name("webhook")
        .operation_name("Deliver")
        .http_client(client)
        .endpoint_url(&origin)
        .no_auth()
        .no_retry()
        .serializer(Ok)
        .deserializer(|response: &HttpResponse| {
            let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
            Ok((status, bytes::Bytes::copy_from_slice(response.body().bytes().unwrap_or_default())))
        })
        .build();
    match tokio::time::timeout(PATIENCE, operation.invoke(request)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(unreachable(innermost(&error))),
        Err(_) => Err(unreachable(format!("no answer within {} s, after which GitHub hangs up", PATIENCE.as_secs()))),
    }
}

/// What to do where a delivery was not accepted.
fn mending(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "; --secret-from says where the secret is that the webhook has",
        404 | 405 => "; is it pipehook's address?",
        500..=599 => "; the function's log says why",
        _ => "",
    }
}

impl Replayed {
    /// Why it was not accepted, in a line.
    fn refusal(&self) -> String {
        let reason = self.answer["error"].as_str().or_else(|| self.answer.as_str()).unwrap_or_default();
        let reason: String = one_line(reason).chars().take(300).collect();
        if reason.is_empty() { self.status_code.to_string() } else { format!("{}: {reason}", self.status_code) }
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, event, delivery, status_code, .. } = self;
        writeln!(f, "{} {delivery} to {url}", style(one_line(event)).bold())?;
        if !self.accepted {
            return writeln!(f, "{} {status_code}", style("✗").red());
        }
        writeln!(f, "{} {status_code}", style("✓").green())?;
        let Ok(Accepted { decisions }) = Accepted::deserialize(&self.answer) else {
            return writeln!(f, "  the answer is none of pipehook's");
        };
        for Decision { decision, pipeline, commit, reason } in decisions {
            let mark = match decision.as_str() {
                "queued" => style("✓").green(),
                "skipped" => style("–").yellow(),
                _ => style("·").dim(),
            };
            let short = |commit: String| format!(" {}", commit.chars().take(7).collect::<String>());
            let pipeline = pipeline.map_or(String::new(), |name| format!("{name} "));
            let commit = commit.map_or(String::new(), short);
            writeln!(f, "  {mark} {}", one_line(&format!("{pipeline}{decision}{commit}: {reason}")))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_a_uuid() {
        let id = new_id();
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert_ne!(id, new_id());
    }
}
