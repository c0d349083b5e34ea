//! Which webhook of which repositories is meant.

use clap::Args;
use http::Uri;
use tokio::sync::OnceCell;

use super::patience::Patience;
use crate::cli::Error;
use crate::cli::account::{Account, AccountArguments};
use crate::cli::hub::{self, GitHubArguments};
use crate::cli::secret::SecretSource;
use crate::config::{API_OF_GITHUB, Config};
use crate::domain::event::RepositoryName;
use crate::domain::route::PullRequests;
use crate::github::{GitHub, Hook};

/// Which webhooks.
#[derive(Args, Clone, Debug)]
pub(super) struct TargetArguments {
    /// The repository; several with commas. Without it, all that the deployed configuration's routes name
    #[arg(long = "repo", value_name = "OWNER/NAME", value_delimiter = ',', value_parser = repository)]
    repositories: Vec<RepositoryName>,
    /// The webhook's address; without it, the stack's
    #[arg(long, value_name = "URL", value_parser = address)]
    url: Option<String>,
    #[command(flatten)]
    github: GitHubArguments,
    #[command(flatten)]
    account: AccountArguments,
}

pub(super) fn repository(text: &str) -> Result<RepositoryName, String> {
    RepositoryName::parse(text).ok_or_else(|| "it must be OWNER/NAME, as in octo-org/node-server".to_owned())
}

/// `--url`.
pub(in crate::cli) fn address(text: &str) -> Result<String, String> {
    let uri = text.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    match uri.and_then(|uri| uri.host().map(|host| !host.is_empty())) {
        Some(true) => Ok(text.to_owned()),
        _ => Err("it must be an address that begins with https:// or http://".to_owned()),
    }
}

/// The webhooks that are meant, with what they are looked up by. The account is opened when it is first needed.
pub(super) struct Target {
    arguments: TargetArguments,
    account: OnceCell<Account>,
    config: OnceCell<Config>,
}

impl TargetArguments {
    pub(super) fn named(&self) -> &[RepositoryName] {
        &self.repositories
    }

    pub(super) fn target(&self) -> Target {
        Target { arguments: self.clone(), account: OnceCell::new(), config: OnceCell::new() }
    }
}

impl Target {
    pub(super) async fn account(&self) -> Result<&Account, Error> {
        self.account.get_or_try_init(|| self.arguments.account.open()).await
    }

    /// GitHub, with the person's token. `needs_account` says that the account is asked for more than what is meant.
    pub(super) async fn github(&self, needs_account: bool) -> Result<GitHub, Error> {
        let token = hub::token_of_person().ok_or(Error::NoGitHubToken)?;
        let is_named = self.arguments.url.is_some() && !self.arguments.repositories.is_empty();
        hub::open(&self.api_url(needs_account || !is_named).await?, &token)
    }

    /// The API that is named, or else the deployed configuration's: a token must not go to another GitHub than its own. Where
    /// nothing else needs the account, it is not asked.
    async fn api_url(&self, needs_account: bool) -> Result<String, Error> {
        match self.arguments.github.api_url() {
            Some(named) => Ok(named.to_owned()),
            None if needs_account => Ok(self.config().await?.github.api_url.clone()),
            None => Ok(API_OF_GITHUB.to_owned()),
        }
    }

    /// GitHub, as the App whose credentials are there; without a source, the stack's.
    pub(super) async fn github_as_app(&self, from: Option<&SecretSource>) -> Result<GitHub, Error> {
        let source = match from {
            Some(source) => source.clone(),
            None => SecretSource::Ssm(self.account().await?.github_token_parameter()),
        };
        let account = if source.is_in_the_account() { Some(self.account().await?) } else { None };
        let api_url = self.api_url(account.is_some()).await?;
        let github = hub::open(&api_url, &source.read(account).await?)?;
        if github.is_app() { Ok(github) } else { Err(Error::NoApp(source.to_string())) }
    }

    /// The deployed configuration.
    async fn config(&self) -> Result<&Config, Error> {
        self.config
            .get_or_try_init(|| async {
                let account = self.account().await?;
                let source = SecretSource::Ssm(account.config_parameter().await?);
                let text = source.read(Some(account)).await?;
                let path = source.to_string().into();
                Config::parse(text.expose()).map_err(|cause| Error::Config { path, cause })
            })
            .await
    }

    /// Where GitHub is to deliver to.
    pub(super) async fn url(&self) -> Result<String, Error> {
        match &self.arguments.url {
            Some(url) => Ok(url.clone()),
            None => self.account().await?.webhook_url().await,
        }
    }

    /// The repositories that are named, or else those of the configuration, each once.
    pub(super) async fn repositories(&self) -> Result<Vec<RepositoryName>, Error> {
        if !self.arguments.repositories.is_empty() {
            return Ok(self.arguments.repositories.clone());
        }
        let mut repositories: Vec<RepositoryName> = Vec::new();
        for route in &self.config().await?.routes.0 {
            if !repositories.contains(&route.repository) {
                repositories.push(route.repository.clone());
            }
        }
        if repositories.is_empty() { Err(Error::NoRepository) } else { Ok(repositories) }
    }

    /// The events that the webhook of a repository must hear of, by the routes that are deployed for it. Where the address
    /// was named, they may be somebody else's, and only pushes are sure.
    pub(super) async fn events(&self, repository: &RepositoryName) -> Result<Vec<String>, Error> {
        let mut events = vec!["push".to_owned()];
        if self.arguments.url.is_none() {
            let routes = &self.config().await?.routes.0;
            let takes = |route: &&crate::domain::route::Route| !matches!(route.pull_requests, PullRequests::None);
            if routes.iter().filter(|route| route.repository == *repository).any(|route| takes(&route)) {
                events.push("pull_request".to_owned());
            }
        }
        Ok(events)
    }

    /// Where the webhook's secret is, unless something else is named.
    pub(super) async fn secret_source(&self) -> Result<SecretSource, Error> {
        Ok(SecretSource::Ssm(self.account().await?.webhook_secret_parameter()))
    }
}

/// The webhooks of a repository that lead to an address.
pub(super) async fn find(
    github: &GitHub,
    patience: &Patience,
    repository: &RepositoryName,
    url: &str,
) -> Result<Vec<Hook>, Error> {
    let doing = format!("list the webhooks of {repository}");
    let mut hooks = patience.ask(doing, async || github.hooks(repository).await).await?;
    hooks.retain(|hook| leads_to_the_same(&hook.url, url));
    Ok(hooks)
}

/// Whether two addresses lead to the same function: a slash at the end or the other of its paths makes no difference, and
/// neither does the case of the host.
pub(in crate::cli) fn leads_to_the_same(one: &str, other: &str) -> bool {
    let place = |text: &str| {
        let uri: Uri = text.parse().ok()?;
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/webhook").unwrap_or(path).to_owned();
        let authority = uri.authority()?.as_str().to_ascii_lowercase();
        Some((uri.scheme_str()?.to_owned(), authority, path, uri.query().map(str::to_owned)))
    };
    one == other || (place(one).is_some() && place(one) == place(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_leads_nowhere_else() {
        let url = "https://abc.lambda-url.us-east-1.on.aws/";
        for same in [url, "https://ABC.lambda-url.us-east-1.on.aws", "https://abc.lambda-url.us-east-1.on.aws/webhook"]
        {
            assert!(leads_to_the_same(same, url), "{same}");
        }
        for other in [
            "http://abc.lambda-url.us-east-1.on.aws/",
            "https://x.example/",
            "https://abc.lambda-url.us-east-1.on.aws/x",
            "",
            "x",
        ] {
            assert!(!leads_to_the_same(other, url), "{other}");
        }
    }

    #[test]
    fn an_address_says_how_it_is_reached() {
        assert!(address("https://x.example/hook").is_ok());
        for wrong in ["x.example", "ftp://x.example", "https://", "/hook", ""] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
