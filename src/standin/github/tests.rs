//! Apps, check runs and deployments, through `World::handle`.

// A `json!` in the place of an argument reads better without a reference in front of each.
#![allow(clippy::needless_pass_by_value)]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use rustls_pki_types::PrivatePkcs1KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::{APP_PERMISSIONS, AppEvent, EXAMPLE_APP_KEY, NoPress, Permission, Role};
use crate::domain::time::Timestamp;
use crate::standin::{Fault, World};

const NOW: Timestamp = Timestamp::from_secs(1_769_292_224);
const SHA: &str = "1111111111111111111111111111111111111111";
const OLD: &str = "2222222222222222222222222222222222222222";
const REPOSITORY: &str = "octo-org/app";
const APP: u64 = 123;

fn world() -> World {
    let mut world = World::new(NOW, 1);
    let github = world.github();
    github.add_repository(REPOSITORY, "main");
    github.add_repository("octo-org/other", "main");
    github.set_ref(REPOSITORY, "main", SHA);
    github.set_ref(REPOSITORY, "topic", OLD);
    github.add_token("ghp_person", "octocat");
    github.add_app(NOW, APP, "pipehook", EXAMPLE_APP_KEY).unwrap();
    github.install_app(NOW, APP, REPOSITORY, &APP_PERMISSIONS);
    world
}

fn ask(world: &mut World, at: Timestamp, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:4566/github{path}"))
        .header("host", "127.0.0.1:4566")
        .header("user-agent", "test")
        .header("authorization", format!("Bearer {token}"))
        .body(body)
        .unwrap();
    let response = world.handle(at, &request).response().unwrap();
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
}

fn jwt(claims: Value) -> String {
    let key = PrivatePkcs1KeyDer::from_pem_slice(EXAMPLE_APP_KEY.as_bytes()).unwrap();
    let key = KeyPair::from_der(key.secret_pkcs1_der()).unwrap();
    let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(json!({"alg": "RS256"})), encode(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn good_jwt() -> String {
    jwt(json!({"iss": APP.to_string(), "iat": NOW.as_secs() - 60, "exp": NOW.as_secs() + 540}))
}

fn installation_token(world: &mut World, body: Value) -> (u16, Value) {
    let (status, body_of) =
        ask(world, NOW, &good_jwt(), "GET", &format!("/repos/{REPOSITORY}/installation"), Value::Null);
    assert_eq!((status, &body_of["app_id"]), (200, &json!(APP)), "{body_of}");
    let path = format!("/app/installations/{}/access_tokens", body_of["id"]);
    ask(world, NOW, &good_jwt(), "POST", &path, body)
}

fn token(world: &mut World) -> String {
    installation_token(world, Value::Null).1["token"].as_str().unwrap().to_owned()
}

/// What is refused, with its message.
fn refusal((status, body): (u16, Value)) -> String {
    let message = body["errors"][0]["message"].as_str().or(body["message"].as_str()).unwrap_or_default();
    format!("{status} {}", message.replace("\n\n", " "))
}

/// Events are left for the check against GitHub's own description.
fn leave(event: &AppEvent) {
    let Some(folder) = std::env::var_os("PIPEHOOK_TEST_JOURNALS") else {
        return;
    };
    let name = format!("{}.{}", event.event, event.payload["action"].as_str().unwrap());
    let line = json!({"service": "github-event", "operation": name, "request": event.payload});
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.event.json")), format!("{line}\n")).unwrap();
}

#[test]
fn a_jwt_is_held_against_the_apps_key_and_the_clock() {
    let mut world = world();
    let now = NOW.as_secs();
    let mut refused = |jwt: &str| {
        refusal(ask(&mut world, NOW, jwt, "GET", &format!("/repos/{REPOSITORY}/installation"), Value::Null))
    };
    let claims = |iat: u64, exp: u64| jwt(json!({"iss": APP, "iat": iat, "exp": exp}));
    assert_eq!(refused(&good_jwt()), "200 ");
    assert_eq!(refused(&claims(now, now + 600)), "200 ");
    assert_eq!(refused(&claims(now, now + 601)), "401 'Expiration time' claim ('exp') is too far in the future");
    assert!(refused(&claims(now - 600, now)).starts_with("401 'Expiration time' claim ('exp') must be"));
    assert!(refused(&claims(now + 1, now + 300)).starts_with("401 'Issued at' claim ('iat') must be"));
    assert_eq!(refused(&jwt(json!({"iss": 7, "iat": now, "exp": now + 1}))), "404 Integration not found");
    let forged = format!("{}AAAA", &good_jwt()[..good_jwt().len() - 4]);
    assert_eq!(refused(&forged), "401 A JSON web token could not be decoded");
    assert_eq!(refused("ghp_person"), "401 A JSON web token could not be decoded");
    let list = format!("/repos/{REPOSITORY}/commits/{SHA}/statuses");
    let answer = ask(&mut world, NOW, &good_jwt(), "GET", &list, Value::Null);
    assert_eq!(refusal(answer), "403 Resource not accessible by integration");
}

#[test]
fn an_installations_token_is_long_and_good_for_an_hour_for_what_it_was_given_for() {
    let mut world = world();
    world.github().install_app(NOW, APP, "octo-org/other", &APP_PERMISSIONS);
    world.github().set_ref("octo-org/other", "main", SHA);
    let (status, granted) = installation_token(&mut world, json!({"repositories": ["app"]}));
    assert_eq!((status, &granted["expires_at"]), (201, &json!("2026-01-24T23:03:44Z")));
    assert_eq!(granted["repositories"][0]["full_name"], REPOSITORY);
    let token = granted["token"].as_str().unwrap();
    assert!(token.starts_with("ghs_") && token.len() > 200, "{token}");
    assert!(!world.journal_json_lines().contains(token), "no credential lies in a journal");
    let post = |world: &mut World, at: Timestamp, repository: &str| {
        let path = format!("/repos/{repository}/statuses/{SHA}");
        ask(world, at, token, "POST", &path, json!({"state": "pending"}))
    };
    let (status, posted) = post(&mut world, NOW, REPOSITORY);
    assert_eq!((status, &posted["creator"]["login"]), (201, &json!("pipehook[bot]")));
    assert_eq!(post(&mut world, NOW, "octo-org/other").0, 404, "the token was narrowed");
    assert_eq!(
        refusal(installation_token(&mut world, json!({"repositories": ["nope"]}))),
        "422 There is at least one repository that does not exist or is not accessible to the parent installation."
    );
    assert_eq!(
        refusal(installation_token(&mut world, json!({"permissions": {"contents": "write"}}))),
        "422 The permissions requested are not granted to this installation."
    );
    assert_eq!(post(&mut world, NOW + Duration::from_secs(3599), REPOSITORY).0, 201);
    assert_eq!(refusal(post(&mut world, NOW + Duration::from_secs(3600), REPOSITORY)), "401 Bad credentials");
}

#[test]
fn who_may_write_check_runs_is_an_app_that_has_the_permission() {
    let mut world = world();
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let body = || json!({"name": "ci", "head_sha": SHA});
    let by_person = ask(&mut world, NOW, "ghp_person", "POST", &path, body());
    assert_eq!(refusal(by_person), "403 You must authenticate via a GitHub App.");
    world.github().add_token("github_pat_fine", "octocat");
    let by_person = ask(&mut world, NOW, "github_pat_fine", "POST", &path, body());
    assert_eq!(refusal(by_person), "403 Resource not accessible by personal access token");
    world.github().install_app(NOW, APP, REPOSITORY, &[("checks", Permission::Read)]);
    let reader = token(&mut world);
    let by_reader = ask(&mut world, NOW, &reader, "POST", &path, body());
    assert_eq!(refusal(by_reader), "403 Resource not accessible by integration");
    world.github().install_app(NOW, APP, REPOSITORY, &APP_PERMISSIONS);
    let writer = token(&mut world);
    let (status, made) = ask(&mut world, NOW, &writer, "POST", &path, body());
    assert_eq!(status, 201);
    world.github().add_app(NOW, 7, "other", EXAMPLE_APP_KEY).unwrap();
    world.github().install_app(NOW, 7, REPOSITORY, &APP_PERMISSIONS);
    let other = jwt(json!({"iss": 7, "iat": NOW.as_secs(), "exp": NOW.as_secs() + 60}));
    let (_, installation) =
        ask(&mut world, NOW, &other, "GET", &format!("/repos/{REPOSITORY}/installation"), Value::Null);
    let tokens = format!("/app/installations/{}/access_tokens", installation["id"]);
    let granted = ask(&mut world, NOW, &other, "POST", &tokens, Value::Null).1;
    let token = granted["token"].as_str().unwrap();
    let of_other = ask(&mut world, NOW, token, "PATCH", &format!("{path}/{}", made["id"]), json!({"name": "x"}));
    assert!(refusal(of_other).starts_with("403 Invalid app_id `7`"));
    world.github().uninstall_app(APP, REPOSITORY);
    assert_eq!(ask(&mut world, NOW, &writer, "POST", &path, body()).0, 404);
}

#[test]
fn a_check_run_is_created_updated_and_opened_again() {
    let mut world = world();
    let token = token(&mut world);
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let button = json!({"label": "Retry", "description": "Runs it again", "identifier": "retry"});
    let annotation = |line: u64| json!({"path": "a.js", "start_line": line, "end_line": line, "annotation_level": "failure", "message": "no"});
    let body = json!({"name": "deploy", "head_sha": SHA, "external_id": "e1", "status": "in_progress",
        "output": {"title": "At work", "summary": "…", "annotations": [annotation(1)]}});
    let (status, made) = ask(&mut world, NOW, &token, "POST", &path, body);
    assert_eq!((status, &made["status"], &made["conclusion"]), (201, &json!("in_progress"), &Value::Null));
    assert_eq!(made["started_at"], "2026-01-24T22:03:44Z");
    let one = format!("{path}/{}", made["id"]);
    let body = json!({"conclusion": "failure", "output": {"title": "No", "summary": "It failed",
        "annotations": [annotation(2)]}, "actions": [button]});
    let later = NOW + Duration::from_secs(60);
    let (status, ended) = ask(&mut world, later, &token, "PATCH", &one, body);
    assert_eq!((status, &ended["status"]), (200, &json!("completed")), "a conclusion completes it");
    assert_eq!((&ended["completed_at"], &ended["external_id"]), (&json!("2026-01-24T22:04:44Z"), &json!("e1")));
    assert_eq!(ended["output"]["annotations_count"], 2, "annotations are added");
    let suite = |world: &mut World| world.github().check_suite(REPOSITORY, APP, SHA).unwrap();
    assert_eq!(suite(&mut world), ("completed", Some("failure")));
    let (status, still) = ask(&mut world, later, &token, "PATCH", &one, json!({"status": "in_progress"}));
    assert_eq!((status, &still["status"], &still["conclusion"]), (200, &json!("completed"), &json!("failure")));
    assert_eq!(suite(&mut world), ("completed", Some("failure")), "it does not open again");
    let latest = world.github().latest_check_runs(REPOSITORY, SHA);
    assert_eq!(latest["deploy"].actions[0].identifier, "retry", "what an update leaves out stays");
    let (changes, cursor) = world.github().checks_since(1);
    let seen: Vec<_> = changes.iter().map(|change| (change.created, change.run.status)).collect();
    assert_eq!((seen, cursor), (vec![(false, "completed"), (false, "completed")], 3));
}

#[test]
fn check_runs_are_listed_by_name_latest_first() {
    let mut world = world();
    let token = token(&mut world);
    let path = format!("/repos/{REPOSITORY}/check-runs");
    for (name, external_id) in [("a b", "1"), ("c", "2"), ("a b", "3")] {
        let body = json!({"name": name, "head_sha": SHA, "external_id": external_id});
        assert_eq!(ask(&mut world, NOW, &token, "POST", &path, body).0, 201);
    }
    let mut ids = |query: &str| {
        let path = format!("/repos/{REPOSITORY}/commits/main/check-runs{query}");
        let (_, listed) = ask(&mut world, NOW, &token, "GET", &path, Value::Null);
        let ids = listed["check_runs"].as_array().unwrap().iter().map(|run| run["external_id"].as_str().unwrap());
        (ids.collect::<Vec<_>>().join(" "), listed["total_count"].as_u64().unwrap())
    };
    assert_eq!(ids(""), ("3 2".to_owned(), 2));
    assert_eq!(ids("?filter=all"), ("3 2 1".to_owned(), 3));
    assert_eq!(ids("?filter=all&check_name=a%20b"), ("3 1".to_owned(), 2));
    assert_eq!(ids("?filter=all&per_page=2&page=2"), ("1".to_owned(), 3));
    assert_eq!(ids("?app_id=7"), (String::new(), 0));
}

#[test]
fn a_suite_keeps_a_thousand_check_runs_of_a_name() {
    let mut world = world();
    let token = token(&mut world);
    let path = format!("/repos/{REPOSITORY}/check-runs");
    for _ in 0..1001 {
        assert_eq!(ask(&mut world, NOW, &token, "POST", &path, json!({"name": "ci", "head_sha": SHA})).0, 201);
    }
    let runs = world.github().check_runs(REPOSITORY, SHA);
    assert_eq!((runs.len(), runs[0].id), (1000, 70_002), "the first is gone");
}

#[test]
fn what_a_check_run_can_t_be_is_refused() {
    let mut world = world();
    let token = token(&mut world);
    let mut refused = |body: Value| {
        let mut whole = json!({"name": "ci", "head_sha": SHA});
        for (name, value) in body.as_object().unwrap() {
            whole[name] = value.clone();
        }
        refusal(ask(&mut world, NOW, &token, "POST", &format!("/repos/{REPOSITORY}/check-runs"), whole))
    };
    let button = |label: &str, description: &str, identifier: &str| json!({"actions": [{"label": label, "description": description, "identifier": identifier}]});
    let output = |more: Value| json!({"output": more});
    let annotations = |count: usize, level: &str| {
        let one = json!({"path": "a", "start_line": 1, "end_line": 1, "annotation_level": level, "message": "m"});
        output(json!({"title": "t", "summary": "s", "annotations": vec![one; count]}))
    };
    let refusals = [
        refused(json!({"name": null})),
        refused(json!({"head_sha": OLD.replace('2', "4")})),
        refused(json!({"status": "done"})),
        refused(json!({"conclusion": "stale"})),
        refused(json!({"status": "completed"})),
        refused(json!({"completed_at": "2026-01-24T22:03:44Z"})),
        refused(json!({"started_at": "yesterday"})),
        refused(json!({"details_url": "ftp://x"})),
        refused(output(json!({"title": "t"}))),
        refused(output(json!({"summary": "s"}))),
        refused(output(json!({"title": "t", "summary": "é".repeat(65_536)}))),
        refused(annotations(51, "notice")),
        refused(annotations(1, "bad")),
        refused(json!({"actions": vec![json!({}); 4]})),
        refused(button(&"x".repeat(21), "d", "i")),
        refused(button("l", &"x".repeat(41), "i")),
        refused(button("l", "d", &"x".repeat(21))),
        refused(json!({"head_branch": "main"})),
        refused(annotations(50, "notice")),
    ];
    insta::assert_snapshot!(refusals.join("\n"), @r#"
    422 Invalid request. "name" wasn't supplied.
    422 No commit found for SHA: 4444444444444444444444444444444444444444
    422 Invalid request. For 'properties/status', "done" is not a member of ["queued", "in_progress", "completed"].
    422 Invalid request. For 'properties/conclusion', "stale" is not a member of ["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"].
    422 Invalid request. "conclusion" wasn't supplied.
    422 Invalid request. "conclusion" wasn't supplied.
    422 Invalid request. For 'properties/started_at', "yesterday" is not a date-time.
    422 Invalid request. details_url must use http(s) scheme
    422 Invalid request. "summary" wasn't supplied.
    422 Invalid request. "title" wasn't supplied.
    422 Invalid request. Only 65535 characters are allowed; 65536 were supplied.
    422 Invalid request. No more than 50 items are allowed; 51 were supplied.
    422 Invalid request. For 'properties/annotation_level', "bad" is not a member of ["notice", "warning", "failure"].
    422 Invalid request. No more than 3 items are allowed; 4 were supplied.
    422 Invalid request. Only 20 characters are allowed; 21 were supplied.
    422 Invalid request. Only 40 characters are allowed; 41 were supplied.
    422 Invalid request. Only 20 characters are allowed; 21 were supplied.
    422 Invalid request. "head_branch" is not a permitted key.
    201
    "#);
}

#[test]
fn buttons_and_reruns_tell_the_app_what_was_pressed() {
    let mut world = world();
    let token = token(&mut world);
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let body = json!({"name": "deploy", "head_sha": SHA, "external_id": "e1", "actions":
        [{"label": "Approve", "description": "Goes on", "identifier": "approve"}]});
    let id = ask(&mut world, NOW, &token, "POST", &path, body).1["id"].as_u64().unwrap();
    let github = world.github();
    assert_eq!(github.press_button(REPOSITORY, id, "reject", "octocat"), Err(NoPress::NotThere));
    assert_eq!(github.rerequest_check_run(REPOSITORY, id, "octocat"), Err(NoPress::NotCompleted));
    let event = github.press_button(REPOSITORY, id, "approve", "octocat").unwrap();
    leave(&event);
    assert_eq!((event.event, &event.payload["action"]), ("check_run", &json!("requested_action")));
    assert_eq!(event.payload["requested_action"], json!({"identifier": "approve"}));
    assert_eq!(event.payload["check_run"]["external_id"], "e1");
    assert_eq!(event.payload["check_run"]["check_suite"]["head_branch"], "main");
    assert_eq!(event.payload["sender"]["login"], "octocat");
    ask(&mut world, NOW, &token, "PATCH", &format!("{path}/{id}"), json!({"conclusion": "success"}));
    let github = world.github();
    let event = github.rerequest_check_run(REPOSITORY, id, "octocat").unwrap();
    leave(&event);
    assert_eq!((event.event, &event.payload["action"]), ("check_run", &json!("rerequested")));
    assert_eq!(event.payload["check_run"]["status"], "completed");
    assert_eq!(github.check_suite(REPOSITORY, APP, SHA), Some(("queued", None)), "the suite is reset");
    assert_eq!(github.check_runs(REPOSITORY, SHA)[0].status, "completed", "the run is not");
    assert_eq!(github.rerequest_check_suite(REPOSITORY, APP, SHA, "octocat"), Err(NoPress::NotCompleted));
    ask(&mut world, NOW, &token, "PATCH", &format!("{path}/{id}"), json!({"conclusion": "failure"}));
    let event = world.github().rerequest_check_suite(REPOSITORY, APP, SHA, "octocat").unwrap();
    leave(&event);
    assert_eq!((event.event, &event.payload["check_suite"]["head_sha"]), ("check_suite", &json!(SHA)));
    assert_eq!(event.payload["check_suite"]["conclusion"], "failure");
    assert!(event.payload["installation"]["id"].is_u64());
}

#[test]
fn a_deployment_waits_for_statuses_and_merges_unless_it_is_told_not_to() {
    let mut world = world();
    let token = token(&mut world);
    let deployments = format!("/repos/{REPOSITORY}/deployments");
    let mut create = |body: Value| ask(&mut world, NOW, &token, "POST", &deployments, body);
    assert_eq!(refusal(create(json!({"ref": "nope"}))), "422 No ref found for: nope");
    assert_eq!(refusal(create(json!({"ref": "topic"}))), "202 Auto-merged main into topic on deployment.");
    assert_eq!(refusal(create(json!({"ref": OLD}))), format!("409 Conflict merging main into {OLD}."));
    let (status, made) = create(json!({"ref": "main"}));
    assert_eq!(
        (status, &made["environment"], &made["production_environment"]),
        (201, &json!("production"), &json!(true))
    );
    assert_eq!((&made["sha"], &made["payload"], &made["task"]), (&json!(SHA), &json!(""), &json!("deploy")));
    let status = format!("/repos/{REPOSITORY}/statuses/{SHA}");
    ask(&mut world, NOW, &token, "POST", &status, json!({"state": "pending", "context": "ci"}));
    let mut create = |body: Value| ask(&mut world, NOW, &token, "POST", &deployments, body);
    let (status, conflict) = create(json!({"ref": SHA}));
    assert_eq!(status, 409);
    assert_eq!(conflict["message"], format!("Conflict: Commit status checks failed for {SHA}."));
    assert_eq!(conflict["errors"][0]["contexts"], json!([{"context": "ci", "state": "pending"}]));
    assert_eq!(create(json!({"ref": SHA, "required_contexts": ["ci"]})).0, 409);
    let body = json!({"ref": OLD, "required_contexts": [], "auto_merge": false, "payload": {"a": 1}});
    let (status, made) = create(body);
    assert_eq!((status, &made["payload"]), (201, &json!({"a": 1})));
}

#[test]
fn a_success_makes_the_one_before_inactive_but_not_in_production() {
    let mut world = world();
    let token = token(&mut world);
    let path = format!("/repos/{REPOSITORY}/deployments");
    let deploy = |world: &mut World, environment: &str| {
        let body = json!({"ref": SHA, "environment": environment});
        ask(world, NOW, &token, "POST", &path, body).1["id"].as_u64().unwrap()
    };
    let set = |world: &mut World, id: u64, body: Value| {
        ask(world, NOW, &token, "POST", &format!("{path}/{id}/statuses"), body)
    };
    let states = |world: &mut World| {
        let deployments = world.github().deployments(REPOSITORY);
        deployments.iter().map(|deployment| deployment.state().unwrap_or("none")).collect::<Vec<_>>().join(" ")
    };
    let success = || json!({"state": "success"});
    let (one, two, production) =
        (deploy(&mut world, "staging"), deploy(&mut world, "staging"), deploy(&mut world, "production"));
    let again = deploy(&mut world, "production");
    for id in [one, production, again] {
        assert_eq!(set(&mut world, id, success()).0, 201);
    }
    assert_eq!(states(&mut world), "success none success success");
    set(&mut world, two, json!({"state": "in_progress", "log_url": "https://x.example/log"}));
    assert_eq!(states(&mut world), "success in_progress success success");
    set(&mut world, two, json!({"state": "success", "auto_inactive": false}));
    assert_eq!(states(&mut world), "success success success success");
    set(&mut world, two, success());
    assert_eq!(states(&mut world), "inactive success success success");
    let (_, listed) = ask(&mut world, NOW, &token, "GET", &format!("{path}/{two}/statuses"), Value::Null);
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|status| status["state"].clone()).collect();
    assert_eq!(listed, ["success", "success", "in_progress"], "newest first");
    let query = format!("{path}?sha={SHA}&environment=staging&task=deploy");
    let (_, listed) = ask(&mut world, NOW, &token, "GET", &query, Value::Null);
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|deployment| deployment["id"].clone()).collect();
    assert_eq!(ids, [two, one]);
    let long = set(&mut world, two, json!({"state": "success", "description": "é".repeat(141)}));
    assert_eq!(refusal(long), "422 description is too long (maximum is 140 characters)");
    assert_eq!(set(&mut world, two, json!({"state": "done"})).0, 422);
    assert_eq!(set(&mut world, two, json!({})).0, 422);
    assert_eq!(set(&mut world, 1, success()).0, 404);
}

#[test]
fn the_description_of_a_status_has_no_emoji() {
    let mut world = world();
    let token = token(&mut world);
    let path = format!("/repos/{REPOSITORY}/statuses/{SHA}");
    let mut post = |description: &str| {
        let body = json!({"state": "success", "context": "ci", "description": description});
        ask(&mut world, NOW, &token, "POST", &path, body)
    };
    assert_eq!(refusal(post("Deployed 🚀")), "422 description doesn't accept 4-byte Unicode");
    assert_eq!(post("Deployed ✓ 日本").0, 201);
}

#[test]
fn a_persons_permission_is_told_in_old_terms() {
    let mut world = world();
    for (login, role) in [("ann", Role::Maintain), ("bob", Role::Triage), ("eve", Role::None)] {
        world.github().set_role(REPOSITORY, login, role);
    }
    let mut told = |login: &str| {
        let path = format!("/repos/{REPOSITORY}/collaborators/{login}/permission");
        let (status, body) = ask(&mut world, NOW, "ghp_person", "GET", &path, Value::Null);
        (status, body["permission"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(told("Ann"), (200, "write".to_owned()));
    assert_eq!(told("bob"), (200, "read".to_owned()));
    assert_eq!(told("eve"), (200, "none".to_owned()));
    assert_eq!(told("mallory"), (404, String::new()));
}

#[test]
fn faults_and_renames_meet_the_new_endpoints() {
    let mut world = world();
    let token = token(&mut world);
    let path = format!("/repos/{REPOSITORY}/check-runs");
    let body = || json!({"name": "ci", "head_sha": SHA});
    world.faults().next("github", "POST /repos/{owner}/{repo}/check-runs", 1, Fault::BadGateway);
    assert_eq!(ask(&mut world, NOW, &token, "POST", &path, body()).0, 502);
    world.github().rename(REPOSITORY, "octo-org/renamed");
    let (status, moved) = ask(&mut world, NOW, &token, "POST", &path, body());
    assert_eq!((status, &moved["message"]), (307, &json!("Moved Permanently")));
    assert!(moved["url"].as_str().unwrap().ends_with("/repositories/100000/check-runs"));
    let path = format!("/repos/{REPOSITORY}/installation");
    assert_eq!(ask(&mut world, NOW, &good_jwt(), "GET", &path, Value::Null).0, 301);
}
