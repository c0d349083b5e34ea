//! Which endpoint of GitHub's REST API a path is for.

use http::Method;

/// Which endpoint a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The method and the path's template.
    pub(crate) operation: String,
    pub(super) repository: Option<Named>,
    pub(super) endpoint: Endpoint,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    FullName(String),
    Id(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Create(String),
    List(String),
    Combined(String),
    Unknown,
}

/// Finds the endpoint of a path below the API's address.
pub(crate) fn route(method: &Method, path: &str) -> Route {
    let unknown = || Route { operation: format!("{method} {path}"), repository: None, endpoint: Endpoint::Unknown };
    let parts: Vec<String> = path.trim_start_matches('/').split('/').map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let (named, template, rest) = match parts.as_slice() {
        ["repos", owner, name, rest @ ..] => {
            (Named::FullName(format!("{owner}/{name}")), "/repos/{owner}/{repo}", rest)
        }
        ["repositories", id, rest @ ..] => match id.parse() {
            Ok(id) => (Named::Id(id), "/repositories/{id}", rest),
            Err(_) => return unknown(),
        },
        _ => return unknown(),
    };
    let (endpoint, template_rest) = match (method.as_str(), rest) {
        ("POST", ["statuses", sha]) => (Endpoint::Create((*sha).to_owned()), "/statuses/{sha}"),
        // A ref may hold slashes, and some clients do not encode them.
        ("GET", ["commits", reference @ .., "statuses"]) if !reference.is_empty() => {
            (Endpoint::List(reference.join("/")), "/commits/{ref}/statuses")
        }
        ("GET", ["commits", reference @ .., "status"]) if !reference.is_empty() => {
            (Endpoint::Combined(reference.join("/")), "/commits/{ref}/status")
        }
        _ => return unknown(),
    };
    Route { operation: format!("{method} {template}{template_rest}"), repository: Some(named), endpoint }
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
        assert_eq!(list.endpoint, Endpoint::List("release/1".to_owned()));
        assert_eq!(of("/repos/octo-org/app/commits/release/1/statuses"), list);
        assert_eq!(of("/repositories/7/commits/main/status").repository, Some(Named::Id(7)));
        assert_eq!(of("/repos/octo-org/app/commits/main/status/").endpoint, Endpoint::Unknown, "a slash too many");
        assert_eq!(of("/repos/octo-org/app/statuses/x").endpoint, Endpoint::Unknown, "another method");
    }
}
