//! The API of webhooks.

use serde_json::{Value, json};

use super::{Answered, Config, DeliveryOutcome, Hook, HookOwner};
use crate::domain::time::Timestamp;
use crate::standin::github::GitHub;
use crate::standin::github::access::Access;
use crate::standin::github::input::{Fields, Read, body, invalid_request};
use crate::standin::github::operations::{Ask, Query, refuse};
use crate::standin::github::people::Role;
use crate::standin::github::route::HOOKS;
use crate::standin::moment;
use crate::standin::wire::{Body, Reply};

/// For each event of a repository (docs.github.com, "Troubleshooting webhooks").
const HOOK_LIMIT: usize = 20;

/// What GitHub shows in the place of a secret.
const HIDDEN: &str = "********";

/// The events that a repository's webhook can hear of (docs.github.com, "Webhook events and payloads"), and `*` for all.
const EVENTS: &[&str] = &[
    "*",
    "branch_protection_rule",
    "check_run",
    "check_suite",
    "code_scanning_alert",
    "commit_comment",
    "create",
    "delete",
    "dependabot_alert",
    "deploy_key",
    "deployment",
    "deployment_status",
    "discussion",
    "discussion_comment",
    "fork",
    "gollum",
    "issue_comment",
    "issues",
    "label",
    "member",
    "meta",
    "milestone",
    "package",
    "page_build",
    "public",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "registry_package",
    "release",
    "repository",
    "repository_import",
    "repository_ruleset",
    "repository_vulnerability_alert",
    "secret_scanning_alert",
    "security_and_analysis",
    "star",
    "status",
    "team_add",
    "watch",
    "workflow_job",
    "workflow_run",
];

/// A 422 in the words of the hooks' own checks.
fn invalid(message: &str) -> Box<Reply> {
    let errors = json!([{"resource": "Hook", "code": "custom", "message": message}]);
    let documentation = "https://docs.github.com/rest/repos/webhooks";
    let body = json!({"message": "Validation Failed", "errors": errors, "documentation_url": documentation,
        "status": "422"});
    Box::new(Reply::json(422, body))
}

/// What a request says of where deliveries go. A secret that it does not name is none.
fn config(value: &Value) -> Read<Config> {
    let fields = Fields::of(value, &["url", "content_type", "secret", "insecure_ssl"])?;
    let url = fields.text("url")?.filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| invalid("Config must contain URL for webhooks"))?;
    let parsed = url.parse::<http::Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    let host = parsed.as_ref().and_then(http::Uri::host).ok_or_else(|| invalid("Invalid URL for webhooks"))?;
    // 127.0.0.1 would be refused like this too, but all that a stand-in can reach is there.
    if host.eq_ignore_ascii_case("localhost") {
        let message = format!("url is not supported because it isn't reachable over the public Internet ({host})");
        return Err(invalid(&message));
    }
    let insecure_ssl = match fields.get("insecure_ssl") {
        None => "0".to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => return Err(invalid_request(&format!("{other} is not a string or a number."))),
    };
    if !matches!(insecure_ssl.as_str(), "0" | "1") {
        return Err(invalid("Invalid insecure_ssl"));
    }
    let content_type = fields.one_of("content_type", &["form", "json"])?.unwrap_or("form");
    Ok(Config { url, content_type, secret: fields.text("secret")?.filter(|secret| !secret.is_empty()), insecure_ssl })
}

fn events(fields: &Fields<'_>, name: &str) -> Read<Option<Vec<String>>> {
    let Some(names) = fields.texts(name)? else { return Ok(None) };
    if let Some(unknown) = names.iter().find(|name| !EVENTS.contains(name)) {
        return Err(invalid(&format!("The following events are invalid: {unknown}")));
    }
    let mut events: Vec<String> = names.into_iter().map(str::to_owned).collect();
    events.sort_unstable();
    events.dedup();
    Ok(Some(events))
}

impl GitHub {
    /// Whether what is asked for is hidden from who asks: webhooks are for those who administer the repository. A person
    /// of whom no role was said administers all of them.
    pub(in crate::standin::github) fn is_hidden(&self, ask: &Ask<'_>, at: usize, access: &Access) -> bool {
        let is_of_hooks = ask.route.endpoint.permission().is_some_and(|(area, _)| area == HOOKS);
        let role = self.repositories[at].roles.get(&access.login.to_ascii_lowercase());
        is_of_hooks && access.app.is_none() && role.is_some_and(|role| *role != Role::Admin)
    }

    /// What a webhook may not become, beside the others of the repository.
    fn check_beside(&self, owner: HookOwner, own: Option<u64>, events: &[String], config: &Config) -> Read<()> {
        let others: Vec<&Hook> = self.hooks.of(owner).filter(|hook| Some(hook.id) != own).collect();
        let overlaps = |hook: &Hook, event: &String| hook.events.iter().any(|other| other == event || other == "*");
        let same = |hook: &&&Hook| hook.config.url == config.url && hook.config.content_type == config.content_type;
        let is_double =
            others.iter().filter(same).any(|hook| events.iter().any(|event| event == "*" || overlaps(hook, event)));
        if is_double {
            return Err(invalid("Hook already exists on this repository"));
        }
        let is_full = |event: &&String| others.iter().filter(|hook| overlaps(hook, event)).count() >= HOOK_LIMIT;
        match events.iter().find(is_full) {
            Some(full) => Err(invalid(&format!("The \"{full}\" event cannot have more than {HOOK_LIMIT} hooks"))),
            None => Ok(()),
        }
    }

    /// `POST /repos/{owner}/{repo}/hooks`.
    pub(in crate::standin::github) fn create_hook(&mut self, ask: &Ask<'_>, at: usize, access: &Access) -> Reply {
        let (active, events, config) = match self.read_new(ask.body, at) {
            Ok(read) => read,
            Err(refusal) => return *refusal,
        };
        let id = self.put_hook(ask.now, self.owner(at), active, events, config);
        // What is answered is what the webhook is before anything was sent to it.
        let reply = self.get_hook(at, id, ask.base);
        self.ping(ask.now, at, id, &access.login);
        Reply { status: 201, ..reply }.with("location", self.hook_url(at, id, ask.base))
    }

    fn read_new(&self, bytes: &[u8], at: usize) -> Read<(bool, Vec<String>, Config)> {
        let body = body(bytes)?;
        let fields = Fields::new(&body, &["name", "config", "events", "active"])?;
        fields.one_of("name", &["web"])?;
        let empty = json!({});
        let config = config(fields.get("config").unwrap_or(&empty))?;
        let events = events(&fields, "events")?.unwrap_or_else(|| vec!["push".to_owned()]);
        self.check_beside(self.owner(at), None, &events, &config)?;
        Ok((fields.flag("active")?.unwrap_or(true), events, config))
    }

    /// `PATCH /repos/{owner}/{repo}/hooks/{hook_id}`. A `config` without the secret takes the secret away.
    pub(in crate::standin::github) fn update_hook(&mut self, ask: &Ask<'_>, at: usize, id: u64) -> Reply {
        let Some(hook) = self.hooks.get(self.owner(at), id).cloned() else { return refuse(404, "Not Found") };
        let mut changed = match self.read_change(ask.body, hook) {
            Ok(changed) => changed,
            Err(refusal) => return *refusal,
        };
        changed.updated = ask.now;
        self.hooks.hooks.insert(id, changed);
        self.get_hook(at, id, ask.base)
    }

    fn read_change(&self, bytes: &[u8], mut hook: Hook) -> Read<Hook> {
        let body = body(bytes)?;
        let fields = Fields::new(&body, &["config", "events", "add_events", "remove_events", "active"])?;
        if let Some(value) = fields.get("config") {
            hook.config = config(value)?;
        }
        if let Some(events) = events(&fields, "events")? {
            hook.events = events;
        }
        hook.events.extend(events(&fields, "add_events")?.unwrap_or_default());
        let removed = events(&fields, "remove_events")?.unwrap_or_default();
        hook.events.retain(|event| !removed.contains(event));
        hook.events.sort_unstable();
        hook.events.dedup();
        hook.active = fields.flag("active")?.unwrap_or(hook.active);
        self.check_beside(hook.owner, Some(hook.id), &hook.events, &hook.config)?;
        Ok(hook)
    }

    /// `DELETE /repos/{owner}/{repo}/hooks/{hook_id}`. Its deliveries go with it.
    pub(in crate::standin::github) fn delete_hook(&mut self, at: usize, id: u64) -> Reply {
        if self.hooks.get(self.owner(at), id).is_none() {
            return refuse(404, "Not Found");
        }
        self.hooks.hooks.remove(&id);
        self.hooks.deliveries.retain(|delivery| delivery.hook != id);
        no_content()
    }

    /// `POST /repos/{owner}/{repo}/hooks/{hook_id}/pings`.
    pub(in crate::standin::github) fn ping_hook(
        &mut self,
        now: Timestamp,
        at: usize,
        id: u64,
        access: &Access,
    ) -> Reply {
        if self.hooks.get(self.owner(at), id).is_none() {
            return refuse(404, "Not Found");
        }
        self.ping(now, at, id, &access.login);
        no_content()
    }

    /// `GET /repos/{owner}/{repo}/hooks`.
    pub(in crate::standin::github) fn list_hooks(&self, at: usize, query: &Query, base: &str) -> Reply {
        let all: Vec<&Hook> = self.hooks.of(self.owner(at)).collect();
        let path = format!("repositories/{}/hooks", self.repositories[at].id);
        let (page, links) = query.page(&all, base, &path);
        let shown = page.iter().map(|hook| self.show_hook(hook, at, base)).collect();
        links.on(Reply::json(200, Value::Array(shown)))
    }

    /// `GET /repos/{owner}/{repo}/hooks/{hook_id}`.
    pub(in crate::standin::github) fn get_hook(&self, at: usize, id: u64, base: &str) -> Reply {
        match self.hooks.get(self.owner(at), id) {
            Some(hook) => Reply::json(200, self.show_hook(hook, at, base)),
            None => refuse(404, "Not Found"),
        }
    }

    /// `GET /app/hook/config`.
    pub(in crate::standin::github) fn app_hook_config(&self, app: u64) -> Reply {
        match self.hooks.of(HookOwner::App(app)).next() {
            Some(hook) => Reply::json(200, show_config(&hook.config)),
            None => refuse(404, "Not Found"),
        }
    }

    fn hook_url(&self, at: usize, id: u64, base: &str) -> String {
        format!("{base}/repos/{}/hooks/{id}", self.repositories[at].full_name)
    }

    pub(super) fn show_hook(&self, hook: &Hook, at: usize, base: &str) -> Value {
        let url = self.hook_url(at, hook.id, base);
        json!({
            "type": "Repository",
            "id": hook.id,
            "name": "web",
            "active": hook.active,
            "events": hook.events,
            "config": show_config(&hook.config),
            "updated_at": moment::seconds(hook.updated),
            "created_at": moment::seconds(hook.created),
            "url": url,
            "test_url": format!("{url}/test"),
            "ping_url": format!("{url}/pings"),
            "deliveries_url": format!("{url}/deliveries"),
            "last_response": show_last_response(hook.last_response.as_ref()),
        })
    }
}

fn no_content() -> Reply {
    Reply { status: 204, headers: Vec::new(), body: Body::Empty }
}

fn show_config(config: &Config) -> Value {
    let mut shown = json!({
        "content_type": config.content_type,
        "insecure_ssl": config.insecure_ssl,
        "url": config.url,
    });
    if config.secret.is_some() {
        shown["secret"] = json!(HIDDEN);
    }
    shown
}

fn show_last_response(last: Option<&Answered>) -> Value {
    let Some(answered) = last else {
        return json!({"code": null, "status": "unused", "message": null});
    };
    let (status, message) = match &answered.outcome {
        DeliveryOutcome::Answered { status: 200..=399, .. } => ("active", "OK".to_owned()),
        DeliveryOutcome::Answered { status: 404, .. } => ("missing", answered.text()),
        DeliveryOutcome::Answered { .. } => ("misconfigured", answered.text()),
        DeliveryOutcome::NoConnection => ("connection_error", answered.text()),
        DeliveryOutcome::TimedOut => ("timeout", answered.text()),
    };
    json!({"code": answered.code(), "status": status, "message": message})
}
