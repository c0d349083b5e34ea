//! Where pipehook runs: a person's AWS account, and in it the stack as which it was deployed.

use aws_config::SdkConfig;
use aws_sdk_sqs::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use clap::Args;
use tokio::sync::OnceCell;

use super::Error;
use crate::aws::sdk_config_of_a_person;
use crate::aws::stacks::{Stack, Stacks};
use crate::aws::unread::{Unread, sort};
use crate::domain::template::one_line;

/// Which account, and which deployment of pipehook in it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Where pipehook runs")]
pub(super) struct AccountArguments {
    /// The stack that pipehook was deployed as
    #[arg(long, env = "PIPEHOOK_STACK", default_value = "pipehook", value_name = "NAME")]
    pub(super) stack: String,
    /// The profile of the AWS CLI's configuration; without it, AWS_PROFILE or the environment's credentials
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The region; without it, AWS_REGION or the profile's
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

/// An account that can be asked.
pub(super) struct Account {
    sdk_config: SdkConfig,
    stack_name: String,
    stack: OnceCell<Stack>,
}

impl AccountArguments {
    /// Finds region and credentials, as the AWS CLI would. Nothing is called yet, unless a profile has to sign in.
    ///
    /// # Errors
    /// Where there is no region, or no credentials can be had.
    pub(super) async fn open(&self) -> Result<Account, Error> {
        let sdk_config = sdk_config_of_a_person(self.profile.as_deref(), self.region.as_deref()).await;
        if sdk_config.region().is_none() {
            return Err(Error::NoRegion);
        }
        let provider =
            sdk_config.credentials_provider().ok_or_else(|| Error::NoCredentials("none set up".to_owned()))?;
        let provided = aws_credential_types::provider::ProvideCredentials::provide_credentials(&provider).await;
        provided.map_err(|error| Error::NoCredentials(where_none_are(&innermost(&error))))?;
        Ok(Account { sdk_config, stack_name: self.stack.clone(), stack: OnceCell::new() })
    }
}

impl Account {
    /// For the clients of AWS's services.
    pub(super) fn sdk_config(&self) -> &SdkConfig {
        &self.sdk_config
    }

    pub(super) fn region(&self) -> &str {
        self.sdk_config.region().map(AsRef::as_ref).unwrap_or_default()
    }

    pub(super) fn stack_name(&self) -> &str {
        &self.stack_name
    }

    /// A command of the AWS CLI for this region, to be shown.
    pub(super) fn command(&self, command: &str) -> String {
        format!("aws {command} --region {}", self.region())
    }

    /// The stack, read when it is first asked for.
    ///
    /// # Errors
    /// Where there is none of this name, or it can't be read.
    pub(super) async fn stack(&self) -> Result<&Stack, Error> {
        self.stack
            .get_or_try_init(|| async {
                let read = Stacks::new(&self.sdk_config).get(&self.stack_name).await;
                read.map_err(|unread| Error::aws(format!("read the stack {}", self.stack_name), unread))
            })
            .await
    }

    /// Something that the functions' environment names (`PIPEHOOK_QUEUE_URL`), or else an output of the stack.
    async fn named(&self, variable: Option<&str>, output: &str) -> Result<String, Error> {
        let set = variable.and_then(|name| std::env::var(name).ok()).filter(|value| !value.trim().is_empty());
        if let Some(value) = set {
            return Ok(value);
        }
        let found = self.stack().await?.outputs.get(output).filter(|value| !value.is_empty());
        found.cloned().ok_or_else(|| Error::NoOutput { stack: self.stack_name.clone(), output: output.to_owned() })
    }

    /// Name of the parameter that holds the configuration.
    pub(super) async fn config_parameter(&self) -> Result<String, Error> {
        self.named(Some("PIPEHOOK_CONFIG_PARAMETER"), "ConfigurationParameter").await
    }

    /// Name of the parameter by which the webhook's secret is read.
    pub(super) fn webhook_secret_parameter(&self) -> String {
        self.secret_parameter("PIPEHOOK_WEBHOOK_SECRET_PARAMETER", "webhook")
    }

    /// Name of the parameter by which the worker's token at GitHub is read.
    pub(super) fn github_token_parameter(&self) -> String {
        self.secret_parameter("PIPEHOOK_GITHUB_TOKEN_PARAMETER", "github-token")
    }

    /// As the template names them.
    fn secret_parameter(&self, variable: &str, what: &str) -> String {
        let set = std::env::var(variable).ok().filter(|name| !name.trim().is_empty());
        set.unwrap_or_else(|| format!("/aws/reference/secretsmanager/{}-{what}", self.stack_name))
    }

    /// Where GitHub delivers to.
    pub(super) async fn webhook_url(&self) -> Result<String, Error> {
        self.named(None, "WebhookUrl").await
    }

    pub(super) async fn queue_url(&self) -> Result<String, Error> {
        self.named(Some("PIPEHOOK_QUEUE_URL"), "Queue").await
    }

    pub(super) async fn dead_letters_url(&self) -> Result<String, Error> {
        self.named(None, "DeadLetters").await
    }
}

impl Error {
    /// That something could not be done at AWS, with what AWS says and what to do about it.
    pub(super) fn aws(doing: impl Into<String>, unread: Unread) -> Self {
        // What is to be done is said after it, so the sorting has nothing to add.
        let (Unread::ForNow(cause) | Unread::ForGood(cause)) = unread;
        let cause = plain(&cause);
        let mending = mending(&cause);
        Self::Aws { doing: doing.into(), cause, mending }
    }

    /// As [`Self::aws`], of a client of the SDK's.
    pub(super) fn sdk<E>(doing: impl Into<String>, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        Self::aws(doing, sort(error))
    }
}

/// Whether asking again may help without anybody's doing: credentials do not become good by themselves.
pub(super) fn may_pass(cause: &str) -> bool {
    matches!(mending(cause), "" | OUT_OF_REACH)
}

/// A cause on one line, without what only a programmer can make anything of: errors of the SDK end in how they are built.
pub(super) fn plain(cause: &str) -> String {
    let kinds = ["ConstructionFailure(", "TimeoutError(", "DispatchFailure(", "ResponseError(", "ServiceError("];
    let end = kinds.iter().filter_map(|kind| cause.find(&format!(" ({kind}"))).min();
    one_line(&cause[..end.unwrap_or(cause.len())])
}

const OUT_OF_REACH: &str = "; AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL";

/// What a person can do about a refusal of AWS's; nothing where there is no more to say than AWS did.
pub(super) fn mending(cause: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
    if says(&["ExpiredToken", "RequestExpired"]) {
        "; the session has expired: sign in again, as with `aws sso login`"
    } else if says(&["UnrecognizedClient", "InvalidClientTokenId", "InvalidSignature", "SignatureDoesNotMatch"]) {
        "; the credentials are not valid: check the access key and its secret"
    } else if says(&["AccessDenied", "not authorized"]) {
        "; the credentials are valid, but their policy does not allow this"
    } else if says(&["dispatch failure", "timeout", "timed out"]) {
        OUT_OF_REACH
    } else {
        ""
    }
}

/// Why there are no credentials. Where nothing is set up, the SDK lists everything that was not tried, a line each.
fn where_none_are(cause: &str) -> String {
    match cause.split_once(". Attempted:") {
        Some(_) => "neither the environment nor a profile nor this machine has any".to_owned(),
        None => plain(cause),
    }
}

/// The last cause of an error, which says the most.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
