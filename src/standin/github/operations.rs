//! GitHub's REST API on the wire.

use http::HeaderMap;
use serde_json::{Value, json};

use super::access::{Access, Caller};
use super::route::{Endpoint, Named, Route};
use super::{GitHub, HookOwner, Repository, view};
use crate::domain::time::Timestamp;
use crate::standin::moment;
use crate::standin::wire::Reply;

const DOCUMENTATION: &str = "https://docs.github.com/rest";
/// The values of `X-GitHub-Api-Version` that are supported.
const VERSIONS: &[&str] = &["2022-11-28", "2026-03-10"];

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

pub(super) fn refuse(status: u16, message: &str) -> Reply {
    let body = json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()});
    Reply::json(status, body)
}

/// A 422 about one field of something.
pub(super) fn validation_failed(resource: &str, field: &str, code: &str, message: &str) -> Reply {
    let error = match code {
        "custom" => json!({"resource": resource, "code": code, "field": field, "message": message}),
        _ => json!({"resource": resource, "code": code, "field": field}),
    };
    let body = json!({"message": "Validation Failed", "errors": [error], "documentation_url": DOCUMENTATION,
        "status": "422"});
    Reply::json(422, body)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A request's query.
pub(super) struct Query(Vec<(String, String)>);

/// Where the other pages of a list are.
pub(super) struct Links(Vec<String>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The page that is asked for of a list that lies at this path.
    pub(super) fn page<'a, T>(&self, all: &'a [T], base: &str, path: &str) -> (&'a [T], Links) {
        let number = |name: &str| self.get(name).and_then(|value| value.parse::<usize>().ok());
        // Like the service, numbers out of range are brought into it.
        let per_page = number("per_page").unwrap_or(30).clamp(1, 100);
        let page = number("page").unwrap_or(1).max(1);
        let pages = all.len().div_ceil(per_page).max(1);
        let others = self.0.iter().filter(|(name, _)| name != "page" && name != "per_page");
        let others = form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
        let mark = if others.is_empty() { "" } else { "&" };
        let link = |page: usize, relation: &str| {
            format!("<{base}/{path}?{others}{mark}per_page={per_page}&page={page}>; rel=\"{relation}\"")
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
        let start = (page - 1).saturating_mul(per_page).min(all.len());
        let end = start.saturating_add(per_page).min(all.len());
        (&all[start..end], Links(links))
    }
}

impl Links {
    pub(super) fn on(self, reply: Reply) -> Reply {
        if self.0.is_empty() { reply } else { reply.with("link", self.0.join(", ")) }
    }
}

/// A request or an answer for the journal, which holds no credential.
pub(crate) fn without_secrets(mut body: Value) -> Value {
    for place in ["/token", "/config/secret"] {
        if let Some(secret) = body.pointer_mut(place) {
            *secret = json!("(secret)");
        }
    }
    body
}

impl GitHub {
    /// Answers a request.
    pub(crate) fn call(&mut self, ask: &Ask<'_>) -> Reply {
        let token = header(ask.headers, "authorization")
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token"))
            .map(|(_, token)| token.trim().to_owned());
        let reply = self.answer(ask, token.as_deref()).unwrap_or_else(|refusal| *refusal);
        self.finish(reply, ask.now, token.as_deref())
    }

    /// Puts on what every answer carries: the request's id and the account of the rate limit.
    pub(crate) fn finish(&mut self, reply: Reply, now: Timestamp, token: Option<&str>) -> Reply {
        let (limit, used, reset) = match token.and_then(|token| self.meter(now, token)) {
            Some(meter) => (self.quota, meter.used.min(self.quota), meter.window_ends.max(now)),
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
        let expires = token.and_then(|token| self.tokens.get(token)?.expires);
        if let Some(expires) = expires {
            reply = reply.with("github-authentication-token-expiration", moment::spaced(expires));
        }
        reply.with("x-ratelimit-resource", "core")
    }

    fn answer(&mut self, ask: &Ask<'_>, token: Option<&str>) -> Result<Reply, Box<Reply>> {
        let Ask { now, route, headers, base, .. } = *ask;
        let refused = |status: u16, message: &str| Err(Box::new(refuse(status, message)));
        if header(headers, "user-agent").is_none_or(str::is_empty) {
            let message =
                "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
            return refused(403, message);
        }
        // A header that comes twice is read as one, with both values.
        let versions: Vec<&[u8]> = headers.get_all("x-github-api-version").iter().map(AsRef::as_ref).collect();
        let version = versions.join(&b", "[..]);
        if !versions.is_empty() && !VERSIONS.iter().any(|known| known.as_bytes() == version) {
            return refused(400, "The API version in the request is not supported.");
        }
        let caller = self.identify(now, token)?;
        let access = match (caller, &route.endpoint) {
            (Caller::App(app), Endpoint::Installation) => {
                let at = self.place(ask, |_| true)?;
                return Ok(self.installation_of(app, at, base));
            }
            (Caller::App(app), Endpoint::CreateInstallationToken(id)) => {
                return Ok(self.create_installation_token(now, app, *id, ask.body, base));
            }
            (Caller::App(app), Endpoint::App) => return Ok(Reply::json(200, self.show_app(app, base))),
            (Caller::Access(access), Endpoint::User) => {
                return match access.app {
                    None => Ok(Reply::json(200, view::public_user(base, &access.login))),
                    Some(_) => refused(403, "Resource not accessible by integration"),
                };
            }
            (Caller::App(app), Endpoint::AppHook) => return Ok(self.app_hook_config(app)),
            (Caller::App(app), Endpoint::ListDeliveries(None)) => {
                return Ok(self.list_deliveries(ask, &Query::parse(ask.query), &HookOwner::App(app), None));
            }
            (Caller::App(app), Endpoint::GetDelivery(None, id)) => {
                return Ok(self.get_delivery(now, &HookOwner::App(app), None, *id));
            }
            (Caller::App(app), Endpoint::Redeliver(None, id)) => {
                return Ok(self.redeliver(now, &HookOwner::App(app), None, *id));
            }
            (
                _,
                Endpoint::Installation
                | Endpoint::CreateInstallationToken(_)
                | Endpoint::App
                | Endpoint::AppHook
                | Endpoint::ListDeliveries(None)
                | Endpoint::GetDelivery(None, _)
                | Endpoint::Redeliver(None, _),
            ) => return refused(401, "A JSON web token could not be decoded"),
            (Caller::App(_), _) => return refused(403, "Resource not accessible by integration"),
            (Caller::Access(access), _) => access,
        };
        let at = self.place(ask, |repository| access.sees(repository.id))?;
        match route.endpoint.permission().and_then(|needed| access.refusal(needed)) {
            Some(refusal) => Err(Box::new(refusal)),
            None if self.is_hidden(ask, at, &access) => refused(404, "Not Found"),
            None => Ok(self.dispatch(ask, at, &access)),
        }
    }

    /// The repository that a request names, where it may be seen.
    fn place(&self, ask: &Ask<'_>, is_visible: impl Fn(&Repository) -> bool) -> Result<usize, Box<Reply>> {
        let at = match &ask.route.repository {
            None => None,
            Some(Named::Id(id)) => self.repositories.iter().position(|repository| repository.id == *id),
            Some(Named::FullName(name)) => {
                let is_old =
                    |repository: &&Repository| repository.old_names.iter().any(|old| old.eq_ignore_ascii_case(name));
                match (self.position(name), self.repositories.iter().find(is_old)) {
                    (None, Some(moved)) => return Err(Box::new(self.redirect(moved, ask))),
                    (found, _) => found,
                }
            }
        };
        at.filter(|at| is_visible(&self.repositories[*at])).ok_or_else(|| Box::new(refuse(404, "Not Found")))
    }

    fn dispatch(&mut self, ask: &Ask<'_>, at: usize, access: &Access) -> Reply {
        let (query, base) = (&Query::parse(ask.query), ask.base);
        match &ask.route.endpoint {
            Endpoint::CreateStatus(sha) => self.create_status(ask, at, sha, access),
            Endpoint::ListStatuses(reference) => self.list_statuses(at, reference, query, base, false),
            Endpoint::CombinedStatus(reference) => self.list_statuses(at, reference, query, base, true),
            Endpoint::CreateCheckRun => self.create_check_run(ask, at, access),
            Endpoint::UpdateCheckRun(id) => self.update_check_run(ask, at, *id, access),
            Endpoint::GetCheckRun(id) => self.get_check_run(at, *id, base),
            Endpoint::ListCheckRuns(reference) => self.list_check_runs(at, reference, query, base),
            Endpoint::CreateDeployment => self.create_deployment(ask, at, access),
            Endpoint::GetDeployment(id) => self.get_deployment(at, *id, base),
            Endpoint::ListDeployments => self.list_deployments(at, query, base),
            Endpoint::CreateDeploymentStatus(id) => self.create_deployment_status(ask, at, *id, access),
            Endpoint::ListDeploymentStatuses(id) => self.list_deployment_statuses(at, *id, query, base),
            Endpoint::GetTag(sha) => self.get_tag(at, sha, base),
            Endpoint::Permission(login) => self.permission_of(at, login, base),
            Endpoint::CreateHook => self.create_hook(ask, at, access),
            Endpoint::ListHooks => self.list_hooks(at, query, base),
            Endpoint::GetHook(id) => self.get_hook(at, *id, base),
            Endpoint::UpdateHook(id) => self.update_hook(ask, at, *id),
            Endpoint::DeleteHook(id) => self.delete_hook(at, *id),
            Endpoint::PingHook(id) => self.ping_hook(ask.now, at, *id, access),
            Endpoint::ListDeliveries(hook) => self.list_deliveries(ask, query, &self.owner(at), *hook),
            Endpoint::GetDelivery(hook, id) => self.get_delivery(ask.now, &self.owner(at), *hook, *id),
            Endpoint::Redeliver(hook, id) => self.redeliver(ask.now, &self.owner(at), *hook, *id),
            Endpoint::Installation
            | Endpoint::CreateInstallationToken(_)
            | Endpoint::User
            | Endpoint::App
            | Endpoint::AppHook
            | Endpoint::Unknown => refuse(404, "Not Found"),
        }
    }

    fn redirect(&self, repository: &Repository, ask: &Ask<'_>) -> Reply {
        let Ask { route, query, base, .. } = ask;
        let status = match route.endpoint {
            Endpoint::Unknown => return refuse(404, "Not Found"),
            _ if route.writes => self.redirect_writes,
            _ => 301,
        };
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{base}/repositories/{}/{}{mark}{query}", repository.id, route.rest);
        let documentation =
            "https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects";
        let body = json!({"message": "Moved Permanently", "url": url, "documentation_url": documentation});
        Reply::json(status, body).with("location", url)
    }
}
