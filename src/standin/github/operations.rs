//! GitHub's REST API on the wire.

use http::HeaderMap;
use serde_json::{Value, json};

use super::route::{Endpoint, Named, Route};
use super::view::Place;
use super::{GitHub, Permission, PostedStatus, Repository, STATUS_LIMIT, State, Status, latest};
use crate::domain::time::Timestamp;
use crate::standin::wire::{Body, Reply};

const DOCUMENTATION: &str = "https://docs.github.com/rest/commits/statuses";
/// The values of `X-GitHub-Api-Version` that are supported.
const VERSIONS: &[&str] = &["2022-11-28", "2026-03-10"];
const DESCRIPTION_LIMIT: usize = 140;
const CONTEXT_LIMIT: usize = 255;

/// A request, as far as GitHub looks at it.
pub(crate) struct Ask<'a> {
    pub(crate) now: Timestamp,
    pub(crate) route: &'a Route,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// The API's address as the caller knows it.
    pub(crate) base: &'a str,
}

fn refuse(status: u16, message: &str) -> Reply {
    let body = json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()});
    Reply::json(status, body)
}

/// A 422 about one field of a status.
fn invalid(field: &str, code: &str, message: &str) -> Reply {
    let error = match code {
        "custom" => json!({"resource": "Status", "code": code, "field": field, "message": message}),
        _ => json!({"resource": "Status", "code": code, "field": field}),
    };
    let body = json!({"message": "Validation Failed", "errors": [error], "documentation_url": DOCUMENTATION,
        "status": "422"});
    Reply::json(422, body)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl GitHub {
    /// Answers a request.
    pub(crate) fn call(&mut self, ask: &Ask<'_>) -> Reply {
        let token = header(ask.headers, "authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token"))
            .map(|(_, token)| token.trim().to_owned());
        let reply = self.answer(ask, token.as_deref());
        self.finish(reply, ask.now, token.as_deref())
    }

    /// Puts on what every answer carries: the request's id and the account of the rate limit.
    pub(crate) fn finish(&mut self, reply: Reply, now: Timestamp, token: Option<&str>) -> Reply {
        let (limit, used, reset) = match token.and_then(|token| self.tokens.get(token)) {
            Some(token) => (self.quota, token.used.min(self.quota), token.window_ends.max(now)),
            None => (60, 1, now),
        };
        let id = self.ids.hex(20).to_uppercase();
        let own = reply.headers.clone();
        let has = |name: &str| own.iter().any(|(own, _)| *own == name);
        let mut reply = reply.with("x-github-request-id", id).with("x-github-media-type", "github.v3; format=json");
        for (name, value) in [
            ("x-ratelimit-limit", limit),
            ("x-ratelimit-remaining", limit - used),
            ("x-ratelimit-used", used),
            ("x-ratelimit-reset", reset.as_millis().div_ceil(1000)),
        ] {
            // A fault that plays an exhausted limit has already said its numbers.
            if !has(name) {
                reply = reply.with(name, value.to_string());
            }
        }
        reply.with("x-ratelimit-resource", "core")
    }

    fn answer(&mut self, ask: &Ask<'_>, token: Option<&str>) -> Reply {
        let Ask { now, route, query, headers, body, base } = *ask;
        if header(headers, "user-agent").is_none_or(str::is_empty) {
            let message =
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
            return refuse(403, message);
        }
        if header(headers, "x-github-api-version").is_some_and(|version| !VERSIONS.contains(&version)) {
            return refuse(400, "The API version in the request is not supported.");
        }
        let Some(known) = token.and_then(|token| self.tokens.get_mut(token)).filter(|known| !known.revoked) else {
            let message = if token.is_some() { "Bad credentials" } else { "Requires authentication" };
            return refuse(401, message);
        };
        if now >= known.window_ends {
            known.window_ends = now + std::time::Duration::from_secs(3600);
            known.used = 0;
        }
        if known.used >= self.quota {
            return refuse(403, &format!("API rate limit exceeded for {}.", known.login));
        }
        known.used += 1;
        let (login, permission, visible) = (known.login.clone(), known.permission, known.repositories.clone());
        let at = match &route.repository {
            None => return refuse(404, "Not Found"),
            Some(Named::Id(id)) => self.repositories.iter().position(|repository| repository.id == *id),
            Some(Named::FullName(name)) => match self.position(name) {
                Some(at) => Some(at),
                None => {
                    let moved = self
                        .repositories
                        .iter()
                        .find(|repository| repository.old_names.iter().any(|old| old.eq_ignore_ascii_case(name)));
                    match moved {
                        Some(repository) => return self.redirect(repository, &route.endpoint, query, base),
                        None => None,
                    }
                }
            },
        };
        let Some(at) = at else { return refuse(404, "Not Found") };
        let id = self.repositories[at].id;
        if visible.is_some_and(|visible| !visible.contains(&id)) {
            return refuse(404, "Not Found");
        }
        let (wanted, text) = match route.endpoint {
            Endpoint::Create(_) => (Permission::Write, "statuses=write"),
            _ => (Permission::Read, "statuses=read"),
        };
        if permission < wanted {
            return refuse(403, "Resource not accessible by personal access token")
                .with("x-accepted-github-permissions", text);
        }
        match &route.endpoint {
            Endpoint::Create(sha) => self.create(now, at, sha, body, &login, base),
            Endpoint::List(reference) => self.list(at, reference, query, base, false),
            Endpoint::Combined(reference) => self.list(at, reference, query, base, true),
            Endpoint::Unknown => refuse(404, "Not Found"),
        }
    }

    fn redirect(&self, repository: &Repository, endpoint: &Endpoint, query: &str, base: &str) -> Reply {
        let (status, rest) = match endpoint {
            Endpoint::Create(sha) => (self.redirect_writes, format!("statuses/{sha}")),
            Endpoint::List(reference) => (301, format!("commits/{reference}/statuses")),
            Endpoint::Combined(reference) => (301, format!("commits/{reference}/status")),
            Endpoint::Unknown => return refuse(404, "Not Found"),
        };
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{base}/repositories/{}/{rest}{mark}{query}", repository.id);
        let documentation =
            "https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects";
        let body = json!({"message": "Moved Permanently", "url": url, "documentation_url": documentation});
        Reply::json(status, body).with("location", url)
    }

    fn create(&mut self, now: Timestamp, at: usize, sha: &str, body: &[u8], login: &str, base: &str) -> Reply {
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return refuse(400, "Problems parsing JSON");
        };
        if !request.is_object() {
            return refuse(400, "Body should be a JSON object");
        }
        let draft = match read(&request) {
            Ok(draft) => draft,
            Err(refusal) => return *refusal,
        };
        let repository = &mut self.repositories[at];
        if !repository.has_commit(sha) {
            return refuse(422, &format!("No commit found for SHA: {sha}"));
        }
        let statuses = repository.statuses.entry(sha.to_owned()).or_default();
        let same = |status: &&Status| status.context.to_lowercase() == draft.context.to_lowercase();
        let in_context = statuses.iter().filter(same).count();
        if in_context >= STATUS_LIMIT {
            let message = "This SHA and context has reached the maximum number of statuses.";
            return invalid("context", "custom", message);
        }
        let status = Status {
            id: self.next_status,
            state: draft.state,
            // Contexts are compared without case, and the first spelling stays.
            context: statuses.iter().find(same).map_or(draft.context, |status| status.context.clone()),
            description: draft.description,
            target_url: draft.target_url,
            created: now,
            creator: login.to_owned(),
        };
        self.next_status += 1;
        statuses.push(status.clone());
        let shown = Place { base, repository, sha }.status(&status);
        let location = shown["url"].as_str().unwrap_or_default().to_owned();
        let repository = repository.full_name.clone();
        self.posted.push(PostedStatus { at: now, repository, sha: sha.to_owned(), status });
        Reply::json(201, shown).with("location", location)
    }

    fn list(&self, at: usize, reference: &str, query: &str, base: &str, combined: bool) -> Reply {
        let repository = &self.repositories[at];
        let sha = match repository.resolve(reference) {
            Some(sha) => sha,
            None if repository.has_commit(reference) => reference,
            None => return refuse(422, &format!("No commit found for SHA: {reference}")),
        };
        let number = |key: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(name, _)| *name == key).find_map(|(_, value)| value.parse::<usize>().ok())
        };
        // Like the service, numbers out of range are brought into it.
        let per_page = number("per_page").unwrap_or(30).clamp(1, 100);
        let page = number("page").unwrap_or(1).max(1);
        let posted = repository.statuses.get(sha).map_or(&[][..], Vec::as_slice);
        let mut all: Vec<Status> = if combined { latest(posted).into_values().collect() } else { posted.to_vec() };
        all.sort_by_key(|status| std::cmp::Reverse(status.id));
        let shown: Vec<Status> = all.iter().skip((page - 1) * per_page).take(per_page).cloned().collect();
        let place = Place { base, repository, sha };
        let answer = match combined {
            true => place.combined(&all, &shown),
            false => shown.iter().map(|status| place.status(status)).collect(),
        };
        let pages = all.len().div_ceil(per_page).max(1);
        let rest = if combined { "status" } else { "statuses" };
        let link = |page: usize, relation: &str| {
            let id = repository.id;
            format!(
                "<{base}/repositories/{id}/commits/{sha}/{rest}?per_page={per_page}&page={page}>; rel=\"{relation}\""
            )
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(link(page - 1, "prev"));
        }
        if page < pages {
            links.push(link(page + 1, "next"));
            links.push(link(pages, "last"));
        }
        if page > 1 {
            links.push(link(1, "first"));
        }
        let reply = Reply { status: 200, headers: Vec::new(), body: Body::Json(answer) };
        if links.is_empty() { reply } else { reply.with("link", links.join(", ")) }
    }
}

/// A status as a request describes it.
struct Draft {
    state: State,
    context: String,
    description: Option<String>,
    target_url: Option<String>,
}

/// Reads the fields that GitHub knows; like GitHub it takes no offence at others.
fn read(request: &Value) -> Result<Draft, Box<Reply>> {
    let text = |field: &str| match &request[field] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(Box::new(invalid(field, "invalid", ""))),
    };
    let state = match text("state")? {
        None => return Err(Box::new(invalid("state", "missing_field", ""))),
        Some(state) => State::parse(&state)
            .ok_or_else(|| Box::new(invalid("state", "custom", "state is not included in the list")))?,
    };
    let (description, target_url) = (text("description")?, text("target_url")?);
    let context = text("context")?.filter(|context| !context.is_empty()).unwrap_or_else(|| "default".to_owned());
    let too_long = |field: &str, limit: usize| {
        let message = format!("{field} is too long (maximum is {limit} characters)");
        Box::new(invalid(field, "custom", &message))
    };
    if description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_LIMIT) {
        return Err(too_long("description", DESCRIPTION_LIMIT));
    }
    if context.chars().count() > CONTEXT_LIMIT {
        return Err(too_long("context", CONTEXT_LIMIT));
    }
    let is_web = |url: &String| url.is_empty() || url.starts_with("http://") || url.starts_with("https://");
    if !target_url.as_ref().is_none_or(is_web) {
        return Err(Box::new(invalid("target_url", "custom", "target_url must use http(s) scheme")));
    }
    Ok(Draft { state, context, description, target_url })
}
