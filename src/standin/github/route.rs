//! Which endpoint of GitHub's REST API a path is for.

use http::Method;

use super::Permission;

/// The area of a token's permissions that repositories' webhooks are in.
pub(super) const HOOKS: &str = "repository_hooks";

/// Which endpoint a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The method and the path's template.
    pub(crate) operation: String,
    pub(super) repository: Option<Named>,
    pub(super) endpoint: Endpoint,
    pub(super) writes: bool,
    /// The path below the repository, as it came.
    pub(super) rest: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    FullName(String),
    Id(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    CreateStatus(String),
    ListStatuses(String),
    CombinedStatus(String),
    CreateCheckRun,
    UpdateCheckRun(u64),
    GetCheckRun(u64),
    ListCheckRuns(String),
    CreateDeployment,
    GetDeployment(u64),
    ListDeployments,
    CreateDeploymentStatus(u64),
    ListDeploymentStatuses(u64),
    GetTag(String),
    /// What a person may do.
    Permission(String),
    /// Where an App is installed.
    Installation,
    CreateInstallationToken(u64),
    CreateHook,
    ListHooks,
    GetHook(u64),
    UpdateHook(u64),
    DeleteHook(u64),
    PingHook(u64),
    /// Of a hook's deliveries, or of those of an App's webhook.
    ListDeliveries(Option<u64>),
    GetDelivery(Option<u64>, u64),
    Redeliver(Option<u64>, u64),
    /// An App's webhook.
    AppHook,
    /// Whose token it is.
    User,
    /// Which App it is.
    App,
    Unknown,
}

impl Endpoint {
    /// What a token must be allowed to do: the area and how far.
    pub(super) fn permission(&self) -> Option<(&'static str, Permission)> {
        Some(match self {
            Self::CreateStatus(_) => ("statuses", Permission::Write),
            Self::ListStatuses(_) | Self::CombinedStatus(_) => ("statuses", Permission::Read),
            Self::CreateCheckRun | Self::UpdateCheckRun(_) => ("checks", Permission::Write),
            Self::GetCheckRun(_) | Self::ListCheckRuns(_) => ("checks", Permission::Read),
            Self::CreateDeployment | Self::CreateDeploymentStatus(_) => ("deployments", Permission::Write),
            Self::GetDeployment(_) | Self::ListDeployments | Self::ListDeploymentStatuses(_) => {
                ("deployments", Permission::Read)
            }
            Self::GetTag(_) => ("contents", Permission::Read),
            Self::CreateHook
            | Self::UpdateHook(_)
            | Self::DeleteHook(_)
            | Self::PingHook(_)
            | Self::Redeliver(Some(_), _) => (HOOKS, Permission::Write),
            Self::ListHooks | Self::GetHook(_) | Self::ListDeliveries(Some(_)) | Self::GetDelivery(Some(_), _) => {
                (HOOKS, Permission::Read)
            }
            // Whoever may not read anything learns nothing of unknown paths either.
            Self::Permission(_) | Self::Unknown => ("metadata", Permission::Read),
            Self::Installation
            | Self::CreateInstallationToken(_)
            | Self::ListDeliveries(None)
            | Self::GetDelivery(None, _)
            | Self::Redeliver(None, _)
            | Self::AppHook
            | Self::User
            | Self::App => return None,
        })
    }
}

/// Finds the endpoint of a path below the API's address.
pub(crate) fn route(method: &Method, path: &str) -> Route {
    let writes = method != Method::GET;
    let unknown = || Route {
        operation: format!("{method} {path}"),
        repository: None,
        endpoint: Endpoint::Unknown,
        writes,
        rest: String::new(),
    };
    let raw: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let parts: Vec<String> = raw.iter().copied().map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (named, template, rest) = match parts.as_slice() {
        ["repos", owner, name, rest @ ..] => {
            (Named::FullName(format!("{owner}/{name}")), "/repos/{owner}/{repo}", rest)
        }
        ["repositories", id, rest @ ..] => match id.parse() {
            Ok(id) => (Named::Id(id), "/repositories/{id}", rest),
            Err(_) => return unknown(),
        },
        ["user"] if method == Method::GET => {
            return Route { operation: "GET /user".to_owned(), endpoint: Endpoint::User, ..unknown() };
        }
        ["app"] if method == Method::GET => {
            return Route { operation: "GET /app".to_owned(), endpoint: Endpoint::App, ..unknown() };
        }
        ["app", "installations", id, "access_tokens"] if method == Method::POST => match id.parse() {
            Ok(id) => {
                let operation = "POST /app/installations/{installation_id}/access_tokens".to_owned();
                return Route { operation, endpoint: Endpoint::CreateInstallationToken(id), ..unknown() };
            }
            Err(_) => return unknown(),
        },
        ["app", "hook", rest @ ..] => {
            let found = of_app_hook(method.as_str(), rest);
            return found.map_or_else(unknown, |(endpoint, template)| Route {
                operation: format!("{method} /app/hook{template}"),
                endpoint,
                ..unknown()
            });
        }
        _ => return unknown(),
    };
    let Some((endpoint, template_rest)) = in_repository(method.as_str(), rest) else { return unknown() };
    let operation = format!("{method} {template}{template_rest}");
    Route { operation, repository: Some(named), endpoint, writes, rest: raw[parts.len() - rest.len()..].join("/") }
}

fn in_repository(method: &str, rest: &[&str]) -> Option<(Endpoint, &'static str)> {
    let text = |text: &&str| (*text).to_owned();
    Some(match (method, rest) {
        ("POST", ["statuses", sha]) => (Endpoint::CreateStatus(text(sha)), "/statuses/{sha}"),
        // A ref may hold slashes, and some clients do not encode them.
        ("GET", ["commits", reference @ .., "statuses"]) if !reference.is_empty() => {
            (Endpoint::ListStatuses(reference.join("/")), "/commits/{ref}/statuses")
        }
        ("GET", ["commits", reference @ .., "status"]) if !reference.is_empty() => {
            (Endpoint::CombinedStatus(reference.join("/")), "/commits/{ref}/status")
        }
        ("GET", ["commits", reference @ .., "check-runs"]) if !reference.is_empty() => {
            (Endpoint::ListCheckRuns(reference.join("/")), "/commits/{ref}/check-runs")
        }
        ("POST", ["check-runs"]) => (Endpoint::CreateCheckRun, "/check-runs"),
        ("PATCH", ["check-runs", id]) => (Endpoint::UpdateCheckRun(id.parse().ok()?), "/check-runs/{check_run_id}"),
        ("GET", ["check-runs", id]) => (Endpoint::GetCheckRun(id.parse().ok()?), "/check-runs/{check_run_id}"),
        ("POST", ["deployments"]) => (Endpoint::CreateDeployment, "/deployments"),
        ("GET", ["deployments"]) => (Endpoint::ListDeployments, "/deployments"),
        ("GET", ["deployments", id]) => (Endpoint::GetDeployment(id.parse().ok()?), "/deployments/{deployment_id}"),
        ("POST", ["deployments", id, "statuses"]) => {
            (Endpoint::CreateDeploymentStatus(id.parse().ok()?), "/deployments/{deployment_id}/statuses")
        }
        ("GET", ["deployments", id, "statuses"]) => {
            (Endpoint::ListDeploymentStatuses(id.parse().ok()?), "/deployments/{deployment_id}/statuses")
        }
        ("GET", ["git", "tags", sha]) => (Endpoint::GetTag(text(sha)), "/git/tags/{tag_sha}"),
        ("GET", ["collaborators", login, "permission"]) => {
            (Endpoint::Permission(text(login)), "/collaborators/{username}/permission")
        }
        ("GET", ["installation"]) => (Endpoint::Installation, "/installation"),
        ("POST", ["hooks"]) => (Endpoint::CreateHook, "/hooks"),
        ("GET", ["hooks"]) => (Endpoint::ListHooks, "/hooks"),
        (_, ["hooks", id, rest @ ..]) => return of_hook(method, id.parse().ok()?, rest),
        _ => return None,
    })
}

fn of_hook(method: &str, hook: u64, rest: &[&str]) -> Option<(Endpoint, &'static str)> {
    Some(match (method, rest) {
        ("GET", []) => (Endpoint::GetHook(hook), "/hooks/{hook_id}"),
        ("PATCH", []) => (Endpoint::UpdateHook(hook), "/hooks/{hook_id}"),
        ("DELETE", []) => (Endpoint::DeleteHook(hook), "/hooks/{hook_id}"),
        ("POST", ["pings"]) => (Endpoint::PingHook(hook), "/hooks/{hook_id}/pings"),
        ("GET", ["deliveries"]) => (Endpoint::ListDeliveries(Some(hook)), "/hooks/{hook_id}/deliveries"),
        ("GET", ["deliveries", id]) => {
            (Endpoint::GetDelivery(Some(hook), id.parse().ok()?), "/hooks/{hook_id}/deliveries/{delivery_id}")
        }
        ("POST", ["deliveries", id, "attempts"]) => {
            (Endpoint::Redeliver(Some(hook), id.parse().ok()?), "/hooks/{hook_id}/deliveries/{delivery_id}/attempts")
        }
        _ => return None,
    })
}

fn of_app_hook(method: &str, rest: &[&str]) -> Option<(Endpoint, &'static str)> {
    Some(match (method, rest) {
        ("GET", ["config"]) => (Endpoint::AppHook, "/config"),
        ("GET", ["deliveries"]) => (Endpoint::ListDeliveries(None), "/deliveries"),
        ("GET", ["deliveries", id]) => (Endpoint::GetDelivery(None, id.parse().ok()?), "/deliveries/{delivery_id}"),
        ("POST", ["deliveries", id, "attempts"]) => {
            (Endpoint::Redeliver(None, id.parse().ok()?), "/deliveries/{delivery_id}/attempts")
        }
        _ => return None,
    })
}

/// Undoes percent-encoding; what is no encoding stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_endpoint_and_its_ref_with_or_without_encoding() {
        let of = |path: &str| route(&Method::GET, path);
        let list = of("/repos/octo-org/app/commits/release%2F1/statuses");
        assert_eq!(list.operation, "GET /repos/{owner}/{repo}/commits/{ref}/statuses");
        assert_eq!(list.endpoint, Endpoint::ListStatuses("release/1".to_owned()));
        let slashes = of("/repos/octo-org/app/commits/release/1/statuses");
        assert_eq!((slashes.operation, slashes.endpoint), (list.operation, list.endpoint));
        assert_eq!(list.rest, "commits/release%2F1/statuses", "a redirect keeps the path as it came");
        assert_eq!(of("/repositories/7/commits/main/status").repository, Some(Named::Id(7)));
        assert_eq!(of("/repos/octo-org/app/commits/main/status/").endpoint, Endpoint::Unknown, "a slash too many");
        assert_eq!(of("/repos/octo-org/app/statuses/x").endpoint, Endpoint::Unknown, "another method");
        assert_eq!(of("/repos/octo-org/app/check-runs/x").endpoint, Endpoint::Unknown, "no number");
    }
}
