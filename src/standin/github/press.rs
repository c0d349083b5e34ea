//! What people press on GitHub's pages, and the events of it that GitHub sends to the App.

use serde_json::{Value, json};

use super::checks::{CheckRun, Suite};
use super::{GitHub, Repository, view};
use crate::standin::moment;

/// Events name GitHub's own addresses, wherever its API is reached.
const API: &str = "https://api.github.com";

/// An event that GitHub sends to an App: what its webhook gets.
#[derive(Debug, Clone, PartialEq)]
pub struct AppEvent {
    /// The value of `X-GitHub-Event`.
    pub event: &'static str,
    /// The body, to be signed with the App's webhook secret.
    pub payload: Value,
}

/// Why nothing can be pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPress {
    /// There is no such check run, suite or button.
    NotThere,
    /// A check run that is not completed can't be run again.
    NotCompleted,
    /// The App is not installed on the repository any more.
    NotInstalled,
}

impl GitHub {
    /// Somebody presses "Re-run" at a check run: its suite is queued again, and the run stays as it is.
    ///
    /// # Errors
    /// Where there is nothing to press.
    pub fn rerequest_check_run(&mut self, repository: &str, id: u64, sender: &str) -> Result<AppEvent, NoPress> {
        let (at, run) = self.pressed(repository, id)?;
        if run.status != "completed" {
            return Err(NoPress::NotCompleted);
        }
        let payload = self.check_run_event("rerequested", at, &run, sender)?;
        if let Some(suite) = self.checks.suite_mut(run.suite) {
            suite.is_rerequested = true;
        }
        Ok(AppEvent { event: "check_run", payload })
    }

    /// Somebody presses a button that the App has put on a check run.
    ///
    /// # Errors
    /// Where there is no such button.
    pub fn press_button(
        &mut self,
        repository: &str,
        id: u64,
        identifier: &str,
        sender: &str,
    ) -> Result<AppEvent, NoPress> {
        let (at, run) = self.pressed(repository, id)?;
        if !run.actions.iter().any(|button| button.identifier == identifier) {
            return Err(NoPress::NotThere);
        }
        let mut payload = self.check_run_event("requested_action", at, &run, sender)?;
        payload["requested_action"] = json!({"identifier": identifier});
        Ok(AppEvent { event: "check_run", payload })
    }

    /// Somebody presses "Re-run all checks" of an App on a commit: the suite is queued again, and its runs stay.
    ///
    /// # Errors
    /// Where there is nothing to press.
    pub fn rerequest_check_suite(
        &mut self,
        repository: &str,
        app: u64,
        sha: &str,
        sender: &str,
    ) -> Result<AppEvent, NoPress> {
        let at = self.position(repository).ok_or(NoPress::NotThere)?;
        let place = &self.repositories[at];
        let suite = self.checks.suite_of(app, place.id, sha).ok_or(NoPress::NotThere)?;
        let id = suite.id;
        if self.checks.standing(suite).0 != "completed" {
            return Err(NoPress::NotCompleted);
        }
        let mut shown = self.show_suite(place, suite);
        shown["latest_check_runs_count"] = json!(self.checks.latest_in(id).len());
        shown["check_runs_url"] = json!(format!("{API}/repos/{}/check-suites/{id}/check-runs", place.full_name));
        shown["head_commit"] = json!({
            "id": sha,
            "tree_id": sha,
            "message": "A commit",
            "timestamp": moment::seconds(suite.created),
            "author": {"name": sender, "email": format!("{sender}@users.noreply.github.com")},
            "committer": {"name": sender, "email": format!("{sender}@users.noreply.github.com")},
        });
        let mut payload = self.event("rerequested", at, app, sender)?;
        payload["check_suite"] = shown;
        if let Some(suite) = self.checks.suite_mut(id) {
            suite.is_rerequested = true;
        }
        Ok(AppEvent { event: "check_suite", payload })
    }

    /// The status and the conclusion of an App's check suite on a commit; `None` where there is none.
    pub fn check_suite(&self, repository: &str, app: u64, sha: &str) -> Option<(&'static str, Option<&'static str>)> {
        let id = self.repositories[self.position(repository)?].id;
        Some(self.checks.standing(self.checks.suite_of(app, id, sha)?))
    }

    fn pressed(&self, repository: &str, id: u64) -> Result<(usize, CheckRun), NoPress> {
        let at = self.position(repository).ok_or(NoPress::NotThere)?;
        let run = self.checks.run(self.repositories[at].id, id).cloned();
        run.map(|run| (at, run)).ok_or(NoPress::NotThere)
    }

    fn check_run_event(&self, action: &str, at: usize, run: &CheckRun, sender: &str) -> Result<Value, NoPress> {
        let repository = &self.repositories[at];
        let suite = self.checks.suite(run.suite).ok_or(NoPress::NotThere)?;
        let mut shown = self.show_check_run(repository, run, API);
        shown["check_suite"] = self.show_suite(repository, suite);
        let mut payload = self.event(action, at, run.app, sender)?;
        payload["check_run"] = shown;
        Ok(payload)
    }

    fn event(&self, action: &str, at: usize, app: u64, sender: &str) -> Result<Value, NoPress> {
        let repository = &self.repositories[at];
        let installation = self.apps.of(app, repository.id).ok_or(NoPress::NotInstalled)?;
        Ok(json!({
            "action": action,
            "repository": view::repository(API, repository),
            "sender": view::user(API, sender),
            "installation": {"id": installation.id, "node_id": format!("I_{:016x}", installation.id)},
        }))
    }

    fn show_suite(&self, repository: &Repository, suite: &Suite) -> Value {
        let (status, conclusion) = self.checks.standing(suite);
        let is_head = |(_, sha): &(&String, &String)| **sha == suite.head_sha;
        json!({
            "id": suite.id,
            "node_id": format!("CS_{:016x}", suite.id),
            // Empty for a commit that is no branch's head any more, and for forks.
            "head_branch": repository.refs.iter().find(is_head).map(|(name, _)| name),
            "head_sha": suite.head_sha,
            "status": status,
            "conclusion": conclusion,
            "url": format!("{API}/repos/{}/check-suites/{}", repository.full_name, suite.id),
            "before": "0".repeat(40),
            "after": suite.head_sha,
            "pull_requests": [],
            "app": self.show_app(suite.app, API),
            "created_at": moment::seconds(suite.created),
            "updated_at": moment::seconds(suite.updated),
        })
    }
}
