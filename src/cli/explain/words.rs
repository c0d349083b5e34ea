//! What a delivery says, and why a route takes it or not, in words. All of it may hold what anybody has pushed.

use crate::domain::event::{ChangedFiles, Event, EventKind, Pressed, Push, Ref};
use crate::domain::reason::Reason;
use crate::domain::route::{Branches, Route};
use crate::domain::template::one_line;

/// `push of branch main to octo-org/node-server by octocat: 5de842e "Say hello", 2 files changed`.
pub(super) fn of_event(event: &Event) -> String {
    let first_line = |text: &str| one_line(text.lines().next().unwrap_or_default());
    let words = match &event.kind {
        EventKind::Push(push) => {
            let git_ref = match &push.git_ref {
                Ref::Branch(branch) => format!("branch {branch}"),
                Ref::Tag(tag) => format!("tag {tag}"),
            };
            let changed = match &push.changed {
                ChangedFiles::Known(files) if files.len() == 1 => "1 file changed".to_owned(),
                ChangedFiles::Known(files) => format!("{} files changed", files.len()),
                ChangedFiles::Unknown(why) => format!("it is not known which files changed: {why}"),
            };
            let (repository, commit, message) = (&push.repository, push.commit.short(), first_line(&push.message));
            format!("push of {git_ref} to {repository}{}: {commit} \"{message}\", {changed}", by(&push.actor))
        }
        EventKind::PullRequest(pull) => {
            let (number, repository, commit) = (pull.number, &pull.repository, pull.commit.short());
            let (title, head, base) = (first_line(&pull.title), &pull.head_branch, &pull.base_branch);
            let (by, fork) = (by(&pull.actor), if pull.from_fork { ", from a fork" } else { "" });
            format!("pull request #{number} of {repository}{by}: {commit} \"{title}\", {head} into {base}{fork}")
        }
        EventKind::Press(press) => {
            let what = match &press.what {
                Pressed::Button { name, .. } => format!("a button of {name}"),
                Pressed::Rerun { name, .. } => format!("re-run of {name}"),
                Pressed::RerunAll { .. } => "re-run of all check runs".to_owned(),
            };
            format!("{what}, pressed{} on {} of {}", by(&press.actor), press.commit.short(), press.repository)
        }
        EventKind::Nothing(why) => why.clone(),
    };
    one_line(&words)
}

fn by(actor: &str) -> String {
    if actor.is_empty() { String::new() } else { format!(" by {actor}") }
}

/// Why a route starts its pipeline, and the keys that say so.
pub(super) fn of_start(event: &Event, route: &Route) -> (String, &'static [&'static str]) {
    let (words, keys): (String, &[_]) = match &event.kind {
        EventKind::Push(push) => of_push(push, route),
        EventKind::PullRequest(pull) => {
            (format!("the route takes pull requests into {}", pull.base_branch), &["pull_requests"])
        }
        EventKind::Press(press) => {
            let whose = match press.what {
                Pressed::RerunAll { .. } => "its own check runs are among them",
                Pressed::Button { .. } | Pressed::Rerun { .. } => "the check run is one of its own",
            };
            (format!("{whose}; GitHub is asked whether {} may", press.actor), &["pipeline"])
        }
        EventKind::Nothing(why) => (why.clone(), &[]),
    };
    (one_line(&words), keys)
}

fn of_push(push: &Push, route: &Route) -> (String, &'static [&'static str]) {
    let has_filters = route.paths.is_some() || !route.paths_ignore.is_empty();
    let unknown = match &push.changed {
        ChangedFiles::Unknown(why) if has_filters => format!("; the path filters are left aside, for {why}"),
        _ => String::new(),
    };
    let (taken, keys): (_, &[_]) = match (&push.git_ref, &route.branches) {
        (Ref::Branch(branch), Branches::Default) => {
            (format!("the route takes the default branch, {branch}"), &["branches", "paths", "paths_ignore"])
        }
        (Ref::Branch(branch), Branches::Matching(_)) => {
            (format!("the route takes branch {branch}"), &["branches", "paths", "paths_ignore"])
        }
        (Ref::Tag(tag), _) => (format!("the route takes tag {tag}"), &["tags", "paths", "paths_ignore"]),
    };
    (taken + &unknown, keys)
}

/// Why a route does not start its pipeline. Where a key is left out, what holds without it is said, for no line shows it.
pub(super) fn of_reason(reason: &Reason, event: &Event, route: &Route) -> String {
    let default_branch = match &event.kind {
        EventKind::Push(push) => &push.default_branch,
        EventKind::PullRequest(pull) => &pull.default_branch,
        EventKind::Press(_) | EventKind::Nothing(_) => "",
    };
    // Which pipeline it is about stands in front already.
    let words = match reason {
        Reason::Branch { branch, .. } if matches!(route.branches, Branches::Default) => {
            format!("the route takes the default branch, {default_branch}, and not {branch}")
        }
        Reason::Branch { branch, .. } => format!("the route does not take branch {branch}"),
        Reason::Tag { tag, .. } if route.tags.is_empty() => {
            format!("the route has no `tags`, so that it does not take tag {tag}")
        }
        Reason::Tag { tag, .. } => format!("the route does not take tag {tag}"),
        Reason::PullRequests { .. } => {
            "the route does not take pull requests; with `pull_requests = true` it would".to_owned()
        }
        Reason::Base { branch, .. } => format!("the route does not take pull requests into {branch}"),
        Reason::PushStarts { branch, .. } => format!("the route takes the push to {branch} already"),
        other => other.to_string(),
    };
    one_line(&words)
}
