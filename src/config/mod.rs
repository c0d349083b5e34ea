//! The configuration: TOML, as `pipehook.example.toml` documents it line by line.

#[cfg(feature = "tool")]
pub(crate) mod check;
mod wire;

use std::net::Ipv4Addr;

use http::Uri;

use crate::domain::route::RouteTable;

/// GitHub's own API.
pub(crate) const API_OF_GITHUB: &str = "https://api.github.com";

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub github: GitHubConfig,
    pub routes: RouteTable,
}

#[derive(Clone, Debug)]
pub struct GitHubConfig {
    /// Base of the REST API, without a slash at its end.
    pub api_url: String,
    pub report: ReportAs,
    /// Whether GitHub deployments are made for routes that name an environment, where the credentials may.
    pub deployments: bool,
}

/// What runs are reported as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportAs {
    /// Commit statuses.
    Statuses,
    /// Check runs, which only a GitHub App may write.
    Checks,
}

/// A mistake in a configuration, with its place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or a key or value that the configuration has no place for; the parser's text shows the line.
    #[error("the configuration does not parse: {0}")]
    Parse(String),
    /// TOML, but a value that cannot be meant.
    #[error("the configuration is wrong in line {line}: {problem}")]
    Value { line: usize, problem: String },
}

impl Config {
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        wire::parse(text)
    }
}

/// An API base must be https; plain http is for stand-ins on this machine's loopback only, for the token goes with
/// every request.
pub(crate) fn check_api_url(url: &str) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|error| format!("`api_url` is no URL: {error}"))?;
    let host = uri.host().ok_or("`api_url` has no host")?;
    let loopback = matches!(host, "localhost" | "[::1]") || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if loopback => {}
        _ => return Err("`api_url` must begin with https:// (http:// is for loopback only)".to_owned()),
    }
    if uri.query().is_some() {
        return Err("`api_url` has a query".to_owned());
    }
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
