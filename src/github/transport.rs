//! What carries requests to GitHub: the network, or, in a simulation, the process itself.

use std::time::Duration;

use http::Uri;
use octocrab::Octocrab;

use super::error::GitHubError;
use super::wire::TIMEOUT;

/// What carries requests to GitHub.
#[derive(Clone, Default)]
pub enum Transport {
    /// TCP and TLS.
    #[default]
    Network,
    /// Something in this process that answers, in place of both.
    #[cfg(feature = "tool")]
    InProcess(in_process::Exchange),
}

impl Transport {
    /// A client for the GitHub at this place.
    pub(super) fn client(&self, api_url: &Uri) -> Result<Octocrab, GitHubError> {
        match self {
            Self::Network => over_the_network(api_url),
            #[cfg(feature = "tool")]
            Self::InProcess(exchange) => Ok(in_process::client(exchange.clone())),
        }
    }
}

fn over_the_network(api_url: &Uri) -> Result<Octocrab, GitHubError> {
    // octocrab puts the base's path in front of every URI, whole ones included, so it gets none, and every URI that is
    // asked for is whole.
    let authority = api_url.authority().map(ToString::to_string).unwrap_or_default();
    let base = format!("{}://{authority}", api_url.scheme_str().unwrap_or("https"));
    Octocrab::builder()
        .base_uri(base)
        .and_then(|builder| {
            builder
                .set_connect_timeout(Some(Duration::from_secs(3)))
                .set_read_timeout(Some(TIMEOUT))
                .set_write_timeout(Some(TIMEOUT))
                .build()
        })
        .map_err(|error| GitHubError::Unavailable(error.to_string()))
}

/// octocrab with everything but its connections.
#[cfg(feature = "tool")]
pub mod in_process {
    use std::io;
    use std::sync::Arc;

    use bytes::Bytes;
    use futures_util::future::BoxFuture;
    use http::header::USER_AGENT;
    use http::{HeaderValue, Request, Response};
    use http_body_util::{BodyExt, Full};
    use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
    use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};

    /// Answers a request, or breaks the connection.
    pub type Exchange = Arc<dyn Fn(Request<Bytes>) -> BoxFuture<'static, io::Result<Response<Bytes>>> + Send + Sync>;

    pub(super) fn client(exchange: Exchange) -> Octocrab {
        let service = tower::service_fn(move |request: Request<OctoBody>| {
            let exchange = exchange.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                exchange(Request::from_parts(parts, body)).await.map(|response| response.map(Full::new))
            }
        });
        // On the network, octocrab's own client says who asks.
        let headers = ExtraHeadersLayer::new(Arc::new(vec![(USER_AGENT, HeaderValue::from_static("octocrab"))]));
        let built = OctocrabBuilder::new_empty().with_service(service).with_layer(&headers).with_auth(AuthState::None);
        match built.build() {
            Ok(client) => client,
            Err(never) => match never {},
        }
    }
}
