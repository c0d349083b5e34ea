//! What a function is told from outside: its configuration and its secrets, inline in the environment or from SSM.
//!
//! One `GetParameters` call brings everything. It is kept for five minutes and then read again, so that a changed
//! configuration or a rotated secret is in force without a deploy. What was read stays in force where reading fails.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::Builder;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use tokio::sync::Mutex;

use crate::aws::own_retries;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::domain::time::Timestamp;

/// How long what was read is used without asking again.
const KEEP: Duration = Duration::from_secs(5 * 60);

/// How long a configuration that does not parse is taken for what there is.
const KEEP_WRONG: Duration = Duration::from_secs(5);

/// After a refresh that failed, the next try comes this much later.
const RETRY: Duration = Duration::from_secs(30);

/// A text that no log line ever shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where one value comes from.
#[derive(Clone, Debug)]
enum Source {
    Inline(Secret),
    Parameter(String),
}

impl Source {
    /// `NAME` holds the value and wins; `NAME_PARAMETER` names the parameter that does. Empty is as good as not set.
    fn from_env(variable: &str, env: &impl Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| env(name).filter(|value| !value.trim().is_empty());
        let inline = set(variable).map(|value| Self::Inline(Secret::new(value)));
        inline.or_else(|| set(&format!("{variable}_PARAMETER")).map(Self::Parameter))
    }
}

/// What a function uses. Each has only what it was given.
#[derive(Clone, Debug)]
pub struct Settings {
    pub config: Result<Arc<Config>, Arc<SettingsError>>,
    /// Secrets that sign deliveries: several during a rotation.
    pub webhook_secrets: Vec<Secret>,
    pub github_token: Option<Secret>,
    /// Why they could not be read again when it was time to: newer ones may be there.
    pub outdated: Option<Arc<SettingsError>>,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no configuration: set PIPEHOOK_CONFIG_PARAMETER to the name of the SSM parameter that holds it")]
    NoConfig,
    #[error("SSM has no parameter \"{0}\", or the function's role may not read it")]
    NoParameter(String),
    #[error("SSM can't be read: {0}")]
    Ssm(String),
}

/// Reads settings and keeps them.
pub struct SettingsStore {
    client: Client,
    config: Option<Source>,
    webhook_secret: Option<Source>,
    github_token: Option<Source>,
    clock: Clock,
    kept: Mutex<Option<Kept>>,
}

struct Kept {
    settings: Arc<Settings>,
    until: Timestamp,
}

/// Which secrets a function asks for: what its role may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Webhook,
    Worker,
}

impl SettingsStore {
    pub fn from_env(sdk_config: &aws_config::SdkConfig, function: Function, clock: Clock) -> Self {
        Self::new(sdk_config, function, clock, &|name| std::env::var(name).ok())
    }

    /// As [`Self::from_env`], with the environment handed in.
    pub fn new(
        sdk_config: &aws_config::SdkConfig,
        function: Function,
        clock: Clock,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Self {
        let of = |wanted, variable| {
            if function == wanted { Source::from_env(variable, env) } else { None }
        };
        let config = Builder::from(sdk_config).retry_partition(own_retries());
        Self {
            client: Client::from_conf(config.build()),
            config: Source::from_env("PIPEHOOK_CONFIG", env),
            webhook_secret: of(Function::Webhook, "PIPEHOOK_WEBHOOK_SECRET"),
            github_token: of(Function::Worker, "PIPEHOOK_GITHUB_TOKEN"),
            clock,
            kept: Mutex::new(None),
        }
    }

    /// The settings, read again where they are older than five minutes.
    ///
    /// # Errors
    /// Where nothing was read before and SSM does not give it now. A configuration that does not parse is told in
    /// [`Settings::config`], for the secrets are of use without it.
    pub async fn get(&self) -> Result<Arc<Settings>, SettingsError> {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some(kept) = kept.as_ref().filter(|kept| now < kept.until) {
            return Ok(kept.settings.clone());
        }
        self.refresh(&mut kept, now).await
    }

    /// The settings, read again whatever their age: for a token that GitHub does not take any more.
    pub async fn get_fresh(&self) -> Result<Arc<Settings>, SettingsError> {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        self.refresh(&mut kept, now).await
    }

    async fn refresh(&self, kept: &mut Option<Kept>, now: Timestamp) -> Result<Arc<Settings>, SettingsError> {
        let old = kept.as_ref().map(|kept| kept.settings.clone());
        let (settings, keep) = match (self.read().await, old) {
            (Ok(mut settings), old) => {
                let old_config = old.and_then(|old| old.config.clone().ok());
                if let (Err(error), Some(old_config)) = (&settings.config, old_config) {
                    tracing::error!(%error, "the changed configuration is wrong; the one from before stays in force");
                    settings.config = Ok(old_config);
                }
                // What does not parse is asked for again soon, so that a mended one is in force.
                let keep = if settings.config.is_ok() { KEEP } else { KEEP_WRONG };
                (Arc::new(settings), keep)
            }
            (Err(error), Some(old)) => {
                tracing::error!(%error, "the settings can't be read again; those from before stay in force");
                (Arc::new(Settings { outdated: Some(Arc::new(error)), ..Settings::clone(&old) }), RETRY)
            }
            (Err(error), None) => return Err(error),
        };
        *kept = Some(Kept { settings: settings.clone(), until: now + keep });
        Ok(settings)
    }

    async fn read(&self) -> Result<Settings, SettingsError> {
        let sources = [&self.config, &self.webhook_secret, &self.github_token];
        let parameters = self.read_parameters(&sources).await?;
        let value = |source: &Option<Source>| match source {
            None => None,
            Some(Source::Inline(value)) => Some(value.clone()),
            Some(Source::Parameter(name)) => parameters.get(name).cloned(),
        };
        let config = match value(&self.config) {
            None => Err(Arc::new(SettingsError::NoConfig)),
            Some(text) => Config::parse(text.expose()).map(Arc::new).map_err(|error| Arc::new(error.into())),
        };
        let secrets = value(&self.webhook_secret);
        let lines = secrets.iter().flat_map(|secrets| secrets.expose().lines());
        let webhook_secrets = lines.map(str::trim).filter(|line| !line.is_empty()).map(Secret::new).collect();
        let github_token = value(&self.github_token).map(|token| Secret::new(token.expose().trim()));
        Ok(Settings { config, webhook_secrets, github_token, outdated: None })
    }

    async fn read_parameters(&self, sources: &[&Option<Source>]) -> Result<HashMap<String, Secret>, SettingsError> {
        let mut names: Vec<&String> = Vec::new();
        for source in sources {
            if let Some(Source::Parameter(name)) = source
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let call = self.client.get_parameters().set_names(Some(names.iter().map(|name| (*name).clone()).collect()));
        let answer = call.with_decryption(true).send().await;
        let answer = answer.map_err(|error| SettingsError::Ssm(in_words(&error)))?;
        let mut values = HashMap::new();
        for parameter in answer.parameters.unwrap_or_default() {
            let Some(value) = parameter.value.map(Secret::new) else {
                continue;
            };
            // A parameter can be asked for by its name, by its name and version (`name:3`), or by its ARN.
            let versioned =
                parameter.name.iter().zip(&parameter.selector).map(|(name, version)| format!("{name}{version}"));
            let keys: Vec<String> = versioned.chain(parameter.name.clone()).chain(parameter.arn).collect();
            values.extend(keys.into_iter().map(|key| (key, value.clone())));
        }
        // What SSM leaves out of its answer it does not have.
        match names.into_iter().find(|name| !values.contains_key(*name)) {
            Some(missing) => Err(SettingsError::NoParameter(missing.clone())),
            None => Ok(values),
        }
    }
}

/// What SSM says, where it says something; what else happened is told with all its causes.
fn in_words<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: fmt::Debug,
{
    if let Some((Some(code), Some(message))) = error.as_service_error().map(|error| (error.code(), error.message())) {
        return format!("{code}: {message}");
    }
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
