//! The Lambda function that receives GitHub's deliveries.

use bytes::Bytes;
use lambda_http::request::RequestContext;
use lambda_http::{Body, Error, Request, RequestExt, service_fn};
use pipehook::aws::{Patience, sdk_config};
use pipehook::clock::Clock;
use pipehook::queue::Queue;
use pipehook::settings::{Function, SettingsStore};
use pipehook::webhook::Webhook;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    let sdk_config = sdk_config(Patience::WEBHOOK).await;
    let clock = Clock::system();
    let webhook = Webhook {
        settings: SettingsStore::from_env(&sdk_config, Function::Webhook, clock.clone()),
        queue: Queue::from_env(&sdk_config),
        clock,
    };
    let webhook = &webhook;
    lambda_http::run(service_fn(
        |request: Request| async move { Ok::<_, Error>(webhook.handle(plain(request)?).await) },
    ))
    .await
}

/// The request without the envelope that brought it: the path without an API Gateway's stage, the body as bytes.
fn plain(request: Request) -> Result<http::Request<Bytes>, Error> {
    let path = match request.request_context_ref() {
        // Of the envelopes, only an HTTP API's has the stage in front of the path, unless it is the default one.
        Some(RequestContext::ApiGatewayV2(context)) => {
            let stage = context.stage.as_deref().map(|stage| format!("/{stage}"));
            let rest = stage.and_then(|stage| request.raw_http_path().strip_prefix(&stage));
            rest.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(request.raw_http_path())
        }
        _ => request.raw_http_path(),
    };
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let (mut parts, body) = request.into_parts();
    // What is no path of ours is no path of anything: the handler answers 404 for whatever can't be read as one.
    parts.uri = path.parse().unwrap_or_else(|_| http::Uri::from_static("/not-a-path"));
    let body = match body {
        Body::Empty => Bytes::new(),
        Body::Text(text) => Bytes::from(text),
        Body::Binary(bytes) => Bytes::from(bytes),
        _ => return Err("a body of a kind that is not known".into()),
    };
    Ok(http::Request::from_parts(parts, body))
}
