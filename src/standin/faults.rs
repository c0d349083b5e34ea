//! What goes wrong, by rule: which calls are met by which fault.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::ids::Ids;
use super::wire::{AwsError, AwsService, Body, Reply};
use crate::domain::time::Timestamp;

/// Any service, or any operation, in a rule.
const ANY: &str = "*";

/// Something that goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Too many requests: the service's own error (`ThrottlingException`, for SQS `RequestThrottled`), at GitHub 429 with `retry-after: 60`.
    Throttle,
    /// GitHub's secondary limit: `status` is 403 or 429, with or without the header that says how many seconds to
    /// wait. At AWS the same as [`Fault::Throttle`].
    SecondaryLimit { status: u16, retry_after: Option<u64> },
    /// GitHub's primary limit: 403 with `x-ratelimit-remaining: 0`, over after this long. At AWS a throttle.
    PrimaryLimit { reset_after: Duration },
    /// The service is down: 500 in the service's own form at AWS, a 502 with a page of HTML at GitHub.
    ServerError,
    /// A gateway in front of the service answers 502 with a page of HTML, at AWS too.
    BadGateway,
    /// 200, and a body that is not what it should be.
    Nonsense,
    /// The call is never carried out, and no answer comes.
    LostBefore,
    /// The call is carried out, and its answer is lost.
    LostAfter,
    /// At GitHub: no answer comes, and after this long the call is carried out all the same. At AWS as
    /// [`Fault::LostAfter`].
    LandsLate(Duration),
    /// The call is carried out, and its answer comes late.
    Delay(Duration),
    /// The role or the token may not do this: `AccessDeniedException` or the service's own, at GitHub 403.
    AccessDenied,
    /// The credentials are not good: `UnrecognizedClientException` or the service's own, at GitHub 401.
    Unauthorized,
    /// The credentials were good until a while ago, as those of a session are: `ExpiredTokenException` or the service's own,
    /// at GitHub 401.
    Expired,
    /// The thing is not there: the service's own "not found" error, at GitHub 404.
    NotFound,
    /// The request is well-formed and refused: `ValidationException` or the service's own, at GitHub 422.
    Unprocessable,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::SecondaryLimit { .. } => "secondary limit",
            Self::PrimaryLimit { .. } => "primary limit",
            Self::ServerError => "server error",
            Self::BadGateway => "bad gateway",
            Self::Nonsense => "nonsense",
            Self::LostBefore => "lost before",
            Self::LostAfter => "lost after",
            Self::LandsLate(_) => "lands late",
            Self::Delay(_) => "delay",
            Self::AccessDenied => "access denied",
            Self::Unauthorized => "unauthorized",
            Self::Expired => "expired",
            Self::NotFound => "not found",
            Self::Unprocessable => "unprocessable",
        }
    }

    /// The answer that an AWS service gives instead of doing its work; `None` where it does its work.
    pub(crate) fn at_aws(self, service: AwsService, operation: &str, request_id: &str) -> Option<Reply> {
        let error = match self {
            Self::LostBefore | Self::LostAfter | Self::LandsLate(_) | Self::Delay(_) => return None,
            Self::BadGateway => return Some(bad_gateway()),
            Self::Nonsense => return Some(nonsense()),
            Self::Throttle | Self::SecondaryLimit { .. } | Self::PrimaryLimit { .. } => {
                let (code, status) = match service {
                    AwsService::Sqs => ("RequestThrottled", 400),
                    AwsService::Ec2 => ("RequestLimitExceeded", 503),
                    AwsService::Elb | AwsService::CloudFormation | AwsService::Sts => ("Throttling", 400),
                    AwsService::Lambda => ("TooManyRequestsException", 429),
                    _ => ("ThrottlingException", 400),
                };
                AwsError { status, ..AwsError::new(code, "Rate exceeded") }
            }
            Self::ServerError => {
                let code = match service {
                    AwsService::Ssm => "InternalServerError",
                    AwsService::Ecs => "ServerException",
                    AwsService::Ec2 => "InternalError",
                    AwsService::Lambda => "ServiceException",
                    AwsService::Events => "InternalException",
                    _ => "InternalFailure",
                };
                AwsError { status: 500, ..AwsError::new(code, "The service could not handle this request") }
            }
            Self::AccessDenied => {
                let name = service.name();
                let message = format!("The caller is not authorized to perform: {name}:{operation}");
                let (code, status) = match service {
                    AwsService::Sqs => ("AccessDenied", 400),
                    AwsService::Ec2 => ("UnauthorizedOperation", 403),
                    AwsService::Elb | AwsService::CloudFormation | AwsService::Sts => ("AccessDenied", 403),
                    AwsService::Lambda => ("AccessDeniedException", 403),
                    _ => ("AccessDeniedException", 400),
                };
                AwsError { status, ..AwsError::new(code, message) }
            }
            Self::Unauthorized => {
                let (code, status) = match service {
                    AwsService::Ec2 => ("AuthFailure", 401),
                    AwsService::Elb | AwsService::CloudFormation | AwsService::Sts => ("InvalidClientTokenId", 403),
                    AwsService::Lambda => ("UnrecognizedClientException", 403),
                    _ => ("UnrecognizedClientException", 400),
                };
                AwsError { status, ..AwsError::new(code, "The security token is invalid.") }
            }
            Self::Expired => {
                // What speaks in forms has the older code.
                let (code, status) = match service.content_type() {
                    "application/x-www-form-urlencoded" => ("ExpiredToken", 403),
                    _ => ("ExpiredTokenException", 400),
                };
                AwsError { status, ..AwsError::new(code, "The security token included in the request is expired") }
            }
            Self::NotFound => {
                let code = match (service, operation) {
                    (AwsService::CodePipeline, "GetPipelineExecution") => "PipelineExecutionNotFoundException",
                    (AwsService::CodePipeline, _) => "PipelineNotFoundException",
                    (AwsService::Sqs, _) => "QueueDoesNotExist",
                    (AwsService::Ssm, _) => "ParameterNotFound",
                    (AwsService::CodeBuild, _) => "InvalidInputException",
                    (AwsService::Logs | AwsService::Events | AwsService::Lambda | AwsService::Connections, _) => {
                        "ResourceNotFoundException"
                    }
                    (AwsService::Ecs, "ListServiceDeployments") => "ServiceNotFoundException",
                    (AwsService::Ecs, _) => "ClusterNotFoundException",
                    (AwsService::Ec2, _) => "InvalidNetworkInterfaceID.NotFound",
                    (AwsService::Elb, "DescribeTargetGroups") => "TargetGroupNotFound",
                    (AwsService::Elb, _) => "LoadBalancerNotFound",
                    (AwsService::CloudFormation | AwsService::Sts, _) => "ValidationError",
                };
                let status = if service == AwsService::Lambda { 404 } else { 400 };
                AwsError { status, ..AwsError::new(code, "There is no such thing.") }
            }
            Self::Unprocessable => {
                let code = match service {
                    AwsService::Sqs | AwsService::Ec2 => "InvalidParameterValue",
                    AwsService::Elb | AwsService::CloudFormation | AwsService::Sts => "ValidationError",
                    AwsService::Lambda => "InvalidParameterValueException",
                    AwsService::CodeBuild => "InvalidInputException",
                    AwsService::Logs | AwsService::Ecs => "InvalidParameterException",
                    AwsService::CodePipeline | AwsService::Ssm | AwsService::Events | AwsService::Connections => {
                        "ValidationException"
                    }
                };
                AwsError::new(code, "The request was refused.")
            }
        };
        Some(service.error(&error, request_id))
    }

    /// The answer that GitHub gives instead of doing its work; `None` where it does its work.
    pub(crate) fn at_github(self, now: Timestamp) -> Option<Reply> {
        let refused = |status: u16, message: &str| {
            Reply::json(status, json!({"message": message, "documentation_url": "https://docs.github.com/rest"}))
        };
        Some(match self {
            Self::LostBefore | Self::LostAfter | Self::LandsLate(_) | Self::Delay(_) => return None,
            Self::ServerError | Self::BadGateway => bad_gateway(),
            Self::Nonsense => nonsense(),
            Self::Throttle => {
                Self::SecondaryLimit { status: 429, retry_after: Some(60) }.at_github(now).unwrap_or_else(bad_gateway)
            }
            Self::SecondaryLimit { status, retry_after } => {
                let reply = refused(status, "You have exceeded a secondary rate limit.");
                match retry_after {
                    Some(seconds) => reply.with("retry-after", seconds.to_string()),
                    None => reply,
                }
            }
            Self::PrimaryLimit { reset_after } => {
                // Rounded up, as a reset must never be announced too early.
                let reset = (now + reset_after).as_millis().div_ceil(1000);
                refused(403, "API rate limit exceeded.")
                    .with("x-ratelimit-remaining", "0")
                    .with("x-ratelimit-reset", reset.to_string())
            }
            Self::AccessDenied => refused(403, "Resource not accessible by integration")
                .with("x-accepted-github-permissions", "statuses=write"),
            Self::Unauthorized | Self::Expired => refused(401, "Bad credentials"),
            Self::NotFound => refused(404, "Not Found"),
            Self::Unprocessable => refused(422, "Validation Failed"),
        })
    }
}

fn bad_gateway() -> Reply {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n";
    Reply { status: 502, headers: Vec::new(), body: Body::Text("text/html", page.to_owned()) }
}

fn nonsense() -> Reply {
    Reply { status: 200, headers: Vec::new(), body: Body::Text("text/html", "<!doctype html><p>{\"".to_owned()) }
}

/// Something that goes wrong on the way of a CodePipeline event through EventBridge to a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFault {
    /// The event never arrives.
    Drop,
    /// The event arrives twice, under the same event id.
    Duplicate,
    /// The event arrives later, perhaps after its successors.
    Delay(Duration),
}

/// Which of the matching calls a rule meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The next so many.
    Next(u32),
    /// Only the nth from now, counted from 1.
    Nth(u32),
    /// Every call from a moment until, and without, another: an outage.
    Between(Timestamp, Timestamp),
    /// Each with a chance in thousandths, drawn from the world's seed.
    PerMille(u16),
    /// Every one, until the rules are cleared.
    Always,
}

type Predicate = Box<dyn Fn(&Value) -> bool + Send>;

struct Rule {
    service: String,
    operation: String,
    matching: Option<Predicate>,
    when: When,
    seen: u32,
    fault: Fault,
}

#[derive(Debug)]
struct EventRule {
    when: When,
    seen: u32,
    fault: EventFault,
    has_met: bool,
}

/// The rules by which calls and events go wrong. The first rule that meets a call decides; without rules all is well.
pub struct Faults {
    rules: Vec<Rule>,
    events: Vec<EventRule>,
    /// What rules have met their first event, since somebody has asked.
    met: Vec<EventFault>,
    ids: Ids,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), events: Vec::new(), met: Vec::new(), ids: Ids::new(seed, "faults") }
    }

    /// The next `count` calls of an operation go wrong. `*` stands for any service or any operation. GitHub's
    /// operations are named like `POST /repos/{owner}/{repo}/statuses/{sha}`.
    pub fn next(&mut self, service: &str, operation: &str, count: u32, fault: Fault) {
        self.add(service, operation, When::Next(count), fault);
    }

    /// Calls of an operation go wrong when `when` says so.
    pub fn add(&mut self, service: &str, operation: &str, when: When, fault: Fault) {
        self.push(service, operation, None, when, fault);
    }

    /// Calls whose request body satisfies the predicate go wrong when `when` says so.
    pub fn matching(
        &mut self,
        service: &str,
        operation: &str,
        predicate: impl Fn(&Value) -> bool + Send + 'static,
        when: When,
        fault: Fault,
    ) {
        self.push(service, operation, Some(Box::new(predicate)), when, fault);
    }

    fn push(&mut self, service: &str, operation: &str, matching: Option<Predicate>, when: When, fault: Fault) {
        let (service, operation) = (service.to_owned(), operation.to_owned());
        self.rules.push(Rule { service, operation, matching, when, seen: 0, fault });
    }

    /// CodePipeline's events go wrong when `when` says so.
    pub fn events(&mut self, when: When, fault: EventFault) {
        self.events.push(EventRule { when, seen: 0, fault, has_met: false });
    }

    /// From now on all is well again.
    pub fn clear(&mut self) {
        self.rules.clear();
        self.events.clear();
    }

    /// From now on events arrive again.
    pub fn clear_events(&mut self) {
        self.events.clear();
    }

    pub(crate) fn meet(&mut self, now: Timestamp, service: &str, operation: &str, request: &Value) -> Option<Fault> {
        let Self { rules, ids, .. } = self;
        let fits = |rule: &Rule| {
            (rule.service == ANY || rule.service == service)
                && (rule.operation == ANY || rule.operation == operation)
                && rule.matching.as_ref().is_none_or(|predicate| predicate(request))
        };
        let hit = rules
            .iter_mut()
            .find_map(|rule| (fits(rule) && is_met(rule.when, &mut rule.seen, now, ids)).then_some(rule.fault));
        rules.retain(|rule| !is_spent(rule.when, rule.seen));
        hit
    }

    pub(crate) fn meet_event(&mut self, now: Timestamp) -> Option<EventFault> {
        let Self { events, ids, met, .. } = self;
        let met_by = events.iter_mut().find_map(|rule| is_met(rule.when, &mut rule.seen, now, ids).then_some(rule));
        let hit = met_by.map(|rule| {
            if !std::mem::replace(&mut rule.has_met, true) {
                met.push(rule.fault);
            }
            rule.fault
        });
        events.retain(|rule| !is_spent(rule.when, rule.seen));
        hit
    }

    /// What has befallen events since the last time that this was asked: each rule counts once, with its first event.
    pub(crate) fn take_met_events(&mut self) -> Vec<EventFault> {
        std::mem::take(&mut self.met)
    }
}

fn is_met(when: When, seen: &mut u32, now: Timestamp, ids: &mut Ids) -> bool {
    *seen = seen.saturating_add(1);
    match when {
        When::Next(count) => *seen <= count,
        When::Nth(nth) => *seen == nth,
        When::Between(from, until) => from <= now && now < until,
        When::PerMille(chance) => ids.below(1000) < u64::from(chance),
        When::Always => true,
    }
}

fn is_spent(when: When, seen: u32) -> bool {
    match when {
        When::Next(count) | When::Nth(count) => seen >= count,
        When::Between(..) | When::PerMille(_) | When::Always => false,
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("rules", &self.rules.len()).field("events", &self.events).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn met(faults: &mut Faults, operation: &str) -> Option<Fault> {
        faults.meet(NOW, "codepipeline", operation, &Value::Null)
    }

    #[test]
    fn the_next_two_calls_of_an_operation_fail_and_the_third_does_not() {
        let mut faults = Faults::new(1);
        faults.next("codepipeline", "GetPipeline", 2, Fault::ServerError);
        assert_eq!(met(&mut faults, "GetPipelineState"), None);
        assert_eq!(met(&mut faults, "GetPipeline"), Some(Fault::ServerError));
        assert_eq!(met(&mut faults, "GetPipeline"), Some(Fault::ServerError));
        assert_eq!(met(&mut faults, "GetPipeline"), None);
    }

    #[test]
    fn only_the_third_call_of_any_operation_fails() {
        let mut faults = Faults::new(1);
        faults.add("*", "*", When::Nth(3), Fault::Throttle);
        let hits: Vec<_> = (0..5).map(|_| met(&mut faults, "GetPipeline").is_some()).collect();
        assert_eq!(hits, [false, false, true, false, false]);
    }

    #[test]
    fn an_outage_ends_and_a_predicate_chooses() {
        let mut faults = Faults::new(1);
        let until = NOW + Duration::from_secs(10);
        faults.add("sqs", "*", When::Between(NOW, until), Fault::LostBefore);
        assert_eq!(faults.meet(NOW, "sqs", "SendMessage", &Value::Null), Some(Fault::LostBefore));
        assert_eq!(faults.meet(until, "sqs", "SendMessage", &Value::Null), None);
        faults.matching("ssm", "*", |body| body["Name"] == "a", When::Always, Fault::AccessDenied);
        assert_eq!(faults.meet(until, "ssm", "GetParameter", &json!({"Name": "b"})), None);
        assert_eq!(faults.meet(until, "ssm", "GetParameter", &json!({"Name": "a"})), Some(Fault::AccessDenied));
        faults.clear();
        assert_eq!(faults.meet(NOW, "ssm", "GetParameter", &json!({"Name": "a"})), None);
    }

    #[test]
    fn chance_is_drawn_from_the_seed() {
        let draw = |seed| {
            let mut faults = Faults::new(seed);
            faults.add("*", "*", When::PerMille(300), Fault::Throttle);
            (0..200).filter(|_| met(&mut faults, "GetPipeline").is_some()).count()
        };
        assert_eq!(draw(5), draw(5));
        assert!((30..90).contains(&draw(5)), "{}", draw(5));
    }
}
