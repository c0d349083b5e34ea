//! Stories that cross services, and the wire forms, through `World::handle`.

// A `json!` in the place of an argument reads better without a reference in front of each.
#![allow(clippy::needless_pass_by_value)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::story::{Told, aws, form, read, respond};
use super::*;
use crate::domain::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_769_292_224);
const SHA: &str = "1111111111111111111111111111111111111111";
const TAG: &str = "3333333333333333333333333333333333333333";
const POST: &str = "POST /repos/{owner}/{repo}/statuses/{sha}";

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn world() -> World {
    let mut world = World::new(NOW, 1);
    world.github().add_repository("octo-org/app", "main");
    world.github().set_ref("octo-org/app", "main", SHA);
    world.github().add_tag_object("octo-org/app", TAG, SHA);
    world.github().add_token("good", "octo-bot");
    world.queues().create(QueueSpec::new("work").visibility(Duration::from_secs(180)));
    world.pipelines().create(PipelineSpec::classic("app", "octo-org/app"));
    world.pipelines().send_events_to("work", Duration::from_secs(1));
    world
}

fn github(method: &str, path: &str, body: &Value) -> Request<Bytes> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:4566/github{path}"))
        .header("host", "127.0.0.1:4566")
        .header("user-agent", "test")
        .header("authorization", "Bearer good")
        .body(body)
        .unwrap()
}

fn post(world: &mut World, sha: &str, body: Value) -> (u16, Value) {
    let request = github("POST", &format!("/repos/octo-org/app/statuses/{sha}"), &body);
    read(&respond(world, NOW, &request))
}

#[test]
fn an_event_of_codepipeline_reaches_the_function_through_the_queue() {
    let mut world = world();
    world.pipelines().release_change(NOW, "app", Release::StartPipelineExecution).unwrap();
    assert_eq!(world.poll_mapping(NOW, "work", 10), None, "the events are on their way");
    let event = world.poll_mapping(after(1), "work", 10).unwrap();
    let states: Vec<Value> = event["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| {
            serde_json::from_str::<Value>(record["body"].as_str().unwrap()).unwrap()["detail"]["state"].clone()
        })
        .collect();
    assert_eq!(states, ["STARTED", "STARTED", "STARTED"]);
    world.settle_mapping(after(2), "work", &event, Ok(&json!({"batchItemFailures": []})));
    assert!(world.queues().is_empty("work"));
    assert_eq!(world.next_change(), Some(after(3)), "the source action ends");
}

#[test]
fn events_are_dropped_doubled_and_delayed() {
    let mut world = world();
    world.faults().events(When::Nth(1), EventFault::Drop);
    world.faults().events(When::Nth(1), EventFault::Duplicate);
    world.faults().events(When::Nth(1), EventFault::Delay(Duration::from_secs(100)));
    world.pipelines().release_change(NOW, "app", Release::StartPipelineExecution).unwrap();
    world.advance(after(2));
    assert_eq!(world.queues().bodies("work").len(), 2, "the second came twice, the first and the third not");
    world.advance(after(101));
    assert!(world.queues().bodies("work").len() > 3);
}

#[test]
fn aws_errors_have_the_services_own_shape() {
    let mut world = world();
    let response = respond(&mut world, NOW, &aws("CodePipeline_20150709.GetPipeline", &json!({"name": "nope"})));
    assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
    assert!(response.headers().contains_key("x-amzn-requestid"));
    let (status, body) = read(&response);
    assert_eq!((status, &body["__type"]), (400, &json!("PipelineNotFoundException")));
    let url = "http://127.0.0.1:4566/123456789012/nope";
    let response = respond(&mut world, NOW, &aws("AmazonSQS.ReceiveMessage", &json!({"QueueUrl": url})));
    assert_eq!(read(&response).1["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    let query_error = "AWS.SimpleQueueService.NonExistentQueue;Sender";
    assert_eq!(response.headers()["x-amzn-query-error"], query_error);
    let mut unsigned = aws("AmazonSSM.GetParameter", &json!({"Name": "/a"}));
    unsigned.headers_mut().remove("authorization");
    assert_eq!(read(&respond(&mut world, NOW, &unsigned)).1["__type"], "MissingAuthenticationTokenException");
    let unknown = aws("AmazonSSM.GetParameter", &json!({"Name": "/a", "Nmae": "/b"}));
    assert_eq!(read(&respond(&mut world, NOW, &unknown)).1["__type"], "SerializationException");
}

#[test]
fn a_status_is_posted_and_read_back_newest_first() {
    let mut world = world();
    let (status, body) =
        post(&mut world, SHA, json!({"state": "pending", "context": "ci/Build", "description": "é".repeat(140)}));
    assert_eq!((status, &body["creator"]["login"]), (201, &json!("octo-bot")));
    assert_eq!(body["created_at"], "2026-01-24T22:03:44Z");
    post(&mut world, SHA, json!({"state": "success", "context": "CI/build"}));
    post(&mut world, SHA, json!({"state": "pending"}));
    let latest = world.github().latest("octo-org/app", SHA);
    assert_eq!(latest["ci/Build"].state, State::Success, "contexts are compared without case");
    assert_eq!(latest["default"].state, State::Pending);
    let list = github("GET", "/repos/Octo-Org/App/commits/main/statuses?per_page=2", &Value::Null);
    let response = respond(&mut world, NOW, &list);
    let (_, body) = read(&response);
    assert_eq!((&body[0]["context"], body.as_array().unwrap().len()), (&json!("default"), 2));
    let link = response.headers()["link"].to_str().unwrap();
    assert!(link.contains("page=2>; rel=\"next\""), "{link}");
    assert_eq!(response.headers()["x-ratelimit-remaining"], "4996");
    let combined = github("GET", &format!("/repos/octo-org/app/commits/{SHA}/status"), &Value::Null);
    let (_, body) = read(&respond(&mut world, NOW, &combined));
    assert_eq!((&body["state"], &body["total_count"]), (&json!("pending"), &json!(2)));
    let (posted, cursor) = world.github().posted_since(1);
    assert_eq!((posted.len(), cursor), (2, 3));
}

#[test]
fn github_refuses_what_it_refuses() {
    let mut world = world();
    let mut refused = |sha: &str, body: Value| {
        let (status, body) = post(&mut world, sha, body);
        let message = body["errors"][0]["message"].as_str().or(body["message"].as_str()).unwrap_or_default();
        (status, message.to_owned())
    };
    let pending = || json!({"state": "pending"});
    let long = "description is too long (maximum is 140 characters)";
    assert_eq!(refused(SHA, json!({"state": "pending", "description": "x".repeat(141)})), (422, long.to_owned()));
    assert_eq!(refused(SHA, json!({"state": "done"})).0, 422);
    assert_eq!(refused(SHA, json!({})).0, 422);
    assert_eq!(refused(SHA, json!([])).0, 400);
    assert_eq!(refused(TAG, pending()), (422, format!("No commit found for SHA: {TAG}")));
    let unknown = "4444444444444444444444444444444444444444";
    assert_eq!(refused(unknown, pending()), (422, format!("No commit found for SHA: {unknown}")));
    assert_eq!(refused(SHA, json!({"state": "pending", "unknown": 1})).0, 201, "other fields are ignored");
}

#[test]
fn a_context_takes_a_thousand_statuses() {
    let mut world = world();
    for _ in 0..1000 {
        assert_eq!(post(&mut world, SHA, json!({"state": "pending"})).0, 201);
    }
    let (status, body) = post(&mut world, SHA, json!({"state": "success"}));
    assert_eq!(status, 422);
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("maximum number of statuses"));
    assert_eq!(post(&mut world, SHA, json!({"state": "success", "context": "other"})).0, 201);
}

#[test]
fn tokens_are_checked_and_counted() {
    let mut world = world();
    let ask = |world: &mut World| {
        read(&respond(
            world,
            NOW,
            &github("POST", &format!("/repos/octo-org/app/statuses/{SHA}"), &json!({"state": "pending"})),
        ))
        .0
    };
    let mut without = github("GET", "/repos/octo-org/app/commits/main/status", &Value::Null);
    without.headers_mut().remove("user-agent");
    assert_eq!(respond(&mut world, NOW, &without).status(), 403);
    world.github().set_permission("good", Permission::Read);
    let denied = github("POST", &format!("/repos/octo-org/app/statuses/{SHA}"), &json!({"state": "pending"}));
    let response = respond(&mut world, NOW, &denied);
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["x-accepted-github-permissions"], "statuses=write");
    world.github().set_permission("good", Permission::Write);
    world.github().set_quota(2);
    assert_eq!(ask(&mut world), 201);
    assert_eq!(ask(&mut world), 403);
    assert_eq!(respond(&mut world, after(3600), &denied).status(), 201, "the hour is over");
    world.github().set_quota(5000);
    world.github().limit_token("good", &[]);
    assert_eq!(ask(&mut world), 404);
    world.github().revoke("good");
    assert_eq!(ask(&mut world), 401);
}

#[test]
fn a_renamed_repository_redirects_reads_with_301_and_writes_with_307() {
    let mut world = world();
    world.github().rename("octo-org/app", "octo-org/renamed");
    let body = json!({"state": "pending"});
    let request = github("POST", &format!("/repos/octo-org/app/statuses/{SHA}"), &body);
    let response = respond(&mut world, NOW, &request);
    assert_eq!(response.status(), 307);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, format!("http://127.0.0.1:4566/github/repositories/100000/statuses/{SHA}"));
    assert_eq!(read(&response).1["message"], "Moved Permanently");
    let path = location.strip_prefix("http://127.0.0.1:4566/github").unwrap();
    assert_eq!(respond(&mut world, NOW, &github("POST", path, &body)).status(), 201);
    assert_eq!(world.github().statuses("octo-org/renamed", SHA).len(), 1);
    let list = github("GET", "/repos/octo-org/app/commits/main/statuses?page=1", &Value::Null);
    assert_eq!(respond(&mut world, NOW, &list).status(), 301);
    world.github().redirect_writes_with(301);
    assert_eq!(respond(&mut world, NOW, &request).status(), 301);
}

#[test]
fn faults_meet_calls_before_or_after_their_effect() {
    let mut world = world();
    let request = github("POST", &format!("/repos/octo-org/app/statuses/{SHA}"), &json!({"state": "pending"}));
    world.faults().next("github", POST, 1, Fault::LostBefore);
    assert!(matches!(world.handle(NOW, &request), Answer::Hang));
    assert!(world.github().statuses("octo-org/app", SHA).is_empty());
    world.faults().next("github", POST, 1, Fault::LostAfter);
    assert!(matches!(world.handle(NOW, &request), Answer::Hang));
    assert_eq!(world.github().statuses("octo-org/app", SHA).len(), 1);
    world.faults().next("github", "*", 1, Fault::PrimaryLimit { reset_after: Duration::from_secs(60) });
    let response = respond(&mut world, NOW, &request);
    assert_eq!(response.headers()["x-ratelimit-remaining"], "0");
    assert_eq!(response.headers()["x-ratelimit-reset"], after(60).as_secs().to_string().as_str());
    world.faults().next("github", "*", 1, Fault::SecondaryLimit { status: 429, retry_after: Some(7) });
    assert_eq!(respond(&mut world, NOW, &request).headers()["retry-after"], "7");
    let get = aws("CodePipeline_20150709.GetPipeline", &json!({"name": "app"}));
    world.faults().next("codepipeline", "GetPipeline", 1, Fault::Throttle);
    assert_eq!(read(&respond(&mut world, NOW, &get)).1["__type"], "ThrottlingException");
    world.faults().next("codepipeline", "GetPipeline", 1, Fault::Delay(Duration::from_secs(5)));
    assert!(matches!(world.handle(NOW, &get), Answer::Delay(delay, _) if delay.as_secs() == 5));
    assert_eq!(respond(&mut world, NOW, &get).status(), 200);
    let faults: Vec<_> = world.journal().iter().map(|call| call.fault).collect();
    assert_eq!(faults[..2], [Some("lost before"), Some("lost after")]);
    let callers: Vec<_> = world.journal().iter().map(|call| call.caller.as_deref()).collect();
    assert_eq!(callers[..2], [None, None], "a token at GitHub is not written down");
    assert_eq!(callers.last(), Some(&Some("AKIA")), "an access key's id is no secret");
    let journal = world.journal_json_lines();
    assert!(!journal.contains("Bearer") && !journal.contains("aws4_request"), "no credential lies in the journal");
}

fn ec2(interface: &str) -> Request<Bytes> {
    form("2016-11-15", "DescribeNetworkInterfaces", &[("NetworkInterfaceId.1", interface)])
}

fn elb(action: &str, fields: &[(&str, &str)]) -> Request<Bytes> {
    form("2015-12-01", action, fields)
}

/// The status and the text of an answer.
fn read_text(response: &http::Response<Bytes>) -> (u16, String) {
    (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
}

/// What stands between the first pair of these tags.
fn tagged<'a>(text: &'a str, tag: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {text}"));
    rest.split_once(&format!("</{tag}>")).unwrap().0
}

#[test]
fn the_public_address_of_a_task_is_found_by_its_network_interface() {
    let mut world = Told(world());
    let list = json!({"cluster": "staging", "serviceName": "app"});
    let tasks = story::ask(&mut world, NOW, "AmazonEC2ContainerServiceV20141113.ListTasks", &list).unwrap();
    let describe = json!({"cluster": "staging", "tasks": tasks["taskArns"]});
    let answer = story::ask(&mut world, NOW, "AmazonEC2ContainerServiceV20141113.DescribeTasks", &describe).unwrap();
    let details = answer["tasks"][0]["attachments"][0]["details"].as_array().unwrap().clone();
    let interface = details.iter().find(|detail| detail["name"] == "networkInterfaceId").unwrap();
    let id = interface["value"].as_str().unwrap();
    let response = respond(&mut world, NOW, &ec2(id));
    assert_eq!(response.headers()["content-type"], "text/xml;charset=UTF-8");
    let (status, text) = read_text(&response);
    assert_eq!((status, tagged(&text, "networkInterfaceId")), (200, id));
    assert!(tagged(tagged(&text, "association"), "publicIp").starts_with("203.0.113."));
    assert_eq!(response.headers()["x-amzn-requestid"], tagged(&text, "requestId"));
    let call = world.journal().last().unwrap();
    assert_eq!((call.service, call.operation.as_str()), ("ec2", "DescribeNetworkInterfaces"));
    assert_eq!(call.request["NetworkInterfaceId.1"], id);
    assert_eq!(call.response, text.as_str());
    let (status, text) = read_text(&respond(&mut world, NOW, &ec2("eni-0123456789abcdef0")));
    assert_eq!((status, tagged(&text, "Code")), (400, "InvalidNetworkInterfaceID.NotFound"));
    world.services().create(ServiceSpec::new("staging", "app").private());
    let every = form("2016-11-15", "DescribeNetworkInterfaces", &[]);
    let (_, text) = read_text(&respond(&mut world, NOW, &every));
    assert_eq!(text.matches("<networkInterfaceId>").count(), 2);
    assert!(!text.contains("association"), "no public addresses");
    let misspelt = form("2016-11-15", "DescribeNetworkInterfaces", &[("NetworkInterfaceIds.1", id)]);
    assert_eq!(tagged(&read_text(&respond(&mut world, NOW, &misspelt)).1, "Code"), "UnknownParameter");
}

#[test]
fn the_address_of_a_load_balancer_is_found_by_its_target_group() {
    let mut world = Told(world());
    world.services().create(ServiceSpec::new("staging", "app").behind_load_balancer(443));
    let describe = json!({"cluster": "staging", "services": ["app"]});
    let target = "AmazonEC2ContainerServiceV20141113.DescribeServices";
    let answer = story::ask(&mut world, NOW, target, &describe).unwrap();
    let group = answer["services"][0]["loadBalancers"][0]["targetGroupArn"].as_str().unwrap();
    let mut tell = |request: Request<Bytes>| read_text(&respond(&mut world, NOW, &request));
    let (status, text) = tell(elb("DescribeTargetGroups", &[("TargetGroupArns.member.1", group)]));
    let balancer = tagged(tagged(&text, "LoadBalancerArns"), "member").to_owned();
    assert_eq!(status, 200);
    let (_, text) = tell(elb("DescribeLoadBalancers", &[("LoadBalancerArns.member.1", &balancer)]));
    assert_eq!(tagged(&text, "DNSName"), "app-1234567890.us-east-1.elb.amazonaws.com");
    let (_, text) = tell(elb("DescribeListeners", &[("LoadBalancerArn", &balancer)]));
    let listeners: Vec<_> = text.split("<ListenerArn>").skip(1).collect();
    let ports: Vec<_> = listeners.iter().map(|one| (tagged(one, "Protocol"), tagged(one, "Port"))).collect();
    assert_eq!(ports, [("HTTP", "80"), ("HTTPS", "443")], "the one sends everybody to the other");
    for (request, code) in [
        (elb("DescribeTargetGroups", &[("TargetGroupArns.member.1", "arn:nope")]), "TargetGroupNotFound"),
        (elb("DescribeLoadBalancers", &[("LoadBalancerArns.member.1", "arn:nope")]), "LoadBalancerNotFound"),
        (elb("DescribeListeners", &[("LoadBalancerArn", "arn:nope")]), "LoadBalancerNotFound"),
        (elb("DescribeListeners", &[]), "ValidationError"),
        (elb("DescribeListeners", &[("LoadBalancer", &balancer)]), "ValidationError"),
        (elb("DescribeRules", &[]), "InvalidAction"),
    ] {
        let (status, text) = tell(request);
        assert_eq!((status, tagged(&text, "Type"), tagged(&text, "Code")), (400, "Sender", code));
    }
}

#[test]
fn faults_of_every_service_have_its_own_form() {
    let mut world = world();
    let ecs = aws("AmazonEC2ContainerServiceV20141113.DescribeServices", &json!({"services": ["app"]}));
    let builds = aws("CodeBuild_20161006.BatchGetBuilds", &json!({"ids": ["app:1"]}));
    let log = json!({"logGroupName": "/aws/codebuild/app", "logStreamName": "1"});
    let logs = aws("Logs_20140328.GetLogEvents", &log);
    let listeners = elb("DescribeListeners", &[]);
    for (service, request, fault, expected) in [
        ("ecs", &ecs, Fault::Throttle, (400, "ThrottlingException")),
        ("ecs", &ecs, Fault::ServerError, (500, "ServerException")),
        ("ecs", &ecs, Fault::NotFound, (400, "ClusterNotFoundException")),
        ("ecs", &ecs, Fault::Unprocessable, (400, "InvalidParameterException")),
        ("codebuild", &builds, Fault::AccessDenied, (400, "AccessDeniedException")),
        ("codebuild", &builds, Fault::Unprocessable, (400, "InvalidInputException")),
        ("logs", &logs, Fault::NotFound, (400, "ResourceNotFoundException")),
        ("ec2", &ec2("eni-1"), Fault::Throttle, (503, "RequestLimitExceeded")),
        ("ec2", &ec2("eni-1"), Fault::AccessDenied, (403, "UnauthorizedOperation")),
        ("elbv2", &listeners, Fault::Throttle, (400, "Throttling")),
        ("elbv2", &listeners, Fault::AccessDenied, (403, "AccessDenied")),
    ] {
        world.faults().next(service, "*", 1, fault);
        let response = respond(&mut world, NOW, request);
        let (status, text) = read_text(&response);
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let code = json["__type"].as_str().unwrap_or_else(|| tagged(&text, "Code"));
        assert_eq!((status, code), expected, "{service} {fault:?}");
    }
    world.faults().next("ec2", "*", 1, Fault::LostAfter);
    assert!(matches!(world.handle(NOW, &ec2("eni-1")), Answer::Hang));
    let mut unsigned = ec2("eni-1");
    unsigned.headers_mut().remove("authorization");
    assert_eq!(tagged(&read_text(&respond(&mut world, NOW, &unsigned)).1, "Code"), "AuthFailure");
}

#[tokio::test]
async fn a_world_is_served_over_http_and_cuts_the_line_when_an_answer_is_lost() {
    let world = Arc::new(Mutex::new(world()));
    let server = Server::start(Arc::clone(&world), || NOW).unwrap();
    let address = server.address();
    let body = r#"{"state":"success"}"#;
    let request = format!(
        "POST /github/repos/octo-org/app/statuses/{SHA} HTTP/1.1\r\nhost: {address}\r\nuser-agent: test\r\n\
         authorization: token good\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let send = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A line that is cut may end in an error instead of an end; either way nothing was said.
        drop(stream.read_to_string(&mut answer));
        answer
    };
    let again = send.clone();
    let answer = tokio::task::spawn_blocking(send).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n"), "{answer}");
    assert!(answer.contains(&format!("{}/repos/octo-org/app/statuses/{SHA}", server.github_api_url())), "{answer}");
    world.lock().unwrap().faults().next("github", "*", 1, Fault::LostAfter);
    assert_eq!(tokio::task::spawn_blocking(again).await.unwrap(), "");
    assert_eq!(world.lock().unwrap().github().statuses("octo-org/app", SHA).len(), 2);
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(address).is_err(), "a dropped server listens no more");
}
