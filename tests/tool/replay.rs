//! `pipehook replay`.

use pipehook::local::sample;

use crate::common::SECRET;
use crate::scene::Desk;

/// A desk with a push in a file.
async fn desk() -> Desk {
    let desk = Desk::new().await;
    let push = sample::push("main", "Answer health checks", &["src/server.js"]);
    desk.write("push.json", &push.to_string());
    desk
}

#[tokio::test]
async fn a_replayed_push_runs_and_what_becomes_of_it_is_told() {
    let desk = desk().await;
    let ran = desk.run(&["replay", "push.json", "--delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0000"]).await;
    insta::assert_snapshot!(ran, @"
    push 72d3162e-cc78-11e3-81ab-4c9367dc0000 to WEBHOOK/
    ✓ 202
      ✓ node-server queued 397c7da: a route takes refs/heads/main of octo-org/node-server
    ");
    desk.scene.run().await;
    insta::assert_snapshot!(desk.scene.shows(&sample::sha("Answer health checks")), @"
    codepipeline/node-server success: Deployed 397c7da to staging in 4 m 3 s; node-server:42 runs since 22:03 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    ");
    assert_eq!(desk.run(&["replay", "push.json"]).await.code, 0, "the same push, under a new id");
    desk.scene.run().await;
    assert_eq!(desk.scene.executions().len(), 1, "a push starts its pipeline once");
}

#[tokio::test]
async fn it_can_be_sent_as_a_form_and_told_as_json() {
    let desk = desk().await;
    let id = "72d3162e-cc78-11e3-81ab-4c9367dc0000";
    insta::assert_snapshot!(desk.run(&["replay", "push.json", "--form", "--json", "--delivery", id]).await, @r#"{"url":"WEBHOOK/","event":"push","delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0000","status_code":202,"accepted":true,"answer":{"decisions":[{"commit":"397c7dac6eff79b5f25c857321c21b8c3c6f6b38","decision":"queued","pipeline":"node-server","reason":"a route takes refs/heads/main of octo-org/node-server","ref":"refs/heads/main"}],"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0000","event":"push"}}"#);
}

#[tokio::test]
async fn a_delivery_that_github_tells_of_keeps_its_id() {
    let desk = desk().await;
    let push = sample::push("docs", "Explain it", &["README.md"]);
    let headers =
        serde_json::json!({"X-GitHub-Event": "push", "X-GitHub-Delivery": "0b989ba4-242f-11e5-81e1-c7b6966d2516"});
    let told = serde_json::json!({"id": 1, "request": {"headers": headers, "payload": push}});
    desk.write("delivery.json", &told.to_string());
    insta::assert_snapshot!(desk.run(&["replay", "delivery.json"]).await, @"
    push 0b989ba4-242f-11e5-81e1-c7b6966d2516 to WEBHOOK/
    ✓ 202
      · ignored: the route to node-server does not take branch docs
    ");
}

#[tokio::test]
async fn the_secret_is_taken_from_where_it_is_said_to_be_and_never_shown() {
    let desk = desk().await;
    desk.write("secret.txt", &format!("{SECRET}\nthe one before\n"));
    for source in ["file:secret.txt", "ssm:/aws/reference/secretsmanager/pipehook-webhook", "env:OWN"] {
        let mut command = desk.command(&["replay", "push.json", "--secret-from", source]);
        command.env("OWN", SECRET);
        let ran = desk.finish(command).await;
        assert_eq!(ran.code, 0, "{source}: {ran}");
        assert!(!ran.to_string().contains(SECRET), "{ran}");
    }
    let url = desk.webhook_url().to_owned();
    let mut without_aws = desk.command(&["replay", "push.json", "--url", &url]);
    without_aws.env_remove("AWS_ACCESS_KEY_ID").env("PIPEHOOK_WEBHOOK_SECRET", SECRET);
    assert_eq!(desk.finish(without_aws).await.code, 0, "with both given, no account is needed");
    let mut wrong = desk.command(&["replay", "push.json", "--secret-from", "env:OWN", "--delivery", "a"]);
    wrong.env("OWN", "another");
    insta::assert_snapshot!(desk.finish(wrong).await, @"
    push a to WEBHOOK/
    ✗ 401
    --- standard error
    pipehook: the webhook did not accept it: 401: the signature does not fit the body: the secret at GitHub is another one, or this is not GitHub; --secret-from says where the secret is that the webhook has
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["replay", "push.json", "--secret-from", "env:NOBODYS"]).await, @"
    --- standard error
    pipehook: there is no secret in the variable NOBODYS: it is not set
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["replay", "push.json", "--secret-from", "hunter2"]).await, @"
    --- standard error
    error: --secret-from <SOURCE> must be env:NAME, file:PATH, ssm:NAME, or - for standard input
    --- exit code 2
    ");
}

#[tokio::test]
async fn what_keeps_it_from_the_webhook_is_said() {
    let desk = desk().await;
    let nobody = ["replay", "push.json", "--url", "http://127.0.0.1:1/", "--secret-from", "file:push.json"];
    insta::assert_snapshot!(desk.run(&nobody).await, @"
    --- standard error
    pipehook: can't deliver to http://127.0.0.1:1/: Connection refused
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["replay", "missing.json"]).await, @"
    --- standard error
    pipehook: can't read missing.json: No such file or directory
    --- exit code 1
    ");
    desk.write("text.json", "no JSON");
    insta::assert_snapshot!(desk.run(&["replay", "text.json"]).await, @"
    --- standard error
    pipehook: text.json: it is no JSON: expected ident at line 1 column 2
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["replay", "push.json", "--url", "hooks.example.com"]).await, @"
    --- standard error
    error: invalid value 'hooks.example.com' for '--url <URL>': it must be an address that begins with https:// or http://

    For more information, try '--help'.
    --- exit code 2
    ");
    let elsewhere = format!("{}elsewhere", desk.webhook_url());
    let ran = desk.run(&["replay", "push.json", "--url", &elsewhere, "--delivery", "a"]).await;
    insta::assert_snapshot!(ran, @"
    push a to WEBHOOK/elsewhere
    ✗ 404
    --- standard error
    pipehook: the webhook did not accept it: 404: there is nothing at this path; deliveries go to / or /webhook; is it pipehook's address?
    --- exit code 1
    ");
    let mut signed_out = desk.command(&["replay", "push.json"]);
    signed_out.env_remove("AWS_ACCESS_KEY_ID");
    insta::assert_snapshot!(desk.finish(signed_out).await, @"
    --- standard error
    pipehook: no AWS credentials: neither the environment nor a profile nor this machine has any; set AWS_PROFILE, sign in with `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    --- exit code 1
    ");
}

#[tokio::test]
async fn nothing_of_an_answer_reaches_the_terminals_controls() {
    let desk = desk().await;
    desk.write("ping.json", r#"{"zen": "x", "hook_id": 1}"#);
    let escape = "a\u{1b}]0;gone\u{7}";
    let ran = desk.run(&["replay", "ping.json", "--delivery", escape]).await;
    assert!(!ran.to_string().contains('\u{1b}'), "{ran}");
    assert_eq!(ran.code, 1);
}
