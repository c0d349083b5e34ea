//! The receiver of GitHub's deliveries: the one part that the internet can write to.
//!
//! It verifies, decides, puts one message a decision on the queue, and only then says 202. It has no GitHub token.

pub mod payload;
pub mod signature;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde::Serialize;

use crate::clock::Clock;
use crate::domain::event::Event;
use crate::domain::route::Decision;
use crate::domain::token::ClientRequestToken;
use crate::metrics;
use crate::queue::message::{Job, Message, Press, Skip, Start};
use crate::queue::{Queue, SendError};
use crate::settings::{Settings, SettingsError, SettingsStore};
use signature::{Refusal, Signature};

/// The handler, behind whatever speaks HTTP to it.
pub struct Webhook {
    pub settings: SettingsStore,
    pub queue: Queue,
    pub clock: Clock,
}

/// Why a delivery was not accepted. GitHub shows the text under Recent deliveries.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("there is nothing at this path; deliveries go to / or /webhook")]
    NotFound,
    #[error("deliveries come by POST")]
    NotPost,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{0}")]
    BadRequest(String),
    #[error("the settings of this function can't be read; its log says why")]
    Settings(SettingsError),
    #[error(
        "the signature does not fit the secret of before, and whether there is a newer one can't be read; redeliver later"
    )]
    Outdated(Arc<SettingsError>),
    #[error("the configuration of this function is wrong; its log says where")]
    Config(String),
    #[error("the queue did not take the message; redeliver later")]
    Queue(#[from] SendError),
}

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotPost => StatusCode::METHOD_NOT_ALLOWED,
            Self::Refused(_) => StatusCode::UNAUTHORIZED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Settings(_) | Self::Outdated(_) | Self::Config(_) | Self::Queue(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

/// The answer to an accepted delivery.
#[derive(Debug, Serialize)]
struct Accepted<'a> {
    delivery: &'a str,
    event: &'a str,
    decisions: Vec<DecisionAnswer<'a>>,
}

/// One decision, as GitHub's page shows it.
#[derive(Debug, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
enum DecisionAnswer<'a> {
    Queued {
        pipeline: &'a str,
        commit: &'a str,
        #[serde(rename = "ref")]
        git_ref: String,
        reason: String,
    },
    Skipped {
        pipeline: &'a str,
        commit: &'a str,
        reason: String,
    },
    Ignored {
        reason: String,
    },
}

impl Webhook {
    /// Answers one request. Whatever happens is told in the answer's status and body, and once in the log.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<String> {
        let delivery = delivery_id(request.headers());
        match self.accept(&request, &delivery).await {
            Ok(body) => {
                tracing::info!(delivery, answer = body, "accepted");
                json(StatusCode::ACCEPTED, body)
            }
            Err(rejection) => {
                self.log(&rejection, &delivery);
                let body = serde_json::json!({ "delivery": delivery, "error": rejection.to_string() }).to_string();
                let mut response = json(rejection.status(), body);
                if matches!(rejection, Rejection::NotPost) {
                    response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("POST"));
                }
                response
            }
        }
    }

    fn log(&self, rejection: &Rejection, delivery: &str) {
        match rejection {
            // The internet is full of these: not worth a warning each.
            Rejection::NotFound | Rejection::NotPost => tracing::info!(delivery, %rejection, "rejected"),
            Rejection::Refused(_) => {
                tracing::warn!(delivery, %rejection, "refused");
                metrics::count(&self.clock, "SignatureRefused", &[]);
            }
            // What is wrong may quote the body, which only GitHub's own page of the delivery is to show.
            Rejection::BadRequest(_) => {
                tracing::warn!(delivery, "the body is not what its headers say; the answer tells");
            }
            Rejection::Settings(cause) => tracing::error!(delivery, %cause, "{rejection}"),
            Rejection::Outdated(cause) => tracing::error!(delivery, %cause, "{rejection}"),
            Rejection::Config(cause) => tracing::error!(delivery, %cause, "{rejection}"),
            Rejection::Queue(cause) => tracing::error!(delivery, %cause, "not accepted"),
        }
    }

    async fn accept(&self, request: &Request<Bytes>, delivery: &str) -> Result<String, Rejection> {
        if !matches!(request.uri().path(), "/" | "" | "/webhook") {
            return Err(Rejection::NotFound);
        }
        if request.method() != Method::POST {
            return Err(Rejection::NotPost);
        }
        // What has no well-formed signature is refused before anything is read for it.
        let signature = Signature::parse(signature_header(request.headers())?)?;
        let settings = self.settings.get().await.map_err(Rejection::Settings)?;
        let verified = signature.verify(&settings.webhook_secrets, request.body());
        verified.map_err(|refusal| match &settings.outdated {
            Some(cause) => Rejection::Outdated(cause.clone()),
            None => refusal.into(),
        })?;

        let Delivered { event_name, payload, event } = Delivered::read(request, delivery)?;
        let decisions = plan(&settings, &event)?;
        let now = self.clock.now();
        let messages = decisions
            .iter()
            .filter_map(|decision| job(decision, &payload))
            .map(|job| Message::new(delivery.to_owned(), now, job));
        let messages: Vec<_> = messages.collect();
        // Only once every message is durable is the delivery accepted. Where one of several was not taken, GitHub's
        // redelivery sends the others once more, and their tokens keep their pipelines from starting twice.
        try_join_all(messages.iter().map(|message| self.queue.send(message, Duration::ZERO))).await?;
        let answer = Accepted { delivery, event: event_name, decisions: decisions.iter().map(answer).collect() };
        serde_json::to_string(&answer).map_err(|error| Rejection::Queue(error.into()))
    }
}

/// A delivery that was read, whoever has signed it.
pub(crate) struct Delivered<'a> {
    /// As GitHub's header names the event.
    pub(crate) event_name: &'a str,
    /// The JSON of it.
    pub(crate) payload: Cow<'a, [u8]>,
    pub(crate) event: Event,
}

impl<'a> Delivered<'a> {
    /// Reads a request whose headers are GitHub's.
    ///
    /// # Errors
    /// Where no header names the event, or the body is not one.
    pub(crate) fn read(request: &'a Request<Bytes>, delivery: &str) -> Result<Self, Rejection> {
        let event_name = event_name(request.headers())?;
        let payload = payload_of(request.headers(), request.body())?;
        let event = payload::parse(event_name, delivery, &payload);
        let event = event.map_err(|error| Rejection::BadRequest(error.to_string()))?;
        Ok(Self { event_name, payload, event })
    }
}

fn plan(settings: &Settings, event: &Event) -> Result<Vec<Decision>, Rejection> {
    let config = settings.config.as_ref().map_err(|error| Rejection::Config(error.to_string()))?;
    Ok(config.routes.plan(event))
}

fn job(decision: &Decision, payload: &[u8]) -> Option<Job> {
    match decision {
        Decision::Start(request) => {
            let token = ClientRequestToken::derive(payload, &request.pipeline);
            Some(Job::Start(Start::new(request, &token)))
        }
        Decision::Skip { pipeline, repository, commit, reason } => Some(Job::Skip(Skip {
            pipeline: pipeline.clone(),
            repository: repository.to_string(),
            commit: commit.to_string(),
            reason: reason.to_string(),
        })),
        Decision::Press(press, request) => {
            let token = ClientRequestToken::derive(payload, &request.pipeline);
            Some(Job::Press(Press::new(press, request, &token)))
        }
        Decision::Ignore(_) => None,
    }
}

fn answer(decision: &Decision) -> DecisionAnswer<'_> {
    match decision {
        Decision::Start(request) => DecisionAnswer::Queued {
            pipeline: &request.pipeline,
            commit: request.commit.as_str(),
            git_ref: request.git_ref.to_string(),
            reason: format!("a route takes {} of {}", request.git_ref, request.repository),
        },
        Decision::Skip { pipeline, commit, reason, .. } => {
            DecisionAnswer::Skipped { pipeline, commit: commit.as_str(), reason: reason.to_string() }
        }
        Decision::Press(press, request) => DecisionAnswer::Queued {
            pipeline: &request.pipeline,
            commit: request.commit.as_str(),
            git_ref: request.git_ref.to_string(),
            reason: format!("{} pressed a button; whether they may is asked of GitHub", press.actor),
        },
        Decision::Ignore(reason) => DecisionAnswer::Ignored { reason: reason.to_string() },
    }
}

/// GitHub's id of the delivery, as far as it looks like one: the header is not signed, so anything can be in it.
pub(crate) fn delivery_id(headers: &HeaderMap) -> String {
    let id = headers.get("x-github-delivery").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let fits = id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits { id.to_owned() } else { String::new() }
}

fn signature_header(headers: &HeaderMap) -> Result<Option<&[u8]>, Refusal> {
    let mut values = headers.get_all(signature::HEADER).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first.map(http::HeaderValue::as_bytes)),
        (_, Some(_)) => Err(Refusal::Malformed),
    }
}

fn event_name(headers: &HeaderMap) -> Result<&str, Rejection> {
    let name = headers.get("x-github-event").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if is_event_name(name) {
        Ok(name)
    } else {
        Err(Rejection::BadRequest("the x-github-event header names no event".to_owned()))
    }
}

/// Lower case and underscores, and since `projects_v2` digits too.
pub(crate) fn is_event_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.len() <= 64 && name.chars().all(legal)
}

/// The JSON of the delivery: the body itself, or the form's field `payload`, as the webhook's content type is set.
///
/// GitHub's form has no field before it. This counts, for the content type is a header outside the signature: a body that
/// was signed as JSON, with a field of somebody's making in a commit's message, must never be read as a form.
pub(crate) fn payload_of<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, Rejection> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Ok(Cow::Borrowed(body));
    }
    let first = form_urlencoded::parse(body).next().filter(|(name, _)| name == "payload");
    let no_form = || Rejection::BadRequest("the form does not begin with the field `payload`".to_owned());
    let (_, payload) = first.ok_or_else(no_form)?;
    Ok(Cow::Owned(payload.into_owned().into_bytes()))
}

fn json(status: StatusCode, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
