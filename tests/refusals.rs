//! Bad input: what each gets, and that none of it starts anything (design, section 8; promise 7).

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{SECRET, Scene, with_approval};
use http::{Method, Request, Response};
use pipehook::local::{QUEUE, sample, sign};
use pipehook::standin::{Fault, PipelineSpec, Release, When};

fn payload() -> String {
    sample::push("main", "Say hello", &["a"]).to_string()
}

/// A delivery that is right in every way.
fn delivery(body: &str) -> http::request::Builder {
    Request::post("/")
        .header("content-type", "application/json")
        .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
        .header("x-github-event", "push")
        .header("x-hub-signature-256", sign(SECRET, body.as_bytes()))
}

/// Sends a request, and checks that nothing was put on the queue for it.
async fn refused(scene: &Scene, request: Request<Bytes>) -> String {
    let response = scene.local.webhook.handle(request).await;
    assert!(scene.local.world().queues().bodies(QUEUE).is_empty(), "something was started");
    told(&response)
}

fn told(response: &Response<String>) -> String {
    format!("{} {}", response.status().as_u16(), response.body())
}

fn with_body(builder: http::request::Builder, body: &str) -> Request<Bytes> {
    builder.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

/// The delivery with another value in one of its headers.
fn with_header(name: &'static str, value: &str) -> Request<Bytes> {
    let mut request = with_body(delivery(&payload()), &payload());
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

fn without_header(name: &'static str) -> Request<Bytes> {
    let mut request = with_body(delivery(&payload()), &payload());
    request.headers_mut().remove(name);
    request
}

#[tokio::test]
async fn what_is_right_is_accepted_on_both_paths() {
    for path in ["/", "/webhook"] {
        let scene = Scene::new().await;
        let mut request = with_body(delivery(&payload()), &payload());
        *request.uri_mut() = path.parse().unwrap();
        let response = scene.local.webhook.handle(request).await;
        insta::allow_duplicates! {
            insta::assert_snapshot!(told(&response), @r#"202 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","event":"push","decisions":[{"decision":"queued","pipeline":"node-server","commit":"6d995dba1af0373913b98421f7b825327673d987","ref":"refs/heads/main","reason":"a route takes refs/heads/main of octo-org/node-server"}]}"#);
        }
        assert_eq!(scene.local.world().queues().bodies(QUEUE).len(), 1);
    }
}

#[tokio::test]
async fn no_signature_or_a_wrong_one() {
    let scene = Scene::new().await;
    let right = sign(SECRET, payload().as_bytes());
    let header = "x-hub-signature-256";
    insta::assert_snapshot!(refused(&scene, without_header(header)).await, @r#"401 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"no x-hub-signature-256 header: the webhook at GitHub has no secret, or this is not GitHub"}"#);
    insta::assert_snapshot!(refused(&scene, with_header(header, "sha256=12")).await, @r#"401 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the x-hub-signature-256 header is not sha256= and 64 lower-case hexadecimal digits"}"#);
    insta::assert_snapshot!(refused(&scene, with_header(header, &sign("another", payload().as_bytes()))).await, @r#"401 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the signature does not fit the body: the secret at GitHub is another one, or this is not GitHub"}"#);
    for malformed in [
        right.to_uppercase(),
        right.replace("sha256=", "sha1="),
        format!("{right} "),
        right[7..].to_owned(),
        format!("{right},{right}"),
    ] {
        assert!(refused(&scene, with_header(header, &malformed)).await.starts_with("401"), "{malformed}");
    }
    let other_body = with_body(delivery(&payload()), &payload().replace("Say hello", "Say bye"));
    assert!(refused(&scene, other_body).await.starts_with("401"));
    assert_eq!(scene.calls("SendMessage"), 0);
}

#[tokio::test]
async fn the_old_signature_alone_is_not_looked_at() {
    let scene = Scene::new().await;
    let mut request = without_header("x-hub-signature-256");
    request.headers_mut().insert("x-hub-signature", "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6".parse().unwrap());
    assert!(refused(&scene, request).await.starts_with("401"));
}

/// Strangers can have the function run, and no more: nothing is asked of AWS for what nobody signed.
#[tokio::test]
async fn what_nobody_signed_costs_no_call() {
    let scene = Scene::new().await;
    refused(&scene, without_header("x-hub-signature-256")).await;
    refused(&scene, with_header("x-hub-signature-256", "sha256=12")).await;
    refused(&scene, Request::builder().method(Method::GET).uri("/").body(Bytes::new()).unwrap()).await;
    assert_eq!(scene.journal_len(), 0);
    // What looks signed takes the secret to be told from what is; it is read once for all that come.
    for _ in 0..3 {
        refused(&scene, with_header("x-hub-signature-256", &sign("another", b""))).await;
    }
    assert_eq!((scene.journal_len(), scene.calls("GetParameters")), (1, 1));
}

/// The content type is a header outside the signature. Who sees a delivery of one repository, and may choose the words of
/// a commit there, is not to have it read as a form whose field is a delivery of another repository.
#[tokio::test]
async fn what_was_signed_as_json_is_never_read_as_a_form() {
    let scene = Scene::new().await;
    let hidden: String = form_urlencoded::byte_serialize(payload().as_bytes()).collect();
    let mut elsewhere = sample::push("main", &format!("Mend a word&payload={hidden}&"), &["a"]);
    elsewhere["repository"]["full_name"] = "octo-org/playground".into();
    let mut request = with_body(delivery(&elsewhere.to_string()), &elsewhere.to_string());
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    insta::assert_snapshot!(refused(&scene, request).await, @r#"400 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the form does not begin with the field `payload`"}"#);
}

#[tokio::test]
async fn two_signatures_are_one_too_many() {
    let scene = Scene::new().await;
    let mut request = with_body(delivery(&payload()), &payload());
    request.headers_mut().append("x-hub-signature-256", sign("another", b"").parse().unwrap());
    assert!(refused(&scene, request).await.starts_with("401"));
}

#[tokio::test]
async fn without_a_secret_everything_is_refused() {
    let scene = Scene::new().await;
    scene.local.put_webhook_secret(" \n ");
    let empty_key = with_header("x-hub-signature-256", &sign("", payload().as_bytes()));
    insta::assert_snapshot!(refused(&scene, empty_key).await, @r#"401 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"no webhook secret is configured: set PIPEHOOK_WEBHOOK_SECRET_PARAMETER"}"#);
}

#[tokio::test]
async fn during_a_rotation_both_secrets_are_taken() {
    let scene = Scene::new().await;
    scene.local.put_webhook_secret(&format!("the new one\n{SECRET}\n"));
    for secret in ["the new one", SECRET] {
        let response = scene.local.deliver("d", "push", &payload(), secret).await;
        assert_eq!(response.status(), 202, "{secret}");
    }
}

/// Whether a newer secret fits can't be told then, and the sender is not to blame.
#[tokio::test]
async fn while_the_secrets_can_not_be_read_again_no_signature_is_called_wrong() {
    let scene = Scene::new().await;
    scene.push("One").await;
    scene.local.put_webhook_secret("the new one");
    scene.wait(Duration::from_secs(301));
    scene.local.world().faults().add("ssm", "*", When::Always, Fault::ServerError);
    let payload = payload();
    let new = scene.local.deliver("d", "push", &payload, "the new one").await;
    insta::assert_snapshot!(told(&new), @r#"500 {"delivery":"d","error":"the signature does not fit the secret of before, and whether there is a newer one can't be read; redeliver later"}"#);
    let old = scene.local.deliver("d", "push", &payload, SECRET).await;
    assert_eq!(old.status(), 202);
    scene.local.world().faults().clear();
    scene.wait(Duration::from_secs(31));
    let again = scene.local.deliver("d", "push", &payload, "the new one").await;
    assert_eq!(again.status(), 202);
    let old = scene.local.deliver("d", "push", &payload, SECRET).await;
    assert_eq!(old.status(), 401);
}

#[tokio::test]
async fn a_body_that_is_not_what_its_header_says() {
    let scene = Scene::new().await;
    insta::assert_snapshot!(refused(&scene, with_body(delivery("not JSON"), "not JSON")).await, @r#"400 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the body is not JSON: expected ident at line 1 column 2"}"#);
    insta::assert_snapshot!(refused(&scene, with_body(delivery("{}"), "{}")).await, @r#"400 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the body is not a push event: missing field `ref` at line 1 column 2 (at its top)"}"#);
    insta::assert_snapshot!(refused(&scene, with_header("x-github-event", "pull_request")).await, @r#"400 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the body is not a pull_request event: missing field `action` at line 1 column 1528 (at its top)"}"#);
    insta::assert_snapshot!(refused(&scene, without_header("x-github-event")).await, @r#"400 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the x-github-event header names no event"}"#);
    insta::assert_snapshot!(refused(&scene, with_header("content-type", "application/x-www-form-urlencoded")).await, @r#"400 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the form does not begin with the field `payload`"}"#);
    assert!(refused(&scene, with_body(delivery(""), "")).await.starts_with("400"));
}

/// The delivery's id is a header outside the signature, and it is repeated in the answer and in the log.
#[tokio::test]
async fn a_delivery_id_that_is_none_is_not_repeated() {
    let scene = Scene::new().await;
    for id in ["<script>", "a b", "\u{fc}", &"a".repeat(65)] {
        let mut request = without_header("x-hub-signature-256");
        request.headers_mut().insert("x-github-delivery", http::HeaderValue::from_bytes(id.as_bytes()).unwrap());
        assert!(refused(&scene, request).await.starts_with(r#"401 {"delivery":"","error""#), "{id}");
    }
}

#[tokio::test]
async fn an_event_that_is_not_handled() {
    let scene = Scene::new().await;
    insta::assert_snapshot!(refused(&scene, with_header("x-github-event", "star")).await, @r#"202 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","event":"star","decisions":[{"decision":"ignored","reason":"star events start nothing"}]}"#);
    // GitHub has events with a digit in their names.
    insta::assert_snapshot!(refused(&scene, with_header("x-github-event", "projects_v2_item")).await, @r#"202 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","event":"projects_v2_item","decisions":[{"decision":"ignored","reason":"projects_v2_item events start nothing"}]}"#);
}

#[tokio::test]
async fn another_method_or_path() {
    let scene = Scene::new().await;
    let get = Request::builder().method(Method::GET).uri("/").body(Bytes::new()).unwrap();
    insta::assert_snapshot!(refused(&scene, get).await, @r#"405 {"delivery":"","error":"deliveries come by POST"}"#);
    let mut elsewhere = with_body(delivery(&payload()), &payload());
    *elsewhere.uri_mut() = "/admin".parse().unwrap();
    insta::assert_snapshot!(refused(&scene, elsewhere).await, @r#"404 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"there is nothing at this path; deliveries go to / or /webhook"}"#);
}

#[tokio::test]
async fn a_configuration_that_does_not_parse() {
    let scene = Scene::new().await;
    scene.local.put_config("[[route]]\nrepo = \"octo-org/node-server\"");
    insta::assert_snapshot!(refused(&scene, with_body(delivery(&payload()), &payload())).await, @r#"500 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the configuration of this function is wrong; its log says where"}"#);
    let forged = with_header("x-hub-signature-256", &sign("another", payload().as_bytes()));
    assert!(refused(&scene, forged).await.starts_with("401"), "strangers are not told");
    scene.local.put_routes(sample::ROUTES);
    scene.wait(Duration::from_secs(5));
    assert_eq!(scene.deliver("push", &sample::push("main", "Mended", &["a"])).await.status(), 202);
}

#[tokio::test]
async fn settings_that_cannot_be_read() {
    let scene = Scene::new().await;
    scene.local.world().faults().add("ssm", "*", When::Always, Fault::AccessDenied);
    insta::assert_snapshot!(refused(&scene, with_body(delivery(&payload()), &payload())).await, @r#"500 {"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0958","error":"the settings of this function can't be read; its log says why"}"#);
}

#[tokio::test]
async fn a_queue_message_that_does_not_parse_goes_to_the_dead_letter_queue() {
    let scene = Scene::new().await;
    let wrong = [
        "not JSON",
        "{}",
        r#"{"delivery":"d","first_sent":1,"job":"explode"}"#,
        r#"{"delivery":"d","first_sent":1,"job":"skip","pipeline":"p","repository":"no","commit":"no","reason":""}"#,
        r#"{"source":"aws.codepipeline","detail-type":"CodePipeline Stage Execution State Change","detail":{}}"#,
    ];
    let now = scene.now();
    for body in wrong {
        scene.local.world().queues().inject(now, QUEUE, body);
    }
    let sha = scene.push("Say hello").await;
    scene.run().await;
    let mut dead = scene.dead_letters();
    dead.sort();
    let mut expected = wrong.to_vec();
    expected.sort_unstable();
    assert_eq!(dead, expected);
    assert!(scene.shows(&sha).contains("success: Deployed"), "the others of the batch are not hurt");
}

#[tokio::test]
async fn an_event_of_something_else_is_done_with() {
    let scene = Scene::new().await;
    let now = scene.now();
    let build = r#"{"source":"aws.codebuild","detail-type":"CodeBuild Build State Change","detail":{}}"#;
    scene.local.world().queues().inject(now, QUEUE, build);
    let other_pipeline = r#"{"source":"aws.codepipeline","detail-type":"CodePipeline Pipeline Execution State Change","detail":{"pipeline":"another","execution-id":"x","state":"STARTED"}}"#;
    scene.local.world().queues().inject(now, QUEUE, other_pipeline);
    scene.run().await;
    assert_eq!((scene.dead_letters().len(), scene.posted().as_str()), (0, ""));
}

/// Who may edit a pipeline can have it build another repository, and is not to have a say about that one, or this.
#[tokio::test]
async fn a_pipeline_that_takes_its_source_elsewhere_is_not_reported() {
    let elsewhere = "octo-org/payments";
    let scene = Scene::with(sample::ROUTES, PipelineSpec::classic(sample::PIPELINE, elsewhere)).await;
    let now = scene.now();
    {
        let mut world = scene.local.world();
        world.github().add_repository(elsewhere, "main");
        world.github().accept_any_commit(elsewhere, true);
        world.pipelines().set_head(sample::PIPELINE, &sample::sha("By hand"));
        world.pipelines().release_change(now, sample::PIPELINE, Release::StartPipelineExecution).unwrap();
    }
    scene.run().await;
    assert_eq!(scene.executions(), [(sample::sha("By hand"), "Succeeded")]);
    assert_eq!(scene.posted(), "");
}

/// Approving at GitHub is switched on with check runs, and off with them.
#[tokio::test]
async fn where_runs_are_reported_as_statuses_nothing_can_be_pressed() {
    let scene = Scene::as_app(sample::ROUTES, with_approval()).await;
    let sha = scene.push("Release it").await;
    scene.run_for(Duration::from_secs(600)).await;
    let staging = scene.check(&sha, "codepipeline/node-server/Staging");
    let approve = &staging.actions.first().unwrap().identifier;
    let press = scene.local.world().github().press_button(sample::REPOSITORY, staging.id, approve, "octocat").unwrap();
    scene.local.put_routes(sample::ROUTES);
    scene.wait(Duration::from_secs(301));
    scene.press(&press).await;
    assert_eq!(scene.calls("PutApprovalResult"), 0);
}
