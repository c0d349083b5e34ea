//! The world: every service's state, one clock, one journal.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use super::cloudformation::CloudFormation;
use super::codebuild::CodeBuild;
use super::codepipeline::CodePipeline;
use super::connections::Connections;
use super::ecs::Ecs;
use super::faults::{EventFault, Fault, Faults};
use super::github::{self, Ask, GitHub};
use super::ids::Ids;
use super::journal::Call;
use super::lambda::{self, Lambda};
use super::query::{self, Form};
use super::rules::Rules;
use super::sqs::Sqs;
use super::ssm::Ssm;
use super::wire::{AwsError, AwsService, Body, Reply};
use super::{identity, logs, network};
use crate::domain::time::Timestamp;

/// Where GitHub's API lies below the world's address.
const GITHUB_PATH: &str = "/github";

/// What becomes of a call.
#[derive(Debug)]
pub enum Answer {
    /// It is answered.
    Respond(Response<Bytes>),
    /// It is answered after this long. What it was to do is done already.
    Delay(Duration, Response<Bytes>),
    /// No answer ever comes: the connection breaks, whether or not the call took effect.
    Hang,
}

impl Answer {
    /// The response, where there is one, without its delay.
    pub fn response(self) -> Option<Response<Bytes>> {
        match self {
            Self::Respond(response) | Self::Delay(_, response) => Some(response),
            Self::Hang => None,
        }
    }
}

/// An event of EventBridge on its way to a queue.
#[derive(Debug)]
struct Delivery {
    due: Timestamp,
    queue: String,
    body: String,
}

/// AWS and GitHub, in memory. See the module's documentation.
#[derive(Debug)]
pub struct World {
    now: Timestamp,
    github: GitHub,
    pipelines: CodePipeline,
    builds: CodeBuild,
    services: Ecs,
    queues: Sqs,
    parameters: Ssm,
    stacks: CloudFormation,
    functions: Lambda,
    rules: Rules,
    connections: Connections,
    faults: Faults,
    deliveries: Vec<Delivery>,
    /// Requests to GitHub that are carried out later, when nobody waits for them any more.
    late: Vec<(Timestamp, Request<Bytes>)>,
    journal: Vec<Call>,
    keeps_responses: bool,
    ids: Ids,
}

impl World {
    /// An empty account and an empty GitHub. Ids and faults by chance are drawn from the seed.
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            now,
            github: GitHub::new(seed),
            pipelines: CodePipeline::new(now, seed),
            builds: CodeBuild::new(seed),
            services: Ecs::new(now, seed),
            queues: Sqs::new(now, seed),
            parameters: Ssm::default(),
            stacks: CloudFormation::default(),
            functions: Lambda::default(),
            rules: Rules::default(),
            connections: Connections::default(),
            faults: Faults::new(seed),
            deliveries: Vec::new(),
            late: Vec::new(),
            journal: Vec::new(),
            keeps_responses: true,
            ids: Ids::new(seed, "requests"),
        }
    }

    /// The moment up to which everything has happened.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// GitHub.
    pub fn github(&mut self) -> &mut GitHub {
        &mut self.github
    }

    /// CodePipeline.
    pub fn pipelines(&mut self) -> &mut CodePipeline {
        &mut self.pipelines
    }

    /// CodeBuild.
    pub fn builds(&mut self) -> &mut CodeBuild {
        self.hand_over();
        &mut self.builds
    }

    /// ECS. A service that a pipeline deploys to is there from the pipeline's creation on.
    pub fn services(&mut self) -> &mut Ecs {
        self.hand_over();
        &mut self.services
    }

    /// SQS.
    pub fn queues(&mut self) -> &mut Sqs {
        &mut self.queues
    }

    /// Systems Manager's parameters.
    pub fn parameters(&mut self) -> &mut Ssm {
        &mut self.parameters
    }

    /// CloudFormation's stacks.
    pub fn stacks(&mut self) -> &mut CloudFormation {
        &mut self.stacks
    }

    /// Lambda, as far as it tells how functions are set up. Nothing is invoked by it.
    pub fn functions(&mut self) -> &mut Lambda {
        &mut self.functions
    }

    /// EventBridge's rules, as far as they tell what they are. What moves events is
    /// [`CodePipeline::send_events_to`].
    pub fn rules(&mut self) -> &mut Rules {
        &mut self.rules
    }

    /// The connections to where code lives.
    pub fn connections(&mut self) -> &mut Connections {
        &mut self.connections
    }

    /// What goes wrong.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Every call so far, in order.
    pub fn journal(&self) -> &[Call] {
        &self.journal
    }

    /// The journal as JSON lines, for the model checker.
    pub fn journal_json_lines(&self) -> String {
        self.journal.iter().map(|call| format!("{}\n", call.to_json())).collect()
    }

    /// Leaves the responses out of the journal from now on, for long simulations.
    pub fn forget_responses(&mut self) {
        self.keeps_responses = false;
    }

    /// Forgets the journal, for long simulations.
    pub fn clear_journal(&mut self) {
        self.journal.clear();
    }

    /// Runs everything that is due until now. A moment that lies before the last one changes nothing, for callers'
    /// clocks may differ.
    pub fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.pipelines.advance(self.now);
        self.hand_over();
        self.services.advance(self.now);
        let (events, targets) = self.pipelines.take_events();
        for event in events {
            let fault = self.faults.meet_event(event.at);
            let (copies, later) = match fault {
                Some(EventFault::Drop) => (0, Duration::ZERO),
                Some(EventFault::Duplicate) => (2, Duration::ZERO),
                Some(EventFault::Delay(later)) => (1, later),
                None => (1, Duration::ZERO),
            };
            for (queue, delay) in targets {
                for _ in 0..copies {
                    let due = event.at + *delay + later;
                    self.deliveries.push(Delivery { due, queue: queue.clone(), body: event.body.clone() });
                }
            }
        }
        // The sort is stable, so events of the same moment arrive in the order in which they happened.
        self.deliveries.sort_by_key(|delivery| delivery.due);
        let due = self.deliveries.partition_point(|delivery| delivery.due <= self.now);
        for delivery in self.deliveries.drain(..due) {
            self.queues.inject(delivery.due, &delivery.queue, &delivery.body);
        }
        self.queues.advance(self.now);
        let (due, later) = std::mem::take(&mut self.late).into_iter().partition(|(due, _)| *due <= self.now);
        self.late = later;
        let due: Vec<_> = due;
        for (_, request) in &due {
            let path = request.uri().path().strip_prefix(GITHUB_PATH).unwrap_or_default();
            let route = github::route(request.method(), path);
            let reply = self.call_github(&route, request);
            self.write_down("github", route.operation, request, journal_body(request.body()), Some(&reply), None);
        }
    }

    /// Tells CodeBuild and ECS what CodePipeline has begun since the last time.
    fn hand_over(&mut self) {
        for (cluster, service) in self.pipelines.take_declared() {
            self.services.ensure(&cluster, &service);
        }
        for begun in self.pipelines.take_begun() {
            match begun.provider.as_str() {
                "CodeBuild" => self.builds.begin(&begun),
                "ECS" => self.services.begin(&begun),
                _ => {}
            }
        }
    }

    /// When something will next happen by itself: an action ends, an event arrives, a message becomes visible. What
    /// builds and services go through tells nobody, and is only seen by who looks.
    pub fn next_change(&self) -> Option<Timestamp> {
        let delivery = self.deliveries.iter().map(|delivery| delivery.due).min();
        let message = self.queues.next_change(self.now);
        let late = self.late.iter().map(|(due, _)| *due).min();
        self.pipelines.next_change().into_iter().chain(delivery).chain(message).chain(late).min()
    }

    /// Lambda's event source mapping: takes up to `max` (at most 10) visible messages from a queue and gives the event
    /// with which the function is invoked; `None` where nothing is visible.
    pub fn poll_mapping(&mut self, now: Timestamp, queue: &str, max: usize) -> Option<Value> {
        self.advance(now);
        self.queues.poll_mapping(self.now, queue, max)
    }

    /// The end of an invocation: what succeeded is deleted, what the response lists under `batchItemFailures`, and
    /// after an error everything, comes back when its visibility timeout is over.
    pub fn settle_mapping(&mut self, now: Timestamp, queue: &str, event: &Value, outcome: Result<&Value, ()>) {
        self.advance(now);
        self.queues.settle_mapping(queue, event, outcome);
    }

    /// Answers a request as the service would that it is for.
    pub fn handle(&mut self, now: Timestamp, request: &Request<Bytes>) -> Answer {
        self.advance(now);
        let path = request.uri().path();
        match path.strip_prefix(GITHUB_PATH) {
            Some(path) if path.starts_with('/') => self.handle_github(path, request),
            _ => self.handle_aws(request),
        }
    }

    fn handle_github(&mut self, path: &str, request: &Request<Bytes>) -> Answer {
        let route = github::route(request.method(), path);
        let shown = journal_body(request.body());
        let fault = self.faults.meet(self.now, "github", &route.operation, &shown);
        let reply = match fault.and_then(|fault| fault.at_github(self.now)) {
            Some(reply) => Some(self.github.finish(reply, self.now, None)),
            None if fault == Some(Fault::LostBefore) => None,
            None => match fault {
                Some(Fault::LandsLate(after)) => {
                    self.late.push((self.now + after, request.clone()));
                    None
                }
                _ => Some(self.call_github(&route, request)),
            },
        };
        self.write_down("github", route.operation, request, shown, reply.as_ref(), fault);
        deliver(reply, fault, "application/json; charset=utf-8")
    }

    fn call_github(&mut self, route: &github::Route, request: &Request<Bytes>) -> Reply {
        let base = format!("{}{GITHUB_PATH}", base(request.headers()));
        let query = request.uri().query().unwrap_or_default();
        let (now, headers, body) = (self.now, request.headers(), request.body());
        self.github.call(&Ask { now, route, query, headers, body, base: &base })
    }

    fn handle_aws(&mut self, request: &Request<Bytes>) -> Answer {
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let form = query::form(request);
        let rest = lambda::route(request.method(), request.uri());
        let shown = match (&form, &rest) {
            (Some(form), _) => json!(form),
            (None, Some((_, input))) => input.clone(),
            (None, None) => journal_body(request.body()),
        };
        let field = |name: &str| form.as_ref().and_then(|form| form.get(name)).map(String::as_str);
        let of_form = || Some((AwsService::of_version(field("Version")?)?, field("Action")?));
        let of_path = || rest.as_ref().map(|(operation, _)| (AwsService::Lambda, *operation));
        let Some((service, operation)) = of_path().or_else(|| AwsService::of_target(target)).or_else(of_form) else {
            let message = "Neither an X-Amz-Target nor an Action of a Version that is stood in for";
            let error = AwsError::new("UnknownOperationException", message);
            let reply = AwsService::CodePipeline.error(&error, "");
            let path = format!("{} {}", request.method(), request.uri().path());
            self.write_down("unknown", path, request, shown, Some(&reply), None);
            return deliver(Some(reply), None, "application/x-amz-json-1.1");
        };
        let fault = self.faults.meet(self.now, service.name(), operation, &shown);
        let reply = (fault != Some(Fault::LostBefore)).then(|| {
            let id = self.ids.uuid();
            let reply = fault.and_then(|fault| fault.at_aws(service, operation, &id));
            let reply = reply.unwrap_or_else(|| {
                let answer = self.answer_aws(service, operation, request, form.as_ref(), &shown, &id);
                match answer {
                    Ok(body) => Reply { status: 200, headers: Vec::new(), body },
                    Err(error) => service.error(&error, &id),
                }
            });
            reply.with("x-amzn-requestid", id)
        });
        self.write_down(service.name(), operation.to_owned(), request, shown, reply.as_ref(), fault);
        deliver(reply, fault, service.content_type())
    }

    fn answer_aws(
        &mut self,
        service: AwsService,
        operation: &str,
        request: &Request<Bytes>,
        form: Option<&Form>,
        shown: &Value,
        id: &str,
    ) -> Result<Body, AwsError> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let is_of_path = service == AwsService::Lambda;
        if !is_of_path && request.method() != http::Method::POST {
            return Err(AwsError::new("UnknownOperationException", "Only POST is supported"));
        }
        let Some(caller) = access_key(request) else { return Err(service.unsigned()) };
        if !service.operations().contains(&operation) {
            return Err(service.unknown(operation));
        }
        let xml = |text: String| Body::Text("text/xml;charset=UTF-8", text);
        match (service, form) {
            (AwsService::Ec2, Some(form)) => return network::ec2(&self.services, operation, form, id).map(xml),
            (AwsService::Elb, Some(form)) => return network::elb(&self.services, operation, form, id).map(xml),
            (AwsService::CloudFormation, Some(form)) => return self.stacks.call(operation, form, id).map(xml),
            (AwsService::Sts, Some(form)) => return identity::call(operation, form, caller, id).map(xml),
            _ => {}
        }
        if is_of_path {
            return self.functions.call(operation, shown).map(Body::Json);
        }
        let content_type = header("content-type").unwrap_or_default();
        if content_type.split(';').next().map(str::trim) != Some(service.content_type()) {
            let message = format!("The content type must be {}", service.content_type());
            return Err(AwsError::new("SerializationException", message));
        }
        let nothing = Value::Object(serde_json::Map::new());
        let body = match shown {
            Value::Null => &nothing,
            // A text, or no JSON at all.
            Value::String(_) => match serde_json::from_slice::<Value>(request.body()) {
                Ok(_) => shown,
                Err(error) => return Err(AwsError::new("SerializationException", error.to_string())),
            },
            body => body,
        };
        let answer = match service {
            AwsService::CodePipeline => self.pipelines.call(self.now, operation, body)?,
            AwsService::Sqs => self.queues.call(self.now, operation, body, &base(request.headers()))?,
            AwsService::Ssm => Some(self.parameters.call(self.now, operation, body)?),
            AwsService::CodeBuild => Some(self.builds.call(self.now, operation, body)?),
            AwsService::Logs => Some(logs::call(&self.builds, self.now, operation, body)?),
            AwsService::Ecs => Some(self.services.call(self.now, operation, body)?),
            AwsService::Events => Some(self.rules.call(operation, body)?),
            AwsService::Connections => Some(self.connections.call(operation, body)?),
            // Without a form there is no version that would have led here, and without a path no function.
            AwsService::Ec2 | AwsService::Elb | AwsService::CloudFormation | AwsService::Sts | AwsService::Lambda => {
                None
            }
        };
        Ok(answer.map_or(Body::Empty, Body::Json))
    }

    fn write_down(
        &mut self,
        service: &'static str,
        operation: String,
        request: &Request<Bytes>,
        shown: Value,
        reply: Option<&Reply>,
        fault: Option<Fault>,
    ) {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let kept = reply.filter(|_| self.keeps_responses);
        let response = kept.map_or(Value::Null, Reply::body_value);
        self.journal.push(Call {
            at: self.now,
            service,
            caller: access_key(request).map(str::to_owned),
            operation,
            path,
            request: if service == "github" { github::without_secrets(shown) } else { shown },
            status: reply.map_or(0, |reply| reply.status),
            response: if service == "github" { github::without_secrets(response) } else { response },
            fault: fault.map(Fault::name),
        });
    }
}

/// The id of the access key in a request's signature.
fn access_key(request: &Request<Bytes>) -> Option<&str> {
    let signature = request.headers().get("authorization")?.to_str().ok()?;
    signature.strip_prefix("AWS4-HMAC-SHA256 Credential=")?.split('/').next()
}

/// A request's body for the journal: JSON as it is, a text as a string, nothing as null.
fn journal_body(body: &Bytes) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// The address under which the caller reached the world.
fn base(headers: &HeaderMap) -> String {
    let host = headers.get(http::header::HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}

fn deliver(reply: Option<Reply>, fault: Option<Fault>, json_type: &'static str) -> Answer {
    match (reply, fault) {
        (None, _) | (_, Some(Fault::LostBefore | Fault::LostAfter | Fault::LandsLate(_))) => Answer::Hang,
        (Some(reply), Some(Fault::Delay(delay))) => Answer::Delay(delay, reply.into_response(json_type)),
        (Some(reply), _) => Answer::Respond(reply.into_response(json_type)),
    }
}
