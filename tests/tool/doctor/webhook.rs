//! The function that GitHub calls.

use std::net::Ipv4Addr;

use axum::Router;
use axum::http::StatusCode;
use pipehook::standin::{FunctionSpec, UrlAuth};
use tokio::net::TcpListener;

use super::{healthy, move_webhook, troubles};
use crate::scene::Desk;

const WEBHOOK: &str = "pipehook-Webhook-8XjT0yq3fWkA";

fn change(desk: &Desk, change: impl Fn(&mut FunctionSpec)) {
    change(desk.scene.local.world().functions().get_mut(WEBHOOK).unwrap());
}

/// Something in the webhook's place that answers the same to everything.
async fn answer_with(desk: &Desk, status: StatusCode, body: &'static str) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    move_webhook(desk, &format!("http://{}/", listener.local_addr().unwrap()));
    let service = Router::new().fallback(move || async move { (status, body) });
    tokio::spawn(async move { axum::serve(listener, service).await });
}

#[tokio::test]
async fn a_secret_that_was_deleted() {
    let desk = healthy().await;
    desk.scene.local.world().parameters().remove("/aws/reference/secretsmanager/pipehook-webhook");
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ webhook's secret: there is none at /aws/reference/secretsmanager/pipehook-webhook
          → aws secretsmanager put-secret-value --secret-id pipehook-webhook --secret-string "$(openssl rand -hex 20)" --region us-east-1, and five minutes later put it into GitHub's webhook: `pipehook webhook install`
      – signed ping: not checked: the webhook's secret is not known
      – forged ping: not checked: it was answered with 500, as the signed one
    --- standard error
    pipehook: something is wrong: 1 wrong, 2 not checked, 21 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_secret_that_can_be_guessed_is_not_shown() {
    let desk = healthy().await;
    desk.scene.local.put_webhook_secret("hunter2");
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ webhook's secret: it has 7 characters, which can be guessed; 16 are the least
          → aws secretsmanager put-secret-value --secret-id pipehook-webhook --secret-string "$(openssl rand -hex 20)" --region us-east-1, and five minutes later put it into GitHub's webhook: `pipehook webhook install`
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
    let desk = healthy().await;
    desk.scene.local.put_webhook_secret("passwordpassword");
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ webhook's secret: it is a pattern, which can be guessed
          → aws secretsmanager put-secret-value --secret-id pipehook-webhook --secret-string "$(openssl rand -hex 20)" --region us-east-1, and five minutes later put it into GitHub's webhook: `pipehook webhook install`
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn two_secrets_are_a_rotation_that_is_to_end() {
    let desk = healthy().await;
    desk.scene.local.put_webhook_secret("9c3f6a1be07d4258\nIt's a Secret to Everybody");
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! webhook's secret: there are 2 of them, as while it is rotated
        → once GitHub has the first, leave that one alone in its secret
    ");
}

#[tokio::test]
async fn a_secret_that_the_function_has_not_read_yet() {
    let desk = healthy().await;
    desk.scene.push("Say hello").await;
    desk.scene.local.put_webhook_secret("9c3f6a1be07d425896d0b3f41c7a2e58");
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ signed ping: it was refused with 401: the function has another secret than Secrets Manager
          → wait five minutes after a rotation, then run this again
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_function_that_was_deleted() {
    let desk = healthy().await;
    desk.scene.local.world().functions().delete(WEBHOOK);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook function: Lambda has no function pipehook-Webhook-8XjT0yq3fWkA
          → deploy again under a new stack name, or delete the stack and deploy it: `sam deploy`
      – function URL: not checked: there is no function
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 22 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_function_that_is_told_of_something_else_than_the_stack_says() {
    let desk = healthy().await;
    let set = |variable: &str, value: &str| {
        change(&desk, |function| drop(function.variables.insert(variable.to_owned(), value.to_owned())));
    };
    set("PIPEHOOK_WEBHOOK_SECRET_PARAMETER", "/old/secret");
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook function: its PIPEHOOK_WEBHOOK_SECRET_PARAMETER is /old/secret; it should be /aws/reference/secretsmanager/pipehook-webhook
          → `sam deploy`
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    set("PIPEHOOK_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/old");
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook function: its PIPEHOOK_QUEUE_URL is https://sqs.us-east-1.amazonaws.com/123456789012/old; it should be SERVER/123456789012/pipehook
          → `sam deploy`
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    change(&desk, |function| drop(function.variables.remove("PIPEHOOK_CONFIG_PARAMETER")));
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook function: its PIPEHOOK_CONFIG_PARAMETER is not set; it should be /pipehook/config
          → `sam deploy`
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    set("PIPEHOOK_CONFIG", "[github]");
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! webhook function: PIPEHOOK_CONFIG is set, and goes before the parameter that is looked at here
        → empty it, unless that is meant: `sam deploy` sets it to nothing
    ");
}

#[tokio::test]
async fn a_function_without_a_url_or_with_one_that_github_may_not_call() {
    let desk = healthy().await;
    change(&desk, |function| function.url = None);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ function URL: the function has none, so GitHub can't reach it
          → aws lambda create-function-url-config --function-name pipehook-Webhook-8XjT0yq3fWkA --auth-type NONE --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    change(&desk, |function| function.url = Some(UrlAuth::AwsIam));
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ function URL: it takes requests that are signed for AWS alone (AuthType AWS_IAM), as GitHub's are not
          → aws lambda update-function-url-config --function-name pipehook-Webhook-8XjT0yq3fWkA --auth-type NONE --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_url_of_which_either_permission_is_missing() {
    let desk = healthy().await;
    answer_with(&desk, StatusCode::FORBIDDEN, r#"{"Message":"Forbidden"}"#).await;
    change(&desk, |function| function.allows_invoke = false);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ function URL: the function's policy does not give everybody lambda:InvokeFunction
          → aws lambda add-permission --function-name pipehook-Webhook-8XjT0yq3fWkA --statement-id InvokeFunction --action lambda:InvokeFunction --principal '*' --invoked-via-function-url --region us-east-1
      ✗ signed ping: it was refused with 403 before the function saw it: Lambda does not let everybody call the URL
          → give the permissions that are named at the function URL, or `sam deploy`
      – forged ping: not checked: it was answered with 403, as the signed one
    --- standard error
    pipehook: something is wrong: 2 wrong, 1 not checked, 21 well
    --- exit code 1
    ");
    change(&desk, |function| function.allows_url = false);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ function URL: the function's policy does not give everybody lambda:InvokeFunctionUrl
          → aws lambda add-permission --function-name pipehook-Webhook-8XjT0yq3fWkA --statement-id InvokeFunctionUrl --action lambda:InvokeFunctionUrl --principal '*' --function-url-auth-type NONE --region us-east-1
      ✗ signed ping: it was refused with 403 before the function saw it: Lambda does not let everybody call the URL
          → give the permissions that are named at the function URL, or `sam deploy`
      – forged ping: not checked: it was answered with 403, as the signed one
    --- standard error
    pipehook: something is wrong: 2 wrong, 1 not checked, 21 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_url_that_is_older_than_the_second_permission_answers_without_it() {
    let desk = healthy().await;
    change(&desk, |function| function.allows_invoke = false);
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! function URL: it answers, though the function's policy does not give everybody lambda:InvokeFunction
        → a URL that is made anew will need it: aws lambda add-permission --function-name pipehook-Webhook-8XjT0yq3fWkA --statement-id InvokeFunction --action lambda:InvokeFunction --principal '*' --invoked-via-function-url --region us-east-1
    ");
}

#[tokio::test]
async fn something_that_takes_whatever_comes() {
    let desk = healthy().await;
    answer_with(&desk, StatusCode::OK, "thanks").await;
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ signed ping: it was answered with 200: thanks
          → aws logs tail /aws/lambda/pipehook-webhook --since 10m --region us-east-1
      ✗ forged ping: it was accepted with 200: whoever knows the URL can start pipelines
          → take its URL out of GitHub, and look at what answers there: it does not check signatures
    --- standard error
    pipehook: something is wrong: 2 wrong, 22 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_url_where_nobody_is() {
    let desk = healthy().await;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    move_webhook(&desk, &format!("http://127.0.0.1:{port}/"));
    let told = troubles(&desk).await.to_string().replace(&port.to_string(), "PORT");
    insta::assert_snapshot!(told, @"
      ✗ signed ping: http://127.0.0.1:PORT/ can't be reached: Connection refused
          → check the network and the URL
      – forged ping: not checked: the webhook can't be reached
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 22 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn control_characters_in_an_answer_do_not_reach_the_terminal() {
    let desk = healthy().await;
    answer_with(&desk, StatusCode::BAD_GATEWAY, "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nbad gateway").await;
    let ran = desk.run(&["doctor"]).await;
    assert!(!ran.out.contains(['\u{1b}', '\u{7}', '\r']), "{:?}", ran.out);
    assert!(ran.out.contains("bad gateway"), "{}", ran.out);
}
