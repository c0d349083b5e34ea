//! GitHub, as a person asks it: with a token of their own.

use clap::Args;

use super::Error;
use crate::clock::Clock;
use crate::config::check_api_url;
use crate::github::GitHub;
use crate::github::transport::Transport;
use crate::settings::Secret;

/// Where the tokens of a person are looked for, in the order in which GitHub's own command-line tool does.
const TOKEN_VARIABLES: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];

/// Which GitHub. The token is never an argument: arguments show in lists of processes and in the shell's history.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "GitHub (the token comes from GH_TOKEN or GITHUB_TOKEN)")]
pub(super) struct GitHubArguments {
    /// The API; of a GitHub Enterprise Server https://HOST/api/v3. Without it, the deployed configuration's, or
    /// GitHub's own where the account is not asked for anything
    #[arg(long, env = "GITHUB_API_URL", value_name = "URL", value_parser = check_api_url)]
    api_url: Option<String>,
}

/// The person's token, where one is set.
pub(super) fn token_of_person() -> Option<Secret> {
    let set = TOKEN_VARIABLES.iter().find_map(|name| std::env::var(name).ok().filter(|token| !token.is_empty()));
    set.map(Secret::new)
}

impl GitHubArguments {
    /// The API that is named.
    pub(super) fn api_url(&self) -> Option<&str> {
        self.api_url.as_deref()
    }
}

/// A client with a token, or with an App's credentials.
///
/// # Errors
/// Where they are none.
pub(super) fn open(api_url: &str, token: &Secret) -> Result<GitHub, Error> {
    let github = GitHub::new(api_url, Some(token), &Transport::Network, Clock::system());
    github.map_err(|error| Error::github("use the token", error))
}
