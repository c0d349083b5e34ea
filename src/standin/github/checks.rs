//! Check runs and the suites that they are in: what an App shows on a commit.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::access::Access;
use super::apps::homepage;
use super::check_input::Draft;
use super::input::body;
use super::operations::{Ask, Query, refuse};
use super::{GitHub, Repository};
use crate::domain::time::Timestamp;
use crate::standin::moment;
use crate::standin::wire::Reply;

/// The most check runs of one name that a suite keeps; older ones are deleted.
const RUNS_LIMIT: usize = 1000;

/// A remark on lines of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnnotation {
    /// The file.
    pub path: String,
    /// The first line.
    pub start_line: u64,
    /// The last line.
    pub end_line: u64,
    /// `notice`, `warning` or `failure`.
    pub level: &'static str,
    /// What is remarked.
    pub message: String,
    /// A line above it.
    pub title: Option<String>,
}

/// What a check run's page says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckOutput {
    /// The heading.
    pub title: Option<String>,
    /// Markdown.
    pub summary: Option<String>,
    /// More of it.
    pub text: Option<String>,
    /// Every annotation so far.
    pub annotations: Vec<CheckAnnotation>,
}

/// A button on a check run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckButton {
    /// What stands on it.
    pub label: String,
    /// What it does.
    pub description: String,
    /// What GitHub tells the App when it is pressed.
    pub identifier: String,
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRun {
    /// Grows with every check run of this world.
    pub id: u64,
    /// The App that made it.
    pub app: u64,
    /// The suite that it is in: one for each App and commit.
    pub suite: u64,
    /// Its name, by which the latest counts.
    pub name: String,
    /// The commit.
    pub head_sha: String,
    /// What the App knows it by.
    pub external_id: String,
    /// Where it links to.
    pub details_url: String,
    /// `queued`, `in_progress` or `completed`.
    pub status: &'static str,
    /// How it ended: where it is completed.
    pub conclusion: Option<&'static str>,
    /// When it began, as it was sent.
    pub started_at: String,
    /// When it ended, as it was sent.
    pub completed_at: Option<String>,
    /// Its texts.
    pub output: CheckOutput,
    /// Its buttons.
    pub actions: Vec<CheckButton>,
}

/// A check run as it was created or updated, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckChange {
    /// When it happened.
    pub at: Timestamp,
    /// The repository's name at that time.
    pub repository: String,
    /// Whether it was created then.
    pub created: bool,
    /// What it was from then on.
    pub run: CheckRun,
}

/// All of an App's check runs on a commit.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) id: u64,
    pub(super) app: u64,
    pub(super) repository: u64,
    pub(super) head_sha: String,
    pub(super) created: Timestamp,
    /// When a check run of it was last made or changed.
    pub(super) updated: Timestamp,
    /// Somebody asked for all to run again, and nothing has happened since.
    pub(super) is_rerequested: bool,
}

#[derive(Debug, Default)]
pub(super) struct Checks {
    suites: Vec<Suite>,
    runs: BTreeMap<u64, CheckRun>,
    /// Runs that were ever made: a number is never used again.
    made: u64,
    changes: Vec<CheckChange>,
}

impl Checks {
    pub(super) fn suite(&self, id: u64) -> Option<&Suite> {
        self.suites.iter().find(|suite| suite.id == id)
    }

    pub(super) fn suite_mut(&mut self, id: u64) -> Option<&mut Suite> {
        self.suites.iter_mut().find(|suite| suite.id == id)
    }

    pub(super) fn suite_of(&self, app: u64, repository: u64, sha: &str) -> Option<&Suite> {
        let is_it = |suite: &&Suite| suite.app == app && suite.repository == repository && suite.head_sha == sha;
        self.suites.iter().find(is_it)
    }

    /// A check run in a repository.
    pub(super) fn run(&self, repository: u64, id: u64) -> Option<&CheckRun> {
        let run = self.runs.get(&id)?;
        self.suite(run.suite).is_some_and(|suite| suite.repository == repository).then_some(run)
    }

    /// The check runs of a commit, in the order in which they were made.
    pub(super) fn on(&self, repository: u64, sha: &str) -> impl Iterator<Item = &CheckRun> {
        self.runs.values().filter(move |run| run.head_sha == sha && self.run(repository, run.id).is_some())
    }

    /// The check runs that count in a suite: the latest of each name.
    pub(super) fn latest_in(&self, suite: u64) -> BTreeMap<&str, &CheckRun> {
        self.runs.values().filter(|run| run.suite == suite).map(|run| (run.name.as_str(), run)).collect()
    }

    /// A suite's status and conclusion: those of what counts in it.
    pub(super) fn standing(&self, suite: &Suite) -> (&'static str, Option<&'static str>) {
        let latest = self.latest_in(suite.id);
        let any = |status: &str| latest.values().any(|run| run.status == status);
        if suite.is_rerequested || latest.is_empty() {
            return ("queued", None);
        }
        if latest.values().any(|run| run.status != "completed") {
            let has_begun = any("in_progress") || any("completed");
            return (if has_begun { "in_progress" } else { "queued" }, None);
        }
        let worst_first = ["failure", "timed_out", "cancelled", "action_required", "success", "neutral", "skipped"];
        let ended = |conclusion: &&&str| latest.values().any(|run| run.conclusion == Some(**conclusion));
        ("completed", worst_first.iter().find(ended).copied())
    }

    fn changed(&mut self, now: Timestamp, repository: &Repository, created: bool, run: CheckRun) {
        if let Some(suite) = self.suite_mut(run.suite) {
            suite.is_rerequested = false;
            suite.updated = now;
        }
        let repository = repository.full_name.clone();
        self.changes.push(CheckChange { at: now, repository, created, run });
    }
}

impl GitHub {
    /// The check runs of a commit in the order in which they were made.
    pub fn check_runs(&self, repository: &str, sha: &str) -> Vec<CheckRun> {
        let id = self.position(repository).map(|at| self.repositories[at].id);
        id.map(|id| self.checks.on(id, sha).cloned().collect()).unwrap_or_default()
    }

    /// The check run that counts under each name on a commit, with all its texts and buttons.
    pub fn latest_check_runs(&self, repository: &str, sha: &str) -> BTreeMap<String, CheckRun> {
        self.check_runs(repository, sha).into_iter().map(|run| (run.name.clone(), run)).collect()
    }

    /// Every creation and update of a check run since a cursor, and the cursor after them. The first cursor is 0.
    pub fn checks_since(&self, cursor: usize) -> (&[CheckChange], usize) {
        (self.checks.changes.get(cursor..).unwrap_or_default(), self.checks.changes.len())
    }

    /// `POST /repos/{owner}/{repo}/check-runs`.
    pub(super) fn create_check_run(&mut self, ask: &Ask<'_>, at: usize, access: &Access) -> Reply {
        let draft = match body(ask.body).and_then(|body| Draft::read(&body, true)) {
            Ok(draft) => draft,
            Err(refusal) => return *refusal,
        };
        let repository = &self.repositories[at];
        let (name, sha) = (draft.name.clone().unwrap_or_default(), draft.head_sha.clone().unwrap_or_default());
        if !repository.has_commit(&sha) {
            return refuse(422, &format!("No commit found for SHA: {sha}"));
        }
        let app = access.app.unwrap_or_default();
        let suite = match self.checks.suite_of(app, repository.id, &sha) {
            Some(suite) => suite.id,
            None => {
                let id = 60_001 + self.checks.suites.len() as u64;
                let (repository, head_sha, created) = (repository.id, sha.clone(), ask.now);
                let suite = Suite { id, app, repository, head_sha, created, updated: created, is_rerequested: false };
                self.checks.suites.push(suite);
                id
            }
        };
        let same = |run: &&CheckRun| run.suite == suite && run.name == name;
        let earlier: Vec<u64> = self.checks.runs.values().filter(same).map(|run| run.id).collect();
        if let Some(oldest) = earlier.first().filter(|_| earlier.len() >= RUNS_LIMIT) {
            self.checks.runs.remove(oldest);
        }
        self.checks.made += 1;
        let mut run = CheckRun {
            id: 70_000 + self.checks.made,
            app,
            suite,
            name,
            head_sha: sha,
            external_id: String::new(),
            details_url: self.apps.app(app).map(homepage).unwrap_or_default(),
            status: "queued",
            conclusion: None,
            started_at: moment::seconds(ask.now),
            completed_at: None,
            output: CheckOutput::default(),
            actions: Vec::new(),
        };
        apply(&mut run, draft, ask.now);
        self.keep_check_run(ask, at, true, run)
    }

    /// `PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}`.
    pub(super) fn update_check_run(&mut self, ask: &Ask<'_>, at: usize, id: u64, access: &Access) -> Reply {
        let Some(mut run) = self.checks.run(self.repositories[at].id, id).cloned() else {
            return refuse(404, "Not Found");
        };
        if access.app != Some(run.app) {
            let app = access.app.unwrap_or_default();
            let message =
                format!("Invalid app_id `{app}` - check run can only be modified by the GitHub App that created it.");
            return refuse(403, &message);
        }
        match body(ask.body).and_then(|body| Draft::read(&body, false)) {
            Ok(draft) => apply(&mut run, draft, ask.now),
            Err(refusal) => return *refusal,
        }
        self.keep_check_run(ask, at, false, run)
    }

    fn keep_check_run(&mut self, ask: &Ask<'_>, at: usize, created: bool, run: CheckRun) -> Reply {
        let repository = &self.repositories[at];
        let shown = self.show_check_run(repository, &run, ask.base);
        self.checks.runs.insert(run.id, run.clone());
        self.checks.changed(ask.now, repository, created, run);
        let location = shown["url"].as_str().unwrap_or_default().to_owned();
        if created { Reply::json(201, shown).with("location", location) } else { Reply::json(200, shown) }
    }

    /// `GET /repos/{owner}/{repo}/check-runs/{check_run_id}`.
    pub(super) fn get_check_run(&self, at: usize, id: u64, base: &str) -> Reply {
        let repository = &self.repositories[at];
        match self.checks.run(repository.id, id) {
            Some(run) => Reply::json(200, self.show_check_run(repository, run, base)),
            None => refuse(404, "Not Found"),
        }
    }

    /// `GET /repos/{owner}/{repo}/commits/{ref}/check-runs`.
    pub(super) fn list_check_runs(&self, at: usize, reference: &str, query: &Query, base: &str) -> Reply {
        let repository = &self.repositories[at];
        let sha = match repository.resolve(reference) {
            Some(sha) => sha,
            None if repository.has_commit(reference) => reference,
            None => return refuse(422, &format!("No commit found for SHA: {reference}")),
        };
        let counts = |run: &CheckRun| {
            self.checks.latest_in(run.suite).get(run.name.as_str()).is_some_and(|latest| latest.id == run.id)
        };
        let all = match query.get("filter") {
            Some("all") => true,
            None | Some("latest") => false,
            Some(_) => return refuse(422, "Validation Failed"),
        };
        let app = query.get("app_id").and_then(|app| app.parse::<u64>().ok());
        let mut runs: Vec<&CheckRun> = self
            .checks
            .on(repository.id, sha)
            .filter(|run| all || counts(run))
            .filter(|run| query.get("check_name").is_none_or(|name| name == run.name))
            .filter(|run| query.get("status").is_none_or(|status| status == run.status))
            .filter(|run| app.is_none_or(|app| app == run.app))
            .collect();
        runs.reverse();
        let path = format!("repositories/{}/commits/{sha}/check-runs", repository.id);
        let (page, links) = query.page(&runs, base, &path);
        let page: Vec<Value> = page.iter().map(|run| self.show_check_run(repository, run, base)).collect();
        links.on(Reply::json(200, json!({"total_count": runs.len(), "check_runs": page})))
    }

    pub(super) fn show_check_run(&self, repository: &Repository, run: &CheckRun, base: &str) -> Value {
        let name = &repository.full_name;
        let url = format!("{base}/repos/{name}/check-runs/{}", run.id);
        json!({
            "id": run.id,
            "name": run.name,
            "node_id": format!("CR_{:016x}", run.id),
            "head_sha": run.head_sha,
            "external_id": run.external_id,
            "url": url,
            "html_url": format!("https://github.com/{name}/runs/{}", run.id),
            "details_url": run.details_url,
            "status": run.status,
            "conclusion": run.conclusion,
            "started_at": run.started_at,
            "completed_at": run.completed_at,
            "output": {
                "title": run.output.title,
                "summary": run.output.summary,
                "text": run.output.text,
                "annotations_count": run.output.annotations.len(),
                "annotations_url": format!("{url}/annotations"),
            },
            "check_suite": {"id": run.suite},
            "app": self.show_app(run.app, base),
            "pull_requests": [],
        })
    }
}

/// Changes what a request names. One that is completed stays so, as GitHub has it: an update that would open it again is
/// answered as if it did, and changes the rest.
fn apply(run: &mut CheckRun, draft: Draft, now: Timestamp) {
    let Draft { name, external_id, details_url, status, conclusion, started_at, completed_at, output, actions, .. } =
        draft;
    run.name = name.unwrap_or_else(|| std::mem::take(&mut run.name));
    run.external_id = external_id.unwrap_or_else(|| std::mem::take(&mut run.external_id));
    run.details_url = details_url.unwrap_or_else(|| std::mem::take(&mut run.details_url));
    run.started_at = started_at.unwrap_or_else(|| std::mem::take(&mut run.started_at));
    if let Some(status) = status.filter(|status| run.status != "completed" || *status == "completed") {
        run.status = status;
        run.conclusion = conclusion;
        run.completed_at = conclusion.map(|_| completed_at.unwrap_or_else(|| moment::seconds(now)));
    }
    if let Some(output) = output {
        let mut earlier = std::mem::replace(&mut run.output, output);
        earlier.annotations.append(&mut run.output.annotations);
        run.output.annotations = earlier.annotations;
        // What becomes of a text that an update leaves out is not documented. Here it stays, as other members do, so that
        // who wants it gone has to say so.
        run.output.text = run.output.text.take().or(earlier.text);
    }
    run.actions = actions.unwrap_or_else(|| std::mem::take(&mut run.actions));
}
