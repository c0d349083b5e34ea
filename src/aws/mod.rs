//! What all AWS clients share: where credentials, region and endpoints come from, how TLS is done, and how long a
//! call may take.
//!
//! A Lambda function gets credentials and region in its environment, so nothing else is asked: the SDK's default chain
//! would cost time at each cold start. Amazon's own root certificates are built in, for reading the system's costs more
//! than the rest of the SDK's start.

#[cfg(feature = "worker")]
pub mod addresses;
#[cfg(feature = "worker")]
mod arn;
#[cfg(feature = "worker")]
pub mod codebuild;
#[cfg(feature = "worker")]
pub mod codepipeline;
#[cfg(feature = "tool")]
pub(crate) mod dead_letters;
#[cfg(feature = "worker")]
pub mod ecs;
#[cfg(feature = "worker")]
pub mod logs;
#[cfg(feature = "tool")]
pub(crate) mod moments;
#[cfg(feature = "tool")]
pub(crate) mod setup;
#[cfg(feature = "worker")]
pub(crate) mod signed;
#[cfg(feature = "tool")]
pub(crate) mod stacks;
#[cfg(feature = "worker")]
pub(crate) mod unread;
#[cfg(feature = "worker")]
mod xml;

use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_ssm::config::retry::RetryPartition;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

/// The roots under which AWS's endpoints have their certificates: Amazon Root CA 1 to 4 and Starfield Services G2.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Patience with AWS. GitHub hangs up on the webhook after 10 s, so what is not there by then is worth nothing to it;
/// the worker sends itself a new message instead of waiting.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one attempt.
    pub attempt: Duration,
    /// For the call with its repetitions.
    pub call: Duration,
    pub attempts: u32,
}

impl Patience {
    pub const WEBHOOK: Self = Self { attempt: Duration::from_secs(3), call: Duration::from_secs(7), attempts: 3 };
    pub const WORKER: Self = Self { attempt: Duration::from_secs(4), call: Duration::from_secs(9), attempts: 3 };
    /// Of a person who waits in front of a terminal.
    #[cfg(feature = "tool")]
    pub const PERSON: Self = Self { attempt: Duration::from_secs(10), call: Duration::from_secs(20), attempts: 3 };

    fn retries(self) -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(self.attempts)
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(Duration::from_secs(1))
    }

    fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.call)
            .build()
    }
}

/// Configuration for every client, from the function's environment. Endpoints of stand-ins come from the SDK's own
/// variables, `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>`.
pub async fn sdk_config(patience: Patience) -> SdkConfig {
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let http_client = match TlsContext::builder().with_trust_store(roots).build() {
        Ok(tls) => Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https(),
        // The built-in certificates are part of the program and tested; without them only plain http is left.
        Err(error) => {
            tracing::error!(%error, "the built-in root certificates do not parse");
            Builder::new().build_http()
        }
    };
    loader(patience)
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .region(EnvironmentVariableRegionProvider::new())
        .http_client(http_client)
        .load()
        .await
}

/// Configuration for every client, from what a person has set up for the AWS CLI: the environment, profiles, IAM Identity
/// Center, and the machine that it runs on. The certificates are the machine's own, so that a company's proxy is trusted
/// where the machine trusts it.
#[cfg(feature = "tool")]
pub async fn sdk_config_of_a_person(profile: Option<&str>, region: Option<&str>) -> SdkConfig {
    let loader = loader(Patience::PERSON)
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https());
    let loader = profile.into_iter().fold(loader, |loader, profile| loader.profile_name(profile));
    let own = region.map(|region| aws_config::Region::new(region.to_owned()));
    own.into_iter().fold(loader, |loader, region| loader.region(region)).load().await
}

/// An account of retries for one client. The SDK's own is shared by all clients of the process, so that one that gets no
/// answers would leave the others without retries where several run side by side, as in the tool.
pub(crate) fn own_retries() -> RetryPartition {
    RetryPartition::custom("pipehook").build()
}

/// A configuration with this much patience, and nothing else yet.
pub(crate) fn loader(patience: Patience) -> ConfigLoader {
    let defaults = aws_config::defaults(BehaviorVersion::latest());
    defaults.retry_config(patience.retries()).timeout_config(patience.timeouts())
}

/// The same configuration, credentials and connections with another patience.
#[cfg(feature = "tool")]
pub(crate) fn with_patience(sdk_config: &SdkConfig, patience: Patience) -> SdkConfig {
    let builder = sdk_config.to_builder();
    builder.retry_config(patience.retries()).timeout_config(patience.timeouts()).build()
}
