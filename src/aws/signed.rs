//! Requests to services of which pipehook needs one small read: signed by hand, sent as the SDK's own clients send theirs.
//!
//! The SDK's crates for EC2, Elastic Load Balancing, CloudWatch Logs and what the tool looks at hold hundreds of operations,
//! of which a dozen are called here; they would cost minutes of compile time. What their clients take from the environment
//! holds here too: credentials, region, endpoints, connections.
//!
//! What the worker reads this way decorates a report. So there is one attempt, and little patience.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
use bytes::Bytes;
use serde_json::Value;

use super::unread::{Unread, sort};
use super::xml::Element;

/// For a call, from the connection to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What tells one service from another on the wire (botocore: `metadata` of the service's model).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// The service's id, of which the names of its settings are made: `AWS_ENDPOINT_URL_` and the id in capitals with `_`
    /// for blanks.
    pub id: &'static str,
    /// The first part of its host's name, and its name in signatures.
    pub name: &'static str,
    /// `Version` of the query protocols, or the prefix of `X-Amz-Target`.
    pub version: &'static str,
}

/// A client of one service.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    service: Service,
    region: String,
    /// Without a slash at its end.
    endpoint: String,
    credentials: Option<SharedCredentialsProvider>,
    operation: Option<Operation<HttpRequest, Bytes, ErrorMetadata>>,
}

impl Signed {
    pub(crate) fn new(sdk_config: &SdkConfig, service: Service) -> Self {
        let region = sdk_config.region().map(ToString::to_string).unwrap_or_default();
        let endpoint = endpoint(sdk_config, service, &region);
        let timeouts = sdk_config.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        // There is one attempt. Two timeouts that end at the same moment would name themselves by chance.
        let timeouts = timeouts.operation_attempt_timeout(PATIENCE).build();
        let operation = sdk_config.http_client().map(|http_client| {
            Operation::builder()
                .service_name(service.id)
                .operation_name("Read")
                .http_client(http_client)
                .endpoint_url(&endpoint)
                .timeout_config(timeouts)
                .no_auth()
                .no_retry()
                .serializer(Ok)
                .deserializer(answer)
                .build()
        });
        Self { service, region, endpoint, credentials: sdk_config.credentials_provider(), operation }
    }

    /// Calls an action in the query protocol of EC2 and its kin, which answers with XML.
    pub(crate) async fn query(&self, action: &str, parameters: &[(String, &str)]) -> Result<Element, Unread> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", self.service.version);
        form.extend_pairs(parameters);
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let answer = self.call(&headers, form.finish()).await?;
        let text = std::str::from_utf8(&answer).map_err(|error| nonsense(action, error))?;
        Element::parse(text).map_err(|error| nonsense(action, error))
    }

    /// Calls an operation in the JSON protocol, version 1.1.
    pub(crate) async fn json(&self, operation: &str, input: &Value) -> Result<Value, Unread> {
        self.json_of("application/x-amz-json-1.1", operation, input).await
    }

    /// Calls an operation in the JSON protocol, version 1.0.
    #[cfg(feature = "tool")]
    pub(crate) async fn json_1_0(&self, operation: &str, input: &Value) -> Result<Value, Unread> {
        self.json_of("application/x-amz-json-1.0", operation, input).await
    }

    async fn json_of(&self, content_type: &str, operation: &str, input: &Value) -> Result<Value, Unread> {
        let target = format!("{}.{operation}", self.service.version);
        let headers = [("content-type", content_type), ("x-amz-target", target.as_str())];
        let answer = self.call(&headers, input.to_string()).await?;
        serde_json::from_slice(&answer).map_err(|error| nonsense(operation, error))
    }

    /// Reads what lies at a path of a service that speaks REST. The path begins with a slash, and its parts are encoded.
    #[cfg(feature = "tool")]
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Unread> {
        let answer = self.send("GET", path, &[], String::new()).await?;
        serde_json::from_slice(&answer).map_err(|error| nonsense(path, error))
    }

    async fn call(&self, headers: &[(&str, &str)], body: String) -> Result<Bytes, Unread> {
        self.send("POST", "/", headers, body).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Result<Bytes, Unread> {
        let operation = self.operation.as_ref().ok_or_else(|| Unread::ForGood("no HTTP client".to_owned()))?;
        let request = self.request(method, path, headers, body).await?;
        operation.invoke(request).await.map_err(sort)
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<HttpRequest, Unread> {
        let credentials = self.credentials.as_ref().ok_or_else(|| Unread::ForGood("no credentials".to_owned()))?;
        let credentials = credentials.provide_credentials().await;
        let identity = credentials.map_err(|error| Unread::ForNow(format!("no credentials: {error}")))?.into();
        self.signed(method, path, headers, body, &identity)
            .map_err(|error| Unread::ForGood(format!("a request can't be made: {error}")))
    }

    fn signed(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
        identity: &aws_smithy_runtime_api::client::identity::Identity,
    ) -> Result<HttpRequest, Box<dyn std::error::Error + Send + Sync>> {
        let parameters = v4::SigningParams::builder()
            .identity(identity)
            .region(&self.region)
            .name(self.service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?;
        let address = format!("{}{path}", self.endpoint);
        let signable = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new(method, address, headers.iter().copied(), signable)?;
        let (instructions, _) = sign(signable, &parameters.into())?.into_parts();
        // The rest of the address is put in front when it is sent.
        let request = http::Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let mut request = request.header("user-agent", USER_AGENT).body(SdkBody::from(body))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.try_into()?)
    }
}

/// Shows in CloudTrail who asked.
const USER_AGENT: &str = concat!("pipehook/", env!("CARGO_PKG_VERSION"));

/// Where a service is, by the same settings as for the SDK's clients: its own, the common one, or its usual place.
fn endpoint(sdk_config: &SdkConfig, service: Service, region: &str) -> String {
    let key =
        ServiceConfigKey::builder().service_id(service.id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = key.ok().and_then(|key| sdk_config.service_config()?.load_config(key));
    let set = own.or_else(|| sdk_config.endpoint_url().map(str::to_owned));
    let usual = || {
        // botocore's endpoint rules: in GovCloud the plain names are the ones that keep to FIPS.
        let has_fips_name = sdk_config.use_fips() == Some(true) && !region.starts_with("us-gov-");
        let fips = if has_fips_name { "-fips" } else { "" };
        let domain = match region {
            region if region.starts_with("cn-") => "amazonaws.com.cn",
            region if region.starts_with("eusc-") => "amazonaws.eu",
            _ => "amazonaws.com",
        };
        format!("https://{}{fips}.{region}.{domain}", service.name)
    };
    set.unwrap_or_else(usual).trim_end_matches('/').to_owned()
}

fn answer(response: &HttpResponse) -> Result<Bytes, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return Ok(Bytes::copy_from_slice(body));
    }
    Err(OrchestratorError::operation(refusal(body, response.headers().get("x-amzn-errortype"))))
}

/// The error in an answer: `__type` and `message` in JSON, or an `Error` with its `Code` and `Message`, which EC2 puts one
/// level deeper than the others. Services that speak REST tell the code in a header, behind which there may be a colon and
/// more.
fn refusal(body: &[u8], of_header: Option<&str>) -> ErrorMetadata {
    let mut error = ErrorMetadata::builder();
    if let Some(kind) = of_header.and_then(|kind| kind.split(':').next()) {
        error = error.code(kind);
    }
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        if let Some(kind) = json["__type"].as_str() {
            error = error.code(kind.rsplit('#').next().unwrap_or(kind));
        }
        if let Some(message) = json["message"].as_str().or_else(|| json["Message"].as_str()) {
            error = error.message(message);
        }
    } else if let Some(xml) = std::str::from_utf8(body).ok().and_then(|text| Element::parse(text).ok()) {
        let found = xml.find("Error");
        if let Some(code) = found.and_then(|found| found.text("Code")) {
            error = error.code(code);
        }
        if let Some(message) = found.and_then(|found| found.text("Message")) {
            error = error.message(message);
        }
    }
    error.build()
}

fn nonsense(operation: &str, error: impl std::fmt::Display) -> Unread {
    Unread::ForNow(format!("the answer to {operation} can't be read: {error}"))
}

#[cfg(test)]
mod tests {
    use aws_config::Region;
    use aws_credential_types::Credentials;
    use aws_smithy_runtime_api::client::identity::Identity;

    use super::*;

    const LOGS: Service = Service { id: "CloudWatch Logs", name: "logs", version: "Logs_20140328" };

    fn config(region: &'static str) -> aws_types::sdk_config::Builder {
        SdkConfig::builder().region(Region::new(region))
    }

    #[test]
    fn a_service_is_where_the_sdks_clients_would_look_for_it() {
        let of = |config: aws_types::sdk_config::Builder| {
            let config = config.build();
            endpoint(&config, LOGS, config.region().unwrap().as_ref())
        };
        assert_eq!(of(config("eu-central-1")), "https://logs.eu-central-1.amazonaws.com");
        assert_eq!(of(config("cn-north-1")), "https://logs.cn-north-1.amazonaws.com.cn");
        assert_eq!(of(config("us-east-1").use_fips(true)), "https://logs-fips.us-east-1.amazonaws.com");
        assert_eq!(of(config("us-gov-west-1").use_fips(true)), "https://logs.us-gov-west-1.amazonaws.com");
        assert_eq!(of(config("us-east-1").endpoint_url("http://127.0.0.1:4566/")), "http://127.0.0.1:4566");
    }

    #[derive(Debug)]
    struct Settings;

    impl aws_types::service_config::LoadServiceConfig for Settings {
        fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
            (key.service_id() == "CloudWatch Logs" && key.env() == "AWS_ENDPOINT_URL").then(|| "http://logs".to_owned())
        }
    }

    #[test]
    fn a_services_own_endpoint_comes_before_the_common_one() {
        let config = config("us-east-1").endpoint_url("http://common").service_config(Settings).build();
        assert_eq!(endpoint(&config, LOGS, "us-east-1"), "http://logs");
    }

    #[test]
    fn a_request_is_signed_for_its_host_service_and_region() {
        let config = config("us-east-1").endpoint_url("http://127.0.0.1:4566").build();
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session".to_owned()), None, "test");
        let headers = [("x-amz-target", "Logs_20140328.GetLogEvents")];
        let identity = Identity::from(credentials);
        let request = Signed::new(&config, LOGS).signed("POST", "/", &headers, "{}".to_owned(), &identity).unwrap();
        let authorization = request.headers().get("authorization").unwrap();
        let (scope, rest) = authorization.split_once("/us-east-1/logs/aws4_request, ").unwrap();
        assert!(scope.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{scope}");
        assert!(
            rest.starts_with("SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target, Signature="),
            "{rest}"
        );
        assert_eq!((request.method(), request.uri()), ("POST", "/"));
    }

    #[tokio::test]
    async fn a_service_that_does_not_answer_is_not_waited_for() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let config = config("us-east-1")
            .endpoint_url(format!("http://{}", silent.local_addr().unwrap()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        let unread = Signed::new(&config, LOGS).json("GetLogEvents", &Value::Null).await.unwrap_err();
        assert!(matches!(unread, Unread::ForNow(_)), "{unread}");
    }

    #[test]
    fn an_error_is_read_in_each_of_the_protocols() {
        let read = |body: &str| {
            let error = refusal(body.as_bytes(), None);
            format!("{} {}", error.code().unwrap_or("-"), error.message().unwrap_or("-"))
        };
        let of_logs = r#"{"__type":"com.amazon#ResourceNotFoundException","message":"No such stream."}"#;
        assert_eq!(read(of_logs), "ResourceNotFoundException No such stream.");
        let of_ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>No.</Message></Error></Errors>\
                      <RequestID>1</RequestID></Response>";
        assert_eq!(read(of_ec2), "UnauthorizedOperation No.");
        let of_elb = "<ErrorResponse xmlns=\"urn:x\"><Error><Type>Sender</Type><Code>TargetGroupNotFound</Code>\
                      <Message>It's &quot;gone&quot;</Message></Error></ErrorResponse>";
        assert_eq!(read(of_elb), "TargetGroupNotFound It's \"gone\"");
        assert_eq!(read("<html>Bad gateway"), "- -");
        let body = br#"{"Type":"User","Message":"Function not found"}"#;
        let of_lambda =
            refusal(body, Some("ResourceNotFoundException:http://internal.amazon.com/coral/com.amazonaws/"));
        assert_eq!(of_lambda.code(), Some("ResourceNotFoundException"));
        assert_eq!(of_lambda.message(), Some("Function not found"));
    }
}
