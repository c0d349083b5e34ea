//! Payloads as GitHub sends them, and what the domain makes of them.

use serde_json::{Value, json};

use super::*;

const SHA: &str = "1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b";
const TAG_OBJECT: &str = "2e8be6ce1d3b4f5c6d7e8f9a0b1c2d3e4f5a6b7c";

fn commit_with(files: &[&str]) -> Value {
    json!({ "id": SHA, "message": "Say hello", "added": files, "removed": [], "modified": [] })
}

/// A push of one commit to main, with some of its fields replaced.
fn push_payload(changes: Value) -> Value {
    let mut payload = json!({
        "ref": "refs/heads/main", "before": TAG_OBJECT, "after": SHA,
        "created": false, "deleted": false, "forced": false,
        "commits": [commit_with(&["src/a.js"])], "head_commit": commit_with(&["src/a.js"]),
        "repository": { "id": 1, "full_name": "octo-org/node-server", "default_branch": "main", "pushed_at": 1_700_000_000 },
        "pusher": { "name": "octocat" }, "sender": { "login": "octocat" },
    });
    for (key, value) in changes.as_object().unwrap() {
        payload[key] = value.clone();
    }
    payload
}

fn kind(event: &str, payload: &Value) -> EventKind {
    parse(event, "d-1", payload.to_string().as_bytes()).unwrap().kind
}

fn pushed(changes: Value) -> Push {
    match kind("push", &push_payload(changes)) {
        EventKind::Push(push) => push,
        other => panic!("{other:?}"),
    }
}

fn error(event: &str, payload: &[u8]) -> String {
    parse(event, "d-1", payload).unwrap_err().to_string()
}

#[test]
fn a_push_names_commit_ref_and_files() {
    let push = pushed(json!({}));
    assert_eq!((push.commit.as_str(), push.git_ref.to_string().as_str()), (SHA, "refs/heads/main"));
    assert_eq!(push.changed, ChangedFiles::Known(vec!["src/a.js".to_owned()]));
    assert_eq!((push.actor.as_str(), push.may_be_tag_object), ("octocat", false));
}

#[test]
fn the_commit_of_an_annotated_tag_is_its_head_commit() {
    let tag = pushed(json!({ "ref": "refs/tags/v1", "after": TAG_OBJECT, "commits": [] }));
    assert_eq!((tag.commit.as_str(), tag.may_be_tag_object), (SHA, false));
}

#[test]
fn a_tag_without_head_commit_has_to_be_resolved() {
    let tag = pushed(json!({ "ref": "refs/tags/v1", "after": TAG_OBJECT, "head_commit": null, "commits": [] }));
    assert_eq!((tag.commit.as_str(), tag.may_be_tag_object), (TAG_OBJECT, true));
}

#[test]
fn a_deletion_starts_nothing() {
    let zeros = "0".repeat(40);
    let deletion = push_payload(json!({ "deleted": true, "after": zeros, "head_commit": null, "commits": [] }));
    assert_eq!(kind("push", &deletion), EventKind::Nothing("refs/heads/main was deleted".to_owned()));
}

#[test]
fn where_the_payload_cannot_tell_all_files_they_are_unknown() {
    let without_files = json!({ "id": SHA, "message": "" });
    let many_files: Vec<_> = (0..3000).map(|n| format!("f{n}")).collect();
    let cases = [
        json!({ "forced": true }),
        json!({ "created": true }),
        json!({ "commits": [] }),
        json!({ "commits": [without_files] }),
        json!({ "commits": vec![commit_with(&["a"]); 2048] }),
        json!({ "commits": [{ "id": SHA, "message": "", "added": many_files, "removed": [], "modified": [] }] }),
    ];
    for changes in cases {
        let push = pushed(changes.clone());
        assert!(
            matches!(push.changed, ChangedFiles::Unknown(_)),
            "{}",
            &changes.to_string()[..40.min(changes.to_string().len())]
        );
    }
}

#[test]
fn all_commits_of_a_push_count() {
    let push = pushed(json!({ "commits": [commit_with(&["docs/a.md"]), commit_with(&["src/b.js"])] }));
    assert_eq!(push.changed, ChangedFiles::Known(vec!["docs/a.md".to_owned(), "src/b.js".to_owned()]));
}

fn pull_request_payload(action: &str, head_repository: Value) -> Value {
    let repository = json!({ "id": 1, "full_name": "octo-org/node-server", "default_branch": "main" });
    json!({
        "action": action,
        "pull_request": {
            "number": 7, "title": "Say hello",
            "head": { "ref": "feature", "sha": SHA, "repo": head_repository },
            "base": { "ref": "main", "sha": TAG_OBJECT, "repo": repository },
        },
        "repository": repository,
        "sender": { "login": "octocat" },
    })
}

fn pull_request(head_repository: Value) -> PullRequest {
    match kind("pull_request", &pull_request_payload("opened", head_repository)) {
        EventKind::PullRequest(pull) => pull,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pull_request_from_another_repository_is_a_fork() {
    assert!(!pull_request(json!({ "id": 1, "full_name": "octo-org/node-server" })).from_fork);
    assert!(pull_request(json!({ "id": 2, "full_name": "octocat/node-server" })).from_fork);
    assert!(pull_request(json!(null)).from_fork, "the fork was deleted");
}

#[test]
fn of_pull_requests_only_new_commits_count() {
    let ours = json!({ "id": 1, "full_name": "octo-org/node-server" });
    for action in ["opened", "reopened", "synchronize"] {
        let kind = kind("pull_request", &pull_request_payload(action, ours.clone()));
        assert!(matches!(kind, EventKind::PullRequest(_)), "{action}");
    }
    let closed = kind("pull_request", &pull_request_payload("closed", ours));
    assert_eq!(closed, EventKind::Nothing("pull requests that are closed start nothing".to_owned()));
}

#[test]
fn other_events_start_nothing() {
    assert_eq!(kind("star", &json!({})), EventKind::Nothing("star events start nothing".to_owned()));
    assert_eq!(kind("ping", &json!({ "zen": "" })), EventKind::Nothing("ping: the webhook is set up".to_owned()));
}

#[test]
fn a_body_that_is_wrong_is_told_with_its_place() {
    insta::assert_snapshot!(error("push", b"payload"), @"the body is not JSON: expected value at line 1 column 1");
    insta::assert_snapshot!(error("star", b"{"), @"the body is not JSON: EOF while parsing an object at line 1 column 1");
    insta::assert_snapshot!(error("push", b"{} trailing"), @"the body is not a push event: missing field `ref` at line 1 column 2 (at its top)");
    insta::assert_snapshot!(error("push", push_payload(json!({ "repository": { "full_name": 7 } })).to_string().as_bytes()), @"the body is not a push event: invalid type: integer `7`, expected a string at line 1 column 496 (at repository.full_name)");
    insta::assert_snapshot!(error("push", push_payload(json!({ "head_commit": { "id": "main" } })).to_string().as_bytes()), @r#"the body is not a push event: "main" is no commit's sha (at head_commit.id)"#);
    let pull = pull_request_payload("opened", json!(null)).to_string();
    insta::assert_snapshot!(error("push", pull.as_bytes()), @"the body is not a push event: missing field `ref` at line 1 column 409 (at its top)");
}

fn check_run_payload(action: &str) -> Value {
    json!({
        "action": action,
        "check_run": {
            "id": 4, "name": "codepipeline/node-server/Staging", "head_sha": SHA, "external_id": "5a1b/Staging",
            "status": "completed", "conclusion": "failure", "completed_at": "2026-01-24T22:03:44Z",
            "check_suite": { "id": 5, "head_branch": "topic", "head_sha": SHA },
        },
        "requested_action": { "identifier": "approve:1" },
        "repository": { "id": 1, "full_name": "octo-org/node-server", "default_branch": "main" },
        "sender": { "login": "octocat" },
    })
}

/// Nothing could be started again for it, and the worker could not read the message.
#[test]
fn a_press_that_names_no_branch_at_all_is_none() {
    let mut payload = check_run_payload("rerequested");
    payload["check_run"]["check_suite"]["head_branch"] = json!(null);
    assert_eq!(press("check_run", &payload).head_branch, None);
    payload["repository"]["default_branch"] = json!(null);
    insta::assert_snapshot!(error("check_run", payload.to_string().as_bytes()), @"the body is not a check_run event: no branch is named (at repository.default_branch)");
}

fn press(event: &str, payload: &Value) -> Press {
    match kind(event, payload) {
        EventKind::Press(press) => press,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_button_names_its_check_run_and_who_pressed() {
    let pressed = press("check_run", &check_run_payload("requested_action"));
    let name = "codepipeline/node-server/Staging".to_owned();
    assert_eq!(pressed.what, Pressed::Button { check_run: 4, name, identifier: "approve:1".to_owned() });
    assert_eq!((pressed.actor.as_str(), pressed.head_branch.as_deref()), ("octocat", Some("topic")));
}

#[test]
fn a_rerun_names_when_what_is_run_again_had_completed() {
    let again = press("check_run", &check_run_payload("rerequested"));
    let (name, completed) = ("codepipeline/node-server/Staging".to_owned(), "2026-01-24T22:03:44Z".to_owned());
    assert_eq!(again.what, Pressed::Rerun { check_run: 4, name, completed });
    let suite = json!({
        "action": "rerequested",
        "check_suite": { "id": 5, "head_branch": null, "head_sha": SHA, "updated_at": "2026-01-24T22:05:00Z" },
        "repository": { "id": 1, "full_name": "octo-org/node-server", "default_branch": "main" },
        "sender": { "login": "octocat" },
    });
    let all = press("check_suite", &suite);
    assert_eq!(all.what, Pressed::RerunAll { updated: "2026-01-24T22:05:00Z".to_owned() });
    assert_eq!(all.head_branch, None);
}

#[test]
fn what_github_tells_of_our_own_check_runs_starts_nothing() {
    for action in ["created", "completed"] {
        assert!(matches!(kind("check_run", &check_run_payload(action)), EventKind::Nothing(_)));
    }
    let suite = json!({
        "action": "requested", "check_suite": { "head_sha": SHA },
        "repository": { "full_name": "octo-org/node-server" },
    });
    assert!(matches!(kind("check_suite", &suite), EventKind::Nothing(_)));
}
