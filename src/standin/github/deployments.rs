//! Deployments: what is deployed where, and how it went.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::access::Access;
use super::input::{Fields, Read, body, invalid_request};
use super::operations::{Ask, Query, refuse, validation_failed};
use super::{GitHub, Repository, State, latest, view};
use crate::domain::time::Timestamp;
use crate::standin::moment;
use crate::standin::wire::Reply;

const STATES: &[&str] = &["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];
const DESCRIPTION_LIMIT: usize = 140;
const ENVIRONMENT_LIMIT: usize = 255;

/// A state that a deployment was in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentStatus {
    /// Grows with every state of this world.
    pub id: u64,
    /// `error`, `failure`, `inactive`, `in_progress`, `queued`, `pending` or `success`.
    pub state: &'static str,
    /// At most 140 characters.
    pub description: String,
    /// Where its log is.
    pub log_url: String,
    /// Where what was deployed can be seen.
    pub environment_url: String,
    /// The environment as it was called then.
    pub environment: String,
    /// When it was sent.
    pub created: Timestamp,
    /// Whose token sent it.
    pub creator: String,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Grows with every deployment of this world.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// The branch, tag or commit that was asked for.
    pub reference: String,
    /// `deploy` unless told otherwise.
    pub task: String,
    /// Whatever the creator put there.
    pub payload: Value,
    /// Where it goes.
    pub environment: String,
    /// In a few words.
    pub description: Option<String>,
    /// Whether the environment will be gone some day.
    pub transient: bool,
    /// Whether the environment is what people use.
    pub production: bool,
    /// When it was created.
    pub created: Timestamp,
    /// Whose token created it.
    pub creator: String,
    /// Its states in the order in which they were sent.
    pub statuses: Vec<DeploymentStatus>,
    repository: u64,
    app: Option<u64>,
}

impl Deployment {
    /// The state that counts; `None` before the first.
    pub fn state(&self) -> Option<&'static str> {
        self.statuses.last().map(|status| status.state)
    }
}

#[derive(Debug, Default)]
pub(super) struct Deployments {
    all: BTreeMap<u64, Deployment>,
    states_made: u64,
}

impl Deployments {
    fn in_repository(&self, repository: u64, id: u64) -> Option<&Deployment> {
        self.all.get(&id).filter(|deployment| deployment.repository == repository)
    }

    fn next_state(&mut self) -> u64 {
        self.states_made += 1;
        55_000 + self.states_made
    }
}

impl GitHub {
    /// The deployments of a repository in the order in which they were created.
    pub fn deployments(&self, repository: &str) -> Vec<Deployment> {
        let Some(id) = self.position(repository).map(|at| self.repositories[at].id) else { return Vec::new() };
        self.deployments.all.values().filter(|deployment| deployment.repository == id).cloned().collect()
    }

    /// `POST /repos/{owner}/{repo}/deployments`.
    pub(super) fn create_deployment(&mut self, ask: &Ask<'_>, at: usize, access: &Access) -> Reply {
        match self.draft_deployment(ask, at, access) {
            Ok(deployment) => {
                let shown = self.show_deployment(&self.repositories[at], &deployment, ask.base);
                self.deployments.all.insert(deployment.id, deployment);
                let location = shown["url"].as_str().unwrap_or_default().to_owned();
                Reply::json(201, shown).with("location", location)
            }
            Err(other) => *other,
        }
    }

    fn draft_deployment(&self, ask: &Ask<'_>, at: usize, access: &Access) -> Read<Deployment> {
        let known = [
            "ref",
            "task",
            "auto_merge",
            "required_contexts",
            "payload",
            "environment",
            "description",
            "transient_environment",
            "production_environment",
        ];
        let body = body(ask.body)?;
        let fields = Fields::new(&body, &known)?;
        let repository = &self.repositories[at];
        let reference = fields.required_text("ref", usize::MAX)?;
        let sha = match repository.resolve(&reference) {
            Some(sha) => sha.to_owned(),
            None if repository.has_commit(&reference) => reference.clone(),
            None => return Err(Box::new(refuse(422, &format!("No ref found for: {reference}")))),
        };
        let payload = match fields.get("payload") {
            None => json!(""),
            Some(payload @ (Value::Object(_) | Value::String(_))) => payload.clone(),
            Some(_) => return Err(invalid_request("For 'properties/payload', it is no object and no string.")),
        };
        let given = |text: Option<String>, default: &str| {
            text.filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned())
        };
        let environment = given(fields.short_text("environment", ENVIRONMENT_LIMIT)?, "production");
        let task = given(fields.text("task")?, "deploy");
        let description = fields.short_text("description", DESCRIPTION_LIMIT)?;
        let transient = fields.flag("transient_environment")?.unwrap_or(false);
        let production = fields.flag("production_environment")?.unwrap_or(environment == "production");
        if fields.flag("auto_merge")?.unwrap_or(true) {
            merged(repository, &reference, &sha)?;
        }
        self.check_contexts(repository, &reference, &sha, fields.texts("required_contexts")?)?;
        Ok(Deployment {
            id: 50_001 + self.deployments.all.len() as u64,
            sha,
            reference,
            task,
            payload,
            environment,
            description,
            transient,
            production,
            created: ask.now,
            creator: access.login.clone(),
            statuses: Vec::new(),
            repository: repository.id,
            app: access.app,
        })
    }

    /// Every context that is required, and without a list every one that the commit has, must be a success.
    fn check_contexts(
        &self,
        repository: &Repository,
        reference: &str,
        sha: &str,
        required: Option<Vec<&str>>,
    ) -> Read<()> {
        let mut shown: BTreeMap<String, &'static str> = BTreeMap::new();
        for run in self.checks.on(repository.id, sha) {
            shown.insert(run.name.clone(), run.conclusion.unwrap_or("pending"));
        }
        for (context, status) in latest(repository.statuses.get(sha).map_or(&[][..], Vec::as_slice)) {
            shown.insert(context, status.state.as_str());
        }
        let required = required.map(|names| names.into_iter().map(str::to_owned).collect());
        let required: Vec<String> = required.unwrap_or_else(|| shown.keys().cloned().collect());
        let state = |name: &String| shown.get(name).copied().unwrap_or("pending");
        let is_bad = required.iter().any(|name| state(name) != State::Success.as_str());
        if !is_bad {
            return Ok(());
        }
        let contexts: Vec<Value> = required.iter().map(|name| json!({"context": name, "state": state(name)})).collect();
        let message = format!("Conflict: Commit status checks failed for {reference}.");
        let error =
            json!({"contexts": contexts, "resource": "Deployment", "field": "required_contexts", "code": "invalid"});
        Err(Box::new(Reply::json(409, json!({"message": message, "errors": [error], "status": "409"}))))
    }

    /// `GET /repos/{owner}/{repo}/deployments`.
    pub(super) fn list_deployments(&self, at: usize, query: &Query, base: &str) -> Reply {
        let repository = &self.repositories[at];
        let fits = |name: &str, value: &str| query.get(name).is_none_or(|wanted| wanted == value || wanted == "none");
        let all = self.deployments.all.values().rev().filter(|deployment| deployment.repository == repository.id);
        let all: Vec<&Deployment> = all
            .filter(|deployment| fits("sha", &deployment.sha) && fits("ref", &deployment.reference))
            .filter(|deployment| fits("task", &deployment.task) && fits("environment", &deployment.environment))
            .collect();
        let (page, links) = query.page(&all, base, &format!("repositories/{}/deployments", repository.id));
        links.on(Reply::json(200, page.iter().map(|one| self.show_deployment(repository, one, base)).collect()))
    }

    /// `GET /repos/{owner}/{repo}/deployments/{deployment_id}`.
    pub(super) fn get_deployment(&self, at: usize, id: u64, base: &str) -> Reply {
        let repository = &self.repositories[at];
        match self.deployments.in_repository(repository.id, id) {
            Some(deployment) => Reply::json(200, self.show_deployment(repository, deployment, base)),
            None => refuse(404, "Not Found"),
        }
    }

    /// `GET /repos/{owner}/{repo}/deployments/{deployment_id}/statuses`.
    pub(super) fn list_deployment_statuses(&self, at: usize, id: u64, query: &Query, base: &str) -> Reply {
        let repository = &self.repositories[at];
        let Some(deployment) = self.deployments.in_repository(repository.id, id) else {
            return refuse(404, "Not Found");
        };
        let all: Vec<&DeploymentStatus> = deployment.statuses.iter().rev().collect();
        let path = format!("repositories/{}/deployments/{id}/statuses", repository.id);
        let (page, links) = query.page(&all, base, &path);
        let show = |status: &&DeploymentStatus| self.show_deployment_status(repository, deployment, status, base);
        links.on(Reply::json(200, page.iter().map(show).collect()))
    }

    /// `POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses`.
    pub(super) fn create_deployment_status(&mut self, ask: &Ask<'_>, at: usize, id: u64, access: &Access) -> Reply {
        let repository = self.repositories[at].id;
        let Some(deployment) = self.deployments.in_repository(repository, id).cloned() else {
            return refuse(404, "Not Found");
        };
        let (mut status, auto_inactive) = match draft_status(ask, &deployment, access) {
            Ok(draft) => draft,
            Err(refusal) => return *refusal,
        };
        status.id = self.deployments.next_state();
        if status.state == "success" && auto_inactive {
            self.deactivate(ask.now, &deployment, &access.login);
        }
        let shown = self.show_deployment_status(&self.repositories[at], &deployment, &status, ask.base);
        if let Some(deployment) = self.deployments.all.get_mut(&id) {
            deployment.environment.clone_from(&status.environment);
            deployment.statuses.push(status);
        }
        let location = shown["url"].as_str().unwrap_or_default().to_owned();
        Reply::json(201, shown).with("location", location)
    }

    /// What succeeded earlier in the same environment makes room, unless that is transient or production.
    fn deactivate(&mut self, now: Timestamp, newest: &Deployment, creator: &str) {
        let makes_room = |earlier: &&Deployment| {
            earlier.id < newest.id
                && earlier.repository == newest.repository
                && earlier.environment == newest.environment
                && !earlier.transient
                && !earlier.production
                && earlier.state() == Some("success")
        };
        let ids: Vec<u64> = self.deployments.all.values().filter(makes_room).map(|earlier| earlier.id).collect();
        for id in ids {
            let status = DeploymentStatus {
                id: self.deployments.next_state(),
                state: "inactive",
                description: String::new(),
                log_url: String::new(),
                environment_url: String::new(),
                environment: newest.environment.clone(),
                created: now,
                creator: creator.to_owned(),
            };
            if let Some(earlier) = self.deployments.all.get_mut(&id) {
                earlier.statuses.push(status);
            }
        }
    }

    fn show_deployment(&self, repository: &Repository, deployment: &Deployment, base: &str) -> Value {
        let Deployment { id, sha, reference, task, payload, environment, description, .. } = deployment;
        let repository_url = format!("{base}/repos/{}", repository.full_name);
        let url = format!("{repository_url}/deployments/{id}");
        let mut shown = json!({
            "url": url,
            "id": id,
            "node_id": format!("DE_{id:016x}"),
            "sha": sha,
            "ref": reference,
            "task": task,
            "payload": payload,
            "original_environment": environment,
            "environment": environment,
            "description": description,
            "creator": view::user(base, &deployment.creator),
            "created_at": moment::seconds(deployment.created),
            "updated_at": moment::seconds(deployment.statuses.last().map_or(deployment.created, |last| last.created)),
            "statuses_url": format!("{url}/statuses"),
            "repository_url": repository_url,
            "transient_environment": deployment.transient,
            "production_environment": deployment.production,
        });
        shown["performed_via_github_app"] = deployment.app.map_or(Value::Null, |app| self.show_app(app, base));
        shown
    }

    fn show_deployment_status(
        &self,
        repository: &Repository,
        deployment: &Deployment,
        status: &DeploymentStatus,
        base: &str,
    ) -> Value {
        let repository_url = format!("{base}/repos/{}", repository.full_name);
        let deployment_url = format!("{repository_url}/deployments/{}", deployment.id);
        json!({
            "url": format!("{deployment_url}/statuses/{}", status.id),
            "id": status.id,
            "node_id": format!("DES_{:016x}", status.id),
            "state": status.state,
            "creator": view::user(base, &status.creator),
            "description": status.description,
            "environment": status.environment,
            "target_url": status.log_url,
            "log_url": status.log_url,
            "environment_url": status.environment_url,
            "created_at": moment::seconds(status.created),
            "updated_at": moment::seconds(status.created),
            "deployment_url": deployment_url,
            "repository_url": repository_url,
            "performed_via_github_app": deployment.app.map_or(Value::Null, |app| self.show_app(app, base)),
        })
    }
}

/// What GitHub does first unless it is told not to: it brings the ref up to date with the default branch. A ref that is
/// somewhere else is taken to be behind, for this GitHub knows of no commit's parents.
fn merged(repository: &Repository, reference: &str, sha: &str) -> Read<()> {
    let default_branch = &repository.default_branch;
    let is_behind = repository.resolve(default_branch).is_some_and(|head| head != sha);
    if !is_behind {
        return Ok(());
    }
    if repository.resolve(reference).is_some() {
        let message = format!("Auto-merged {default_branch} into {reference} on deployment.");
        return Err(Box::new(Reply::json(202, json!({"message": message}))));
    }
    // Nothing can be merged into a commit.
    Err(Box::new(refuse(409, &format!("Conflict merging {default_branch} into {reference}."))))
}

/// The state that a request asks for, and whether it makes earlier deployments inactive.
fn draft_status(ask: &Ask<'_>, deployment: &Deployment, access: &Access) -> Read<(DeploymentStatus, bool)> {
    let known = ["state", "target_url", "log_url", "description", "environment", "environment_url", "auto_inactive"];
    let body = body(ask.body)?;
    let fields = Fields::new(&body, &known)?;
    let description = fields.text("description")?.unwrap_or_default();
    if description.chars().count() > DESCRIPTION_LIMIT {
        let message = format!("description is too long (maximum is {DESCRIPTION_LIMIT} characters)");
        return Err(Box::new(validation_failed("DeploymentStatus", "description", "custom", &message)));
    }
    let earlier = deployment.statuses.last().map(|status| &status.environment);
    let environment = fields.short_text("environment", ENVIRONMENT_LIMIT)?;
    let status = DeploymentStatus {
        id: 0,
        state: Fields::required("state", fields.one_of("state", STATES)?)?,
        description,
        log_url: fields.url("log_url")?.or(fields.url("target_url")?).unwrap_or_default(),
        environment_url: fields.url("environment_url")?.unwrap_or_default(),
        environment: environment.unwrap_or_else(|| earlier.unwrap_or(&deployment.environment).clone()),
        created: ask.now,
        creator: access.login.clone(),
    };
    Ok((status, fields.flag("auto_inactive")?.unwrap_or(true)))
}
