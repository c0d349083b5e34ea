//! Webhooks and deliveries, through `World::handle`.

#![allow(clippy::needless_pass_by_value)] // A `json!` in the place of an argument reads better without a reference.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::DeliveryOutcome;
use crate::domain::time::Timestamp;
use crate::settings::Secret;
use crate::standin::github::Permission;
use crate::standin::{OutgoingDelivery, Role, World};
use crate::webhook::signature::Signature;

const NOW: Timestamp = Timestamp::from_secs(1_769_292_224);
const REPOSITORY: &str = "octo-org/app";
const HOOKS: &str = "/repos/octo-org/app/hooks";
const URL: &str = "https://hooks.example.com/";
const TOKEN: &str = "ghp_person";

/// A world whose journal is left for the check against GitHub's own description.
struct Told(World);

impl Deref for Told {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl DerefMut for Told {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let Some(folder) = std::env::var_os("PIPEHOOK_TEST_JOURNALS") else {
            return;
        };
        let name = format!("hooks-{}-{}.jsonl", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        std::fs::write(std::path::PathBuf::from(folder).join(name), self.0.journal_json_lines()).unwrap();
    }
}

fn world() -> Told {
    let mut world = Told(World::new(NOW, 1));
    world.github().add_repository(REPOSITORY, "main");
    world.github().add_token(TOKEN, "octocat");
    world.github().add_token("github_pat_fine", "octocat");
    world
}

fn send(world: &mut World, at: Timestamp, token: &str, method: &str, path: &str, body: Value) -> Response<Bytes> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:4566/github{path}"))
        .header("host", "127.0.0.1:4566")
        .header("user-agent", "test")
        .header("authorization", format!("Bearer {token}"));
    world.handle(at, &request.body(body).unwrap()).response().unwrap()
}

fn ask(world: &mut World, method: &str, path: &str, body: Value) -> (u16, Value) {
    let answer = send(world, NOW, TOKEN, method, path, body);
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
}

fn create(world: &mut World, body: Value) -> u64 {
    let (status, made) = ask(world, "POST", HOOKS, body);
    assert_eq!(status, 201, "{made}");
    made["id"].as_u64().unwrap()
}

fn json_hook() -> Value {
    json!({"config": {"url": URL, "content_type": "json", "secret": "s3cr3t"}})
}

/// What GitHub says against something, in one line.
fn refusal((status, body): (u16, Value)) -> String {
    let error = body.pointer("/errors/0/message").and_then(Value::as_str).unwrap_or_default();
    format!("{status} {} {error}", body["message"].as_str().unwrap_or_default()).trim_end().to_owned()
}

/// Pushes a commit whose name is made of one digit.
fn push(world: &mut World, at: Timestamp, digit: char) -> String {
    let sha = digit.to_string().repeat(40);
    let payload = json!({"ref": "refs/heads/main", "after": sha, "repository": {"full_name": REPOSITORY}, "digit": digit.to_string()});
    world.github().push(at, &payload).unwrap()
}

/// Sends what waits, with this answer for all.
fn answer(world: &mut World, at: Timestamp, status: u16) -> Vec<Request<Bytes>> {
    let sent = world.github().take_outgoing();
    let settle = |delivery: OutgoingDelivery| {
        let outcome = DeliveryOutcome::Answered { status, headers: Vec::new(), body: "said".to_owned() };
        world.github().settle_outgoing(at, delivery.id, Duration::from_millis(270), outcome);
        delivery.request
    };
    sent.into_iter().map(settle).collect()
}

#[test]
fn a_webhook_sends_forms_and_hears_of_pushes_unless_it_is_told_otherwise() {
    let mut world = world();
    let id = create(&mut world, json!({"config": {"url": URL}}));
    let (_, hook) = ask(&mut world, "GET", &format!("{HOOKS}/{id}"), Value::Null);
    assert_eq!(hook["config"], json!({"url": URL, "content_type": "form", "insecure_ssl": "0"}));
    assert_eq!((&hook["events"], &hook["active"]), (&json!(["push"]), &json!(true)));
    assert_eq!(hook["last_response"], json!({"code": null, "status": "unused", "message": null}));
    let sent = answer(&mut world, NOW, 202);
    assert_eq!(sent[0].headers()["x-github-event"], "ping", "a new webhook is told that it is one");
    assert_eq!(sent[0].headers()["content-type"], "application/x-www-form-urlencoded");
    assert!(sent[0].body().starts_with(b"payload=%7B"));
    assert!(!sent[0].headers().contains_key("x-hub-signature-256"), "nothing signs without a secret");
    let (_, hook) = ask(&mut world, "GET", &format!("{HOOKS}/{id}"), Value::Null);
    assert_eq!(hook["last_response"], json!({"code": 202, "status": "active", "message": "OK"}));
}

#[test]
fn a_change_of_the_config_takes_the_secret_away_unless_it_names_it() {
    let mut world = world();
    let id = create(&mut world, json_hook());
    let path = format!("{HOOKS}/{id}");
    let (_, shown) = ask(&mut world, "GET", &path, Value::Null);
    assert_eq!(shown["config"]["secret"], "********");
    let (_, kept) = ask(&mut world, "PATCH", &path, json!({"add_events": ["pull_request"], "active": false}));
    assert_eq!((&kept["events"], &kept["active"]), (&json!(["pull_request", "push"]), &json!(false)));
    assert_eq!(kept["config"]["secret"], "********");
    let (_, lost) = ask(&mut world, "PATCH", &path, json!({"config": {"url": URL, "content_type": "json"}}));
    assert_eq!(lost["config"].get("secret"), None);
    assert!(!world.journal_json_lines().contains("s3cr3t"), "no secret lies in the journal");
}

#[test]
fn what_can_be_no_webhook_is_refused() {
    let mut world = world();
    let with = |config: Value| json!({"config": config});
    let mut refused = |body: Value| refusal(ask(&mut world, "POST", HOOKS, body));
    assert_eq!(refused(json!({})), "422 Validation Failed Config must contain URL for webhooks");
    assert_eq!(refused(with(json!({"url": "ftp://x.example"}))), "422 Validation Failed Invalid URL for webhooks");
    assert_eq!(
        refused(with(json!({"url": "http://localhost:1/"}))),
        "422 Validation Failed url is not supported because it isn't reachable over the public Internet (localhost)"
    );
    assert_eq!(
        refused(json!({"config": {"url": URL}, "name": "email"})).split('\n').next(),
        Some("422 Invalid request.")
    );
    assert_eq!(
        refused(with(json!({"url": URL, "content_type": "xml"}))).split('\n').next(),
        Some("422 Invalid request.")
    );
    assert_eq!(
        refused(json!({"config": {"url": URL}, "events": ["pushed"]})),
        "422 Validation Failed The following events are invalid: pushed"
    );
    create(&mut world, json_hook());
    let mut refused = |body: Value| refusal(ask(&mut world, "POST", HOOKS, body));
    assert_eq!(refused(json_hook()), "422 Validation Failed Hook already exists on this repository");
    let other_events = json!({"config": {"url": URL, "content_type": "json"}, "events": ["pull_request"]});
    create(&mut world, other_events);
    for n in 0..19 {
        create(&mut world, with(json!({"url": format!("{URL}{n}")})));
    }
    let one_more = ask(&mut world, "POST", HOOKS, with(json!({"url": "https://one.example/"})));
    assert_eq!(refusal(one_more), "422 Validation Failed The \"push\" event cannot have more than 20 hooks");
}

#[test]
fn webhooks_are_for_administrators_and_a_token_says_what_it_lacks() {
    let mut world = world();
    let get = |world: &mut World, token: &str, method: &str| {
        let answer = send(world, NOW, token, method, HOOKS, Value::Null);
        let needed = answer.headers().get("x-accepted-github-permissions").cloned();
        (answer.status().as_u16(), needed.map(|needed| needed.to_str().unwrap().to_owned()))
    };
    for token in [TOKEN, "github_pat_fine"] {
        world.github().set_permission(token, Permission::Read);
        assert_eq!(get(&mut world, token, "GET").0, 200);
    }
    assert_eq!(get(&mut world, TOKEN, "POST"), (404, None), "a scope that is missing hides");
    let needed = Some("repository_hooks=write".to_owned());
    assert_eq!(get(&mut world, "github_pat_fine", "POST"), (403, needed));
    world.github().set_role(REPOSITORY, "octocat", Role::Maintain);
    assert_eq!(get(&mut world, TOKEN, "GET").0, 404, "who maintains does not administer");
    world.github().set_role(REPOSITORY, "octocat", Role::Admin);
    assert_eq!(get(&mut world, TOKEN, "GET").0, 200);
}

#[test]
fn a_push_is_told_to_every_webhook_that_hears_of_it_and_listed_once_it_was_answered() {
    let mut world = world();
    let id = world.github().add_hook(NOW, REPOSITORY, URL, Some("It's a Secret to Everybody")).unwrap();
    world.github().add_hook(NOW, REPOSITORY, "https://other.example/", None).unwrap();
    let guid = push(&mut world, NOW, '1');
    let deliveries = format!("{HOOKS}/{id}/deliveries");
    assert_eq!(ask(&mut world, "GET", &deliveries, Value::Null), (200, json!([])));
    let sent = answer(&mut world, NOW, 500);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|request| request.headers()["x-github-delivery"] == guid.as_str()), "they share its id");
    let signature = sent[0].headers()["x-hub-signature-256"].to_str().unwrap();
    let fits = Signature::parse(Some(signature.as_bytes()))
        .and_then(|signature| signature.verify(&[Secret::new("It's a Secret to Everybody")], sent[0].body()));
    assert_eq!(fits, Ok(()));
    let (_, listed) = ask(&mut world, "GET", &deliveries, Value::Null);
    let one = &listed[0];
    assert_eq!((&one["status"], &one["status_code"]), (&json!("Invalid HTTP Response: 500"), &json!(500)));
    assert_eq!((&one["duration"], &one["redelivery"], &one["guid"]), (&json!(0.27), &json!(false), &json!(guid)));
    let path = format!("{deliveries}/{}", one["id"]);
    let (_, whole) = ask(&mut world, "GET", &path, Value::Null);
    assert_eq!(whole["request"]["headers"]["x-github-hook-id"], id.to_string());
    assert_eq!((&whole["request"]["payload"]["digit"], &whole["response"]["payload"]), (&json!("1"), &json!("said")));
}

#[test]
fn a_delivery_can_be_sent_again_for_three_days_under_the_id_of_its_event() {
    let mut world = world();
    let id = world.github().add_hook(NOW, REPOSITORY, URL, None).unwrap();
    let guid = push(&mut world, NOW, '1');
    answer(&mut world, NOW, 500);
    let deliveries = format!("{HOOKS}/{id}/deliveries");
    let (_, listed) = ask(&mut world, "GET", &deliveries, Value::Null);
    let again = format!("{deliveries}/{}/attempts", listed[0]["id"]);
    assert_eq!(ask(&mut world, "POST", &again, Value::Null), (202, json!({})));
    let sent = answer(&mut world, NOW, 202);
    assert_eq!(sent[0].headers()["x-github-delivery"], guid.as_str());
    let (_, listed) = ask(&mut world, "GET", &deliveries, Value::Null);
    let told: Vec<_> = listed.as_array().unwrap().iter().map(|one| (&one["redelivery"], &one["guid"])).collect();
    assert_eq!(told, [(&json!(true), &json!(guid)), (&json!(false), &json!(guid))], "newest first");
    let failed = ask(&mut world, "GET", &format!("{deliveries}?status=failure"), Value::Null).1;
    assert_eq!(failed.as_array().unwrap().len(), 1);
    let later = NOW + Duration::from_secs(3 * 86_400 + 1);
    assert_eq!(send(&mut world, later, TOKEN, "POST", &again, Value::Null).status(), 404);
    assert_eq!(send(&mut world, later, TOKEN, "GET", &deliveries, Value::Null).body(), "[]");
}

#[test]
fn deliveries_are_paged_by_cursor_and_no_connection_is_a_gateways_failure() {
    let mut world = world();
    let id = world.github().add_hook(NOW, REPOSITORY, URL, None).unwrap();
    for digit in ['1', '2', '3'] {
        push(&mut world, NOW, digit);
        let sent = world.github().take_outgoing();
        world.github().settle_outgoing(NOW, sent[0].id, Duration::ZERO, DeliveryOutcome::NoConnection);
    }
    let mut path = format!("{HOOKS}/{id}/deliveries?per_page=2");
    let mut codes = Vec::new();
    loop {
        let answer = send(&mut world, NOW, TOKEN, "GET", &path, Value::Null);
        let page: Vec<Value> = serde_json::from_slice(answer.body()).unwrap();
        codes.extend(page.iter().map(|one| (one["status"].clone(), one["status_code"].clone())));
        let Some(link) = answer.headers().get("link") else { break };
        let (next, relation) = link.to_str().unwrap().split_once(">; ").unwrap();
        assert_eq!(relation, "rel=\"next\"");
        path = next.trim_start_matches("<http://127.0.0.1:4566/github").to_owned();
    }
    assert_eq!(codes, vec![(json!("failed to connect to host"), json!(502)); 3]);
    assert_eq!(ask(&mut world, "GET", &format!("{HOOKS}/{id}/deliveries?cursor=x"), Value::Null).0, 400);
}
