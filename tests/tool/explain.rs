//! `pipehook explain`.

#![allow(clippy::unwrap_used)] // A helper that can't go on fails its test.

use std::fs::File;
use std::path::Path;

use pipehook::local::sample;
use serde_json::{Value, json};

use crate::scene::{Desk, Ran};

const TWO_ROUTES: &str = r#"[[route]]
repository = "octo-org/node-server"
branches = ["main", "release/*"]
paths = ["src/**"]
pipeline = "node-server"
environment = "staging"
[route.variables]
GIT_BRANCH = "{branch}"

[[route]]
repository = "octo-org/node-server"
branches = ["main"]
paths_ignore = ["src/**", "**/*.md"]
pipeline = "docs"

[[route]]
repository = "octo-org/other"
pipeline = "other"
"#;

const ONE_ROUTE: &str = "[[route]]\nrepository = \"octo-org/node-server\"\npipeline = \"node-server\"\n";

/// Explains a payload under a configuration.
async fn explain(config: &str, payload: &Value, more: &[&str]) -> Ran {
    let desk = Desk::new().await;
    desk.write("pipehook.toml", config);
    desk.write("delivery.json", &payload.to_string());
    desk.run(&[&["explain", "delivery.json"], more].concat()).await
}

fn sample_event(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name)).unwrap()
}

fn pull_request(from: &str) -> Value {
    let repository = json!({ "id": 1, "full_name": sample::REPOSITORY, "default_branch": "main" });
    let head = json!({ "ref": "graceful-stop", "sha": sample::sha("Stop gracefully"), "repo": { "id": 2, "full_name": from } });
    let head = if from == sample::REPOSITORY {
        json!({ "repo": repository, "ref": head["ref"], "sha": head["sha"] })
    } else {
        head
    };
    json!({
        "action": "opened", "number": 7, "repository": repository, "sender": { "login": "octocat" },
        "pull_request": {
            "number": 7, "title": "Stop gracefully", "head": head,
            "base": { "ref": "main", "sha": sample::sha("x"), "repo": repository },
        },
    })
}

fn check_run(name: &str, identifier: &str) -> Value {
    json!({
        "action": "requested_action", "requested_action": { "identifier": identifier }, "sender": { "login": "octocat" },
        "check_run": { "id": 9, "name": name, "head_sha": sample::sha("x"), "check_suite": { "head_branch": "main" } },
        "repository": { "id": 1, "full_name": sample::REPOSITORY, "default_branch": "main" },
    })
}

#[tokio::test]
async fn each_route_says_what_it_makes_of_a_push_and_by_which_line() {
    let push = sample::push("main", "Answer health checks", &["src/server.js"]);
    insta::assert_snapshot!(explain(TWO_ROUTES, &push, &[]).await, @r#"
    push of branch main to octo-org/node-server by octocat: 397c7da "Answer health checks", 1 file changed

    ✓ node-server starts: the route takes branch main  pipehook.toml:1
         3 | branches = ["main", "release/*"]
         4 | paths = ["src/**"]
           pinned to 397c7dac6eff79b5f25c857321c21b8c3c6f6b38 in its action Source
           GIT_BRANCH = main
    – docs is skipped, and told as a success: the 1 changed file is left out by the path filters  pipehook.toml:10
        13 | paths_ignore = ["src/**", "**/*.md"]
    ✗ other does not start: the route is for octo-org/other  pipehook.toml:16
        17 | repository = "octo-org/other"

    1 pipeline would start.
    "#);
}

#[tokio::test]
async fn a_script_gets_the_same_as_json() {
    let push = sample::push("main", "Answer health checks", &["src/server.js"]);
    let ran = explain(TWO_ROUTES, &push, &["--json"]).await;
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&told).unwrap(), @r#"
    {
      "delivery": "push of branch main to octo-org/node-server by octocat: 397c7da \"Answer health checks\", 1 file changed",
      "event": "push",
      "routes": [
        {
          "decision": "starts",
          "line": 1,
          "lines": [
            {
              "line": 3,
              "text": "branches = [\"main\", \"release/*\"]"
            },
            {
              "line": 4,
              "text": "paths = [\"src/**\"]"
            }
          ],
          "pipeline": "node-server",
          "reason": "the route takes branch main",
          "repository": "octo-org/node-server",
          "start": {
            "commit": "397c7dac6eff79b5f25c857321c21b8c3c6f6b38",
            "ref": "refs/heads/main",
            "source_action": "Source",
            "variables": {
              "GIT_BRANCH": "main"
            }
          }
        },
        {
          "decision": "skipped",
          "line": 10,
          "lines": [
            {
              "line": 13,
              "text": "paths_ignore = [\"src/**\", \"**/*.md\"]"
            }
          ],
          "pipeline": "docs",
          "reason": "the 1 changed file is left out by the path filters",
          "repository": "octo-org/node-server"
        },
        {
          "decision": "ignored",
          "line": 16,
          "lines": [
            {
              "line": 17,
              "text": "repository = \"octo-org/other\""
            }
          ],
          "pipeline": "other",
          "reason": "the route is for octo-org/other",
          "repository": "octo-org/other"
        }
      ]
    }
    "#);
    assert_eq!(ran.code, 0);
}

#[tokio::test]
async fn a_branch_or_a_tag_that_no_pattern_takes_is_told_with_what_is_taken() {
    let branch = sample::push("graceful-stop", "Stop gracefully", &["src/server.js"]);
    insta::assert_snapshot!(explain(TWO_ROUTES, &branch, &[]).await, @r#"
    push of branch graceful-stop to octo-org/node-server by octocat: b80904f "Stop gracefully", 1 file changed

    ✗ node-server does not start: the route does not take branch graceful-stop  pipehook.toml:1
         3 | branches = ["main", "release/*"]
    ✗ docs does not start: the route does not take branch graceful-stop  pipehook.toml:10
        12 | branches = ["main"]
    ✗ other does not start: the route is for octo-org/other  pipehook.toml:16
        17 | repository = "octo-org/other"

    Nothing would start.
    "#);
    insta::assert_snapshot!(explain(ONE_ROUTE, &branch, &[]).await, @r#"
    push of branch graceful-stop to octo-org/node-server by octocat: b80904f "Stop gracefully", 1 file changed

    ✗ node-server does not start: the route takes the default branch, main, and not graceful-stop  pipehook.toml:1
         1 | [[route]]

    Nothing would start.
    "#);
    let tag = sample::push_to("refs/tags/v1.0.0", "Stop gracefully", &[]);
    insta::assert_snapshot!(explain(ONE_ROUTE, &tag, &[]).await, @r#"
    push of tag v1.0.0 to octo-org/node-server by octocat: b80904f "Stop gracefully", 0 files changed

    ✗ node-server does not start: the route has no `tags`, so that it does not take tag v1.0.0  pipehook.toml:1
         1 | [[route]]

    Nothing would start.
    "#);
    let tags = ONE_ROUTE.replace("pipeline", "tags = [\"v*\"]\npaths = [\"src/**\"]\npipeline");
    let mut tag = tag;
    tag["created"] = json!(true);
    tag["commits"] = json!([]);
    insta::assert_snapshot!(explain(&tags, &tag, &[]).await, @r#"
    push of tag v1.0.0 to octo-org/node-server by octocat: b80904f "Stop gracefully", it is not known which files changed: the push brings no commits of its own

    ✓ node-server starts: the route takes tag v1.0.0; the path filters are left aside, for the push brings no commits of its own  pipehook.toml:1
         3 | tags = ["v*"]
         4 | paths = ["src/**"]
           pinned to b80904f2541c0981c89f1fb88a7dcded5eac24cb in its action Source

    1 pipeline would start.
    "#);
}

#[tokio::test]
async fn a_push_is_skipped_by_its_message_or_by_its_paths() {
    let marked = sample::push("main", "Fix a typo [skip ci]", &["src/server.js"]);
    insta::assert_snapshot!(explain(ONE_ROUTE, &marked, &[]).await, @r#"
    push of branch main to octo-org/node-server by octocat: a281966 "Fix a typo [skip ci]", 1 file changed

    – node-server is skipped, and told as a success: the commit's message says [skip ci]  pipehook.toml:1

    Nothing would start.
    "#);
    let docs = sample::push("main", "Fix a typo", &["README.md", "docs/index.md"]);
    insta::assert_snapshot!(explain(TWO_ROUTES, &docs, &[]).await, @r#"
    push of branch main to octo-org/node-server by octocat: 5b65075 "Fix a typo", 2 files changed

    – node-server is skipped, and told as a success: the 2 changed files are left out by the path filters  pipehook.toml:1
         4 | paths = ["src/**"]
    – docs is skipped, and told as a success: the 2 changed files are left out by the path filters  pipehook.toml:10
        13 | paths_ignore = ["src/**", "**/*.md"]
    ✗ other does not start: the route is for octo-org/other  pipehook.toml:16
        17 | repository = "octo-org/other"

    Nothing would start.
    "#);
}

#[tokio::test]
async fn of_two_routes_to_one_pipeline_the_first_that_starts_it_decides() {
    let with_paths = ONE_ROUTE.replace("pipeline", "paths = [\"src/**\"]\npipeline");
    let three = [with_paths.as_str(), ONE_ROUTE, ONE_ROUTE].join("\n");
    let source = sample::push("main", "Answer health checks", &["src/server.js"]);
    insta::assert_snapshot!(explain(&three, &source, &[]).await, @r#"
    push of branch main to octo-org/node-server by octocat: 397c7da "Answer health checks", 1 file changed

    ✓ node-server starts: the route takes the default branch, main  pipehook.toml:1
         3 | paths = ["src/**"]
           pinned to 397c7dac6eff79b5f25c857321c21b8c3c6f6b38 in its action Source
    · node-server is not decided here: the route in line 1 decides for it  pipehook.toml:6
    · node-server is not decided here: the route in line 1 decides for it  pipehook.toml:10

    1 pipeline would start.
    "#);
    let docs = sample::push("main", "Fix a typo", &["README.md"]);
    insta::assert_snapshot!(explain(&three, &docs, &[]).await, @r#"
    push of branch main to octo-org/node-server by octocat: 5b65075 "Fix a typo", 1 file changed

    · node-server is not decided here: the route in line 6 decides for it  pipehook.toml:1
    ✓ node-server starts: the route takes the default branch, main  pipehook.toml:6
         6 | [[route]]
           pinned to 5b65075cfe62eff3ef71fc262a32544aa6c6ffba in its action Source
    · node-server is not decided here: the route in line 6 decides for it  pipehook.toml:10

    1 pipeline would start.
    "#);
}

#[tokio::test]
async fn pull_requests_start_a_pipeline_where_a_route_takes_them_and_never_from_a_fork() {
    let takes = |value: &str| ONE_ROUTE.replace("pipeline", &format!("pull_requests = {value}\npipeline"));
    let own = pull_request(sample::REPOSITORY);
    insta::assert_snapshot!(explain(ONE_ROUTE, &own, &[]).await, @r#"
    pull request #7 of octo-org/node-server by octocat: b80904f "Stop gracefully", graceful-stop into main

    ✗ node-server does not start: the route does not take pull requests; with `pull_requests = true` it would  pipehook.toml:1
         1 | [[route]]

    Nothing would start.
    "#);
    insta::assert_snapshot!(explain(&takes("true"), &own, &[]).await, @r#"
    pull request #7 of octo-org/node-server by octocat: b80904f "Stop gracefully", graceful-stop into main

    ✓ node-server starts: the route takes pull requests into main  pipehook.toml:1
         3 | pull_requests = true
           pinned to b80904f2541c0981c89f1fb88a7dcded5eac24cb in its action Source

    1 pipeline would start.
    "#);
    insta::assert_snapshot!(explain(&takes("{ base = [\"release/*\"] }"), &own, &[]).await, @r#"
    pull request #7 of octo-org/node-server by octocat: b80904f "Stop gracefully", graceful-stop into main

    ✗ node-server does not start: the route does not take pull requests into main  pipehook.toml:1
         3 | pull_requests = { base = ["release/*"] }

    Nothing would start.
    "#);
    let pushed = takes("true").replace("pipeline =", "branches = [\"**\"]\npipeline =");
    insta::assert_snapshot!(explain(&pushed, &own, &[]).await, @r#"
    pull request #7 of octo-org/node-server by octocat: b80904f "Stop gracefully", graceful-stop into main

    ✗ node-server does not start: the route takes the push to graceful-stop already  pipehook.toml:1
         4 | branches = ["**"]

    Nothing would start.
    "#);
    let fork = pull_request("octocat/node-server");
    insta::assert_snapshot!(explain(&takes("true"), &fork, &[]).await, @r#"
    pull request #7 of octo-org/node-server by octocat: b80904f "Stop gracefully", graceful-stop into main, from a fork

    ✗ node-server does not start: #7 comes from a fork, and forks never start a pipeline  pipehook.toml:1

    Nothing would start.
    "#);
}

#[tokio::test]
async fn a_press_is_for_the_pipeline_of_its_check_run() {
    let approve = check_run("codepipeline/node-server/Staging", "approve:1");
    insta::assert_snapshot!(explain(TWO_ROUTES, &approve, &[]).await, @r#"
    a button of codepipeline/node-server/Staging, pressed by octocat on 2d71164 of octo-org/node-server

    ✓ node-server gets the press: the check run is one of its own; GitHub is asked whether octocat may  pipehook.toml:1
         5 | pipeline = "node-server"
    ✗ docs does not start: the check run is not one of docs  pipehook.toml:10
        14 | pipeline = "docs"
    ✗ other does not start: the route is for octo-org/other  pipehook.toml:16
        17 | repository = "octo-org/other"

    What the press does, CodePipeline's state decides when it comes.
    "#);
    let of_another = check_run("lint", "fix");
    insta::assert_snapshot!(explain(ONE_ROUTE, &of_another, &[]).await, @r#"
    a button of lint, pressed by octocat on 2d71164 of octo-org/node-server

    ✗ node-server does not start: the check run is not one of node-server  pipehook.toml:1
         3 | pipeline = "node-server"

    Nothing would start.
    "#);
}

#[tokio::test]
async fn what_starts_nothing_whatever_the_routes_say_is_told_once() {
    let mut deletion = sample::push("graceful-stop", "x", &[]);
    deletion["deleted"] = json!(true);
    insta::assert_snapshot!(explain(TWO_ROUTES, &deletion, &[]).await, @"
    refs/heads/graceful-stop was deleted

    Nothing would start, whatever the routes say.
    ");
    insta::assert_snapshot!(explain(TWO_ROUTES, &json!({ "zen": "Design for failure.", "hook_id": 1 }), &[]).await, @"
    ping: the webhook is set up

    Nothing would start, whatever the routes say.
    ");
    insta::assert_snapshot!(explain(TWO_ROUTES, &json!({ "action": "opened" }), &["--event", "issues"]).await, @"
    issues events start nothing

    Nothing would start, whatever the routes say.
    ");
}

#[tokio::test]
async fn without_routes_nothing_starts() {
    insta::assert_snapshot!(explain("", &sample::push("main", "x", &[]), &[]).await, @r#"
    push of branch main to octo-org/node-server by octocat: 2d71164 "x", 0 files changed

    pipehook.toml has no routes, so that nothing would start.
    "#);
    let elsewhere = ONE_ROUTE.replace("octo-org/node-server", "octo-org/docs");
    insta::assert_snapshot!(explain(&elsewhere, &sample::push("main", "x", &[]), &[]).await, @r#"
    push of branch main to octo-org/node-server by octocat: 2d71164 "x", 0 files changed

    ✗ node-server does not start: the route is for octo-org/docs  pipehook.toml:1
         2 | repository = "octo-org/docs"

    Nothing would start.
    "#);
}

#[tokio::test]
async fn every_sample_delivery_is_told_right() {
    let desk = Desk::new().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = root.join("pipehook.example.toml");
    let mut samples: Vec<_> =
        std::fs::read_dir(root.join("events")).unwrap().map(|entry| entry.unwrap().path()).collect();
    samples.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    samples.sort();
    let mut told = String::new();
    for sample in samples {
        let name = sample.file_name().unwrap().to_str().unwrap();
        let (sample, config) = (sample.to_str().unwrap(), config.to_str().unwrap());
        let ran = desk.run(&["explain", sample, "--config", config, "--json"]).await;
        let line = match serde_json::from_str::<Value>(&ran.out) {
            Ok(told) => {
                let (delivery, verdict) = (told["delivery"].as_str().unwrap(), &told["routes"][0]);
                let reason = verdict["reason"].as_str().unwrap();
                let reason = if reason == delivery { "" } else { reason };
                format!("{delivery}\n    {} {reason}", verdict["decision"].as_str().unwrap())
            }
            Err(_) => format!("exit code {}: {}", ran.code, ran.err.trim_end().rsplit("events/").next().unwrap()),
        };
        told += &format!("{name}: {}\n", line.trim_end());
    }
    insta::assert_snapshot!(told, @r#"
    alb-push-main.json: push of branch main to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", 5 files changed
        starts the route takes branch main
    api-gateway-http-push-main.json: push of branch main to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", 5 files changed
        starts the route takes branch main
    api-gateway-rest-push-main.json: push of branch main to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", 5 files changed
        starts the route takes branch main
    codepipeline-action-succeeded.json: exit code 1: codepipeline-action-succeeded.json: it is an event of EventBridge's, which the worker gets, and no delivery of GitHub's
    codepipeline-pipeline-started.json: exit code 1: codepipeline-pipeline-started.json: it is an event of EventBridge's, which the worker gets, and no delivery of GitHub's
    codepipeline-pipeline-succeeded.json: exit code 1: codepipeline-pipeline-succeeded.json: it is an event of EventBridge's, which the worker gets, and no delivery of GitHub's
    codepipeline-stage-failed.json: exit code 1: codepipeline-stage-failed.json: it is an event of EventBridge's, which the worker gets, and no delivery of GitHub's
    function-url-forged.json: push of branch main to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", 5 files changed
        starts the route takes branch main
    function-url-ping.json: ping: the webhook is set up
        ignored
    function-url-push-deletion.json: refs/heads/graceful-stop was deleted
        ignored
    function-url-push-main-base64.json: push of branch main to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", 5 files changed
        starts the route takes branch main
    function-url-push-main-form.json: push of branch main to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", 5 files changed
        starts the route takes branch main
    function-url-push-main.json: push of branch main to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", 5 files changed
        starts the route takes branch main
    ping.json: ping: the webhook is set up
        ignored
    pull-request-from-fork.json: pull request #43 of octo-org/node-server by octocat: 2dafdbd "Mend a typo in the log line", typo into main, from a fork
        ignored the route does not take pull requests; with `pull_requests = true` it would
    pull-request-opened.json: pull request #42 of octo-org/node-server by octocat: 57fedb6 "Drain connections before a stop", graceful-stop into main
        ignored the route does not take pull requests; with `pull_requests = true` it would
    push-annotated-tag.json: push of tag v1.1.0 to octo-org/node-server by octocat: bd917fd "Release 1.1.0", it is not known which files changed: the push brings no commits of its own
        starts the route takes tag v1.1.0; the path filters are left aside, for the push brings no commits of its own
    push-deletion.json: refs/heads/graceful-stop was deleted
        ignored
    push-force.json: push of branch graceful-stop to octo-org/node-server by octocat: 57fedb6 "Drain connections before a stop", it is not known which files changed: a force push also changes what the commits that it removed had changed
        ignored the route does not take branch graceful-stop
    push-main.json: push of branch main to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", 5 files changed
        starts the route takes branch main
    push-new-branch.json: push of branch graceful-stop to octo-org/node-server by octocat: 576b4c1 "Drain connections before a stop", it is not known which files changed: a new branch or tag has nothing before it to differ from
        ignored the route does not take branch graceful-stop
    push-tag.json: push of tag v1.0.0 to octo-org/node-server by octocat: 5de842e "Answer /health with the build's commit", it is not known which files changed: the push brings no commits of its own
        starts the route takes tag v1.0.0; the path filters are left aside, for the push brings no commits of its own
    sqs-eventbridge.json: exit code 1: sqs-eventbridge.json: it is a batch of the queue's messages, which the worker gets, and no delivery of GitHub's
    sqs-start.json: exit code 1: sqs-start.json: it is a batch of the queue's messages, which the worker gets, and no delivery of GitHub's
    "#);
}

#[tokio::test]
async fn a_delivery_is_read_as_github_tells_it_as_a_form_and_from_standard_input() {
    let desk = Desk::new().await;
    desk.write("pipehook.toml", ONE_ROUTE);
    let payload: Value = serde_json::from_str(&sample_event("push-main.json")).unwrap();
    desk.write("plain.json", &payload.to_string());
    let plain = desk.run(&["explain", "plain.json"]).await;
    assert!(plain.out.contains("1 pipeline would start."), "{plain}");
    // The answer to GET /repos/OWNER/NAME/hooks/1/deliveries/2.
    let headers = json!({ "X-GitHub-Event": "push", "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958" });
    let told = json!({ "id": 2, "event": "push", "request": { "headers": headers, "payload": payload } });
    desk.write("told.json", &told.to_string());
    assert_eq!(desk.run(&["explain", "told.json"]).await.out, plain.out);
    desk.write(
        "headless.json",
        &json!({ "event": "push", "request": { "headers": null, "payload": payload } }).to_string(),
    );
    assert_eq!(desk.run(&["explain", "headless.json"]).await.out, plain.out);
    desk.write("marked.json", &format!("\u{feff}{payload}"));
    assert_eq!(desk.run(&["explain", "marked.json"]).await.out, plain.out);
    let form: Value = serde_json::from_str(&sample_event("function-url-push-main-form.json")).unwrap();
    desk.write("form", form["body"].as_str().unwrap());
    assert_eq!(desk.run(&["explain", "form"]).await.out, plain.out);
    let mut piped = desk.command(&["explain", "-"]);
    piped.stdin(File::open(desk.home().join("plain.json")).unwrap());
    assert_eq!(desk.finish(piped).await.out, plain.out);
}

#[tokio::test]
async fn what_is_no_delivery_or_no_configuration_is_refused_with_what_to_do() {
    let desk = Desk::new().await;
    desk.write("pipehook.toml", ONE_ROUTE);
    desk.write("broken.json", "{\"ref\": \"refs/heads/main\",\n");
    insta::assert_snapshot!(desk.run(&["explain", "broken.json"]).await, @"
    --- standard error
    pipehook: broken.json: it is no JSON: EOF while parsing a value at line 2 column 0
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["explain", "-"]).await, @"
    --- standard error
    pipehook: standard input: it is no JSON: EOF while parsing a value at line 1 column 0
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["explain", "nowhere.json"]).await, @"
    --- standard error
    pipehook: can't read nowhere.json: No such file or directory
    --- exit code 1
    ");
    desk.write("unknown.json", "{\"action\": \"opened\"}");
    insta::assert_snapshot!(desk.run(&["explain", "unknown.json"]).await, @"
    --- standard error
    pipehook: unknown.json: it does not say which event it is; --event names it, as in --event push
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["explain", "unknown.json", "--event", "Pull Request"]).await, @r#"
    --- standard error
    pipehook: unknown.json: "Pull Request" is no name of an event
    --- exit code 1
    "#);
    insta::assert_snapshot!(desk.run(&["explain", "unknown.json", "--event", "push"]).await, @"
    --- standard error
    pipehook: unknown.json: the body is not a push event: missing field `ref` at line 1 column 20 (at its top)
    --- exit code 1
    ");
    desk.write("list.json", "[1, 2]");
    insta::assert_snapshot!(desk.run(&["explain", "list.json"]).await, @"
    --- standard error
    pipehook: list.json: it does not say which event it is; --event names it, as in --event push
    --- exit code 1
    ");
    desk.write("push.json", &sample::push("main", "x", &[]).to_string());
    insta::assert_snapshot!(desk.run(&["explain", "push.json", "--config", "nowhere.toml"]).await, @"
    --- standard error
    pipehook: can't read nowhere.toml: No such file or directory; --config names the configuration
    --- exit code 1
    ");
    desk.write("wrong.toml", &ONE_ROUTE.replace("pipeline", "branch = \"main\"\npipeline"));
    insta::assert_snapshot!(desk.run(&["explain", "push.json", "--config", "wrong.toml"]).await, @r#"
    --- standard error
    pipehook: wrong.toml: the configuration does not parse: TOML parse error at line 3, column 1
      |
    3 | branch = "main"
      | ^^^^^^
    unknown field `branch`, expected one of `repository`, `branches`, `tags`, `paths`, `paths_ignore`, `pull_requests`, `pipeline`, `source_action`, `environment`, `environment_url`, `superseded`, `stop_failed_rollout`, `variables`
    `pipehook config check wrong.toml` shows everything that is wrong with it
    --- exit code 1
    "#);
    insta::assert_snapshot!(desk.run(&["explain"]).await, @"
    --- standard error
    error: the following required arguments were not provided:
      <EVENT.json>

    Usage: pipehook explain <EVENT.json>

    For more information, try '--help'.
    --- exit code 2
    ");
}

#[tokio::test]
async fn nothing_in_a_delivery_reaches_the_terminal_as_a_command() {
    let evil = "\u{1b}[2J\u{7}\u{9b}31mx\r\n";
    let config = format!("{ONE_ROUTE}[route.variables]\nMESSAGE = \"{{message}}\"\n");
    let (mut push, mut refused) = (sample::push("main", evil, &[]), sample::push(evil, "x", &[]));
    push["sender"]["login"] = json!(evil);
    let mut nameless = push.clone();
    nameless["repository"]["full_name"] = json!(evil);
    let mut deletion = refused.clone();
    deletion["deleted"] = json!(true);
    refused["commits"][0]["id"] = json!(evil);
    for payload in [push, refused, nameless, deletion] {
        for more in [&[][..], &["--json"]] {
            let ran = explain(&config, &payload, more).await;
            let told = format!("{}{}", ran.out, ran.err);
            let is_harmless = |c: char| !c.is_control() || c == '\n';
            assert!(told.chars().all(is_harmless), "{told:?}");
        }
    }
}
