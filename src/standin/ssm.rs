//! Systems Manager's Parameter Store, and the Secrets Manager secrets that can be read through it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::account::{ACCOUNT, REGION};
use super::check::{self, FLAG, Member, Pattern, Shape, TEXT, may, must};
use super::moment::epoch;
use super::wire::{AwsError, AwsService};
use crate::domain::time::Timestamp;

/// A name of this form is a secret of Secrets Manager.
const SECRET_PREFIX: &str = "/aws/reference/secretsmanager/";
/// The size of a standard parameter's value in bytes, and of an advanced one's.
const STANDARD_LIMIT: usize = 4096;
const ADVANCED_LIMIT: usize = 8192;

static NAME: Shape = Shape::Text { min: 1, max: 2048, pattern: Pattern::Any };
static NAMES: Shape = Shape::List { min: 1, max: 10, of: &NAME };
static KIND: Shape = Shape::OneOf(&["String", "StringList", "SecureString"]);
static TIER: Shape = Shape::OneOf(&["Standard", "Advanced", "Intelligent-Tiering"]);
static DESCRIPTION: Shape = Shape::Text { min: 0, max: 1024, pattern: Pattern::Any };
static DATA_TYPE: Shape = Shape::Text { min: 0, max: 128, pattern: Pattern::Any };
static KEY_ID: Shape = Shape::Text { min: 1, max: 256, pattern: Pattern::AlphanumericAnd(":/_-") };

static GET_PARAMETER: &[Member] = &[must("Name", &NAME), may("WithDecryption", &FLAG)];
static GET_PARAMETERS: &[Member] = &[must("Names", &NAMES), may("WithDecryption", &FLAG)];
static PUT_PARAMETER: &[Member] = &[
    must("Name", &NAME),
    must("Value", &TEXT),
    may("Description", &DESCRIPTION),
    may("Type", &KIND),
    may("KeyId", &KEY_ID),
    may("Overwrite", &FLAG),
    may("Tier", &TIER),
    may("DataType", &DATA_TYPE),
];

#[derive(Debug)]
struct Parameter {
    kind: String,
    tier: &'static str,
    /// The value of each version, the first version first.
    versions: Vec<(Timestamp, String)>,
}

/// The parameters and secrets of the account. Tags, policies and allowed patterns are not stood in for: a request that
/// holds them is refused.
#[derive(Debug, Default)]
pub struct Ssm {
    parameters: BTreeMap<String, Parameter>,
    secrets: BTreeMap<String, (Timestamp, String)>,
}

impl Ssm {
    /// Sets a plain parameter of type `String`, as a new version where it exists.
    pub fn put(&mut self, now: Timestamp, name: &str, value: &str) {
        self.store(now, name, value, "String");
    }

    /// Sets a parameter of type `SecureString`, whose value only comes out decrypted when that is asked for.
    pub fn put_secure(&mut self, now: Timestamp, name: &str, value: &str) {
        self.store(now, name, value, "SecureString");
    }

    /// Sets a secret of Secrets Manager, which is read as `/aws/reference/secretsmanager/NAME`.
    pub fn put_secret(&mut self, now: Timestamp, name: &str, value: &str) {
        self.secrets.insert(name.to_owned(), (now, value.to_owned()));
    }

    /// Removes a parameter or, named with the reference's prefix, a secret.
    pub fn remove(&mut self, name: &str) {
        match name.strip_prefix(SECRET_PREFIX) {
            Some(secret) => drop(self.secrets.remove(secret)),
            None => drop(self.parameters.remove(name)),
        }
    }

    fn store(&mut self, now: Timestamp, name: &str, value: &str, kind: &str) -> usize {
        let parameter = self.parameters.entry(name.to_owned()).or_insert_with(|| Parameter {
            kind: String::new(),
            tier: "Standard",
            versions: Vec::new(),
        });
        kind.clone_into(&mut parameter.kind);
        if value.len() > STANDARD_LIMIT {
            parameter.tier = "Advanced";
        }
        parameter.versions.push((now, value.to_owned()));
        parameter.versions.len()
    }

    pub(crate) fn call(&mut self, now: Timestamp, operation: &str, body: &Value) -> Result<Value, AwsError> {
        match operation {
            "GetParameter" => {
                check::check(GET_PARAMETER, body)?;
                let name = body["Name"].as_str().unwrap_or_default();
                match self.read(name, decrypt(body))? {
                    Found::Parameter(parameter) => Ok(json!({"Parameter": parameter})),
                    Found::Nothing => Err(AwsError::new("ParameterNotFound", "")),
                    Found::OtherVersions => {
                        let message = format!("Systems Manager could not find that version of {name}.");
                        Err(AwsError::new("ParameterVersionNotFound", message))
                    }
                }
            }
            "GetParameters" => {
                check::check(GET_PARAMETERS, body)?;
                self.get_parameters(body)
            }
            "PutParameter" => {
                check::check(PUT_PARAMETER, body)?;
                self.put_parameter(now, body)
            }
            other => Err(AwsService::Ssm.unknown(other)),
        }
    }

    fn get_parameters(&self, body: &Value) -> Result<Value, AwsError> {
        let mut names: Vec<&str> = body["Names"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // The answer is not in the order of the request, and a client has to match by name.
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(AwsError::validation("Duplicate name in the list of names"));
        }
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            match self.read(name, decrypt(body))? {
                Found::Parameter(parameter) => found.push(parameter),
                Found::Nothing | Found::OtherVersions => invalid.push(name),
            }
        }
        Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
    }

    /// What there is of a name, which may select a version.
    fn read(&self, name: &str, decrypted: bool) -> Result<Found, AwsError> {
        if let Some(secret) = name.strip_prefix(SECRET_PREFIX) {
            if !decrypted {
                return Err(AwsError::validation(
                    "WithDecryption flag must be True for retrieving a Secret Manager secret.",
                ));
            }
            return Ok(self.secrets.get(secret).map_or(Found::Nothing, |(at, value)| {
                let arn = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{secret}-AbCdEf");
                let source = json!({"ARN": arn, "Name": secret, "SecretString": value}).to_string();
                Found::Parameter(
                    json!({"Name": name, "Type": "SecureString", "Value": value, "Version": 0, "SourceResult": source,
                    "LastModifiedDate": epoch(*at), "ARN": arn, "DataType": "text"}),
                )
            }));
        }
        let (plain, selector) = match name.split_once(':') {
            Some((plain, selector)) if !name.starts_with("arn:") => (plain, Some(selector)),
            _ => (name, None),
        };
        let arn_prefix = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter");
        let path = plain.strip_prefix(&arn_prefix).unwrap_or(plain);
        let Some(parameter) = self.parameters.get(path).or_else(|| self.parameters.get(path.trim_start_matches('/')))
        else {
            return Ok(Found::Nothing);
        };
        // There is no label here, so one that is asked for is never there.
        let version = selector.map_or(Some(parameter.versions.len()), |text| text.parse().ok());
        let index = version.and_then(|version| version.checked_sub(1));
        let Some((version, (at, value))) = version.zip(index.and_then(|index| parameter.versions.get(index))) else {
            return Ok(Found::OtherVersions);
        };
        let shown = match (parameter.kind.as_str(), decrypted) {
            // Ciphertext has no meaning to anybody; what matters is that it is not the value.
            ("SecureString", false) => format!("AQICAH{}", hex::encode(format!("{path}#{version}"))),
            _ => value.clone(),
        };
        let separator = if path.starts_with('/') { "" } else { "/" };
        let mut answer = Map::new();
        answer.insert("Name".into(), json!(path));
        answer.insert("Type".into(), json!(parameter.kind));
        answer.insert("Value".into(), json!(shown));
        answer.insert("Version".into(), json!(version));
        answer.insert("LastModifiedDate".into(), epoch(*at));
        answer.insert("ARN".into(), json!(format!("{arn_prefix}{separator}{path}")));
        answer.insert("DataType".into(), json!("text"));
        if let Some(selector) = selector {
            answer.insert("Selector".into(), json!(format!(":{selector}")));
        }
        Ok(Found::Parameter(Value::Object(answer)))
    }

    fn put_parameter(&mut self, now: Timestamp, body: &Value) -> Result<Value, AwsError> {
        let name = body["Name"].as_str().unwrap_or_default();
        let value = body["Value"].as_str().unwrap_or_default();
        let known = self.parameters.get(name);
        let kind = match (body["Type"].as_str(), known) {
            (Some(kind), _) => kind.to_owned(),
            (None, Some(parameter)) => parameter.kind.clone(),
            (None, None) => {
                return Err(AwsError::validation("A parameter type is required to create a parameter."));
            }
        };
        if known.is_some() && body["Overwrite"] != true {
            let message = "The parameter already exists. To overwrite this value, set the overwrite option to true.";
            return Err(AwsError::new("ParameterAlreadyExists", message));
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        let lower = name.to_ascii_lowercase();
        // What looks like somebody else's parameter is refused as such; nowhere documented, but what people are told.
        if lower.starts_with("/aws") && name.matches('/').count() > 1 {
            let message = format!("No access to reserved parameter name: {name}.");
            return Err(AwsError::new("AccessDeniedException", message));
        }
        let reserved = ["aws", "ssm", "/aws", "/ssm"].iter().any(|prefix| lower.starts_with(prefix));
        if !name.chars().all(legal) || reserved || (name.contains('/') && !name.starts_with('/')) {
            return Err(AwsError::validation("Parameter name is not valid"));
        }
        if name.split('/').count() > 16 {
            let message = "A hierarchy can have a maximum of 15 levels.";
            return Err(AwsError::new("HierarchyLevelLimitExceededException", message));
        }
        if value.is_empty() {
            return Err(AwsError::validation("Value must not be empty"));
        }
        // Double braces are for references to parameters, which a value may not hold.
        if value.split_once("{{").is_some_and(|(_, rest)| rest.contains("}}")) {
            let message = "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.";
            return Err(AwsError::validation(message));
        }
        let tier = body["Tier"].as_str().unwrap_or("Standard");
        let limit = if tier == "Standard" { STANDARD_LIMIT } else { ADVANCED_LIMIT };
        if value.len() > limit {
            return Err(AwsError::validation(format!(
                "{tier} tier parameters support a maximum of {limit} characters"
            )));
        }
        let version = self.store(now, name, value, &kind);
        let tier = self.parameters.get(name).map_or("Standard", |parameter| parameter.tier);
        Ok(json!({"Version": version, "Tier": tier}))
    }
}

/// What there is of a name.
enum Found {
    /// A parameter or a secret, as it is answered.
    Parameter(Value),
    Nothing,
    /// A parameter, but not the version that is asked for.
    OtherVersions,
}

fn decrypt(body: &Value) -> bool {
    body["WithDecryption"] == true
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn ssm() -> Ssm {
        let mut ssm = Ssm::default();
        ssm.put(NOW, "/pipehook/config", "[github]");
        ssm.put_secure(NOW, "/pipehook/secret", "s3cret");
        ssm.put_secret(NOW, "token", "ghp_x");
        ssm
    }

    #[test]
    fn one_call_brings_parameters_and_secrets_and_says_which_names_are_unknown() {
        let names = json!(["/pipehook/secret", "/nope", "/aws/reference/secretsmanager/token", "/pipehook/config"]);
        let answer = ssm().call(NOW, "GetParameters", &json!({"Names": names, "WithDecryption": true})).unwrap();
        let values: Vec<_> = answer["Parameters"].as_array().unwrap().iter().map(|p| p["Value"].clone()).collect();
        assert_eq!(values, ["ghp_x", "[github]", "s3cret"]);
        assert_eq!(answer["InvalidParameters"], json!(["/nope"]));
    }

    #[test]
    fn a_secure_string_stays_encrypted_and_a_secret_is_refused_without_decryption() {
        let mut ssm = ssm();
        let answer = ssm.call(NOW, "GetParameter", &json!({"Name": "/pipehook/secret"})).unwrap();
        assert_ne!(answer["Parameter"]["Value"], "s3cret");
        let name = "/aws/reference/secretsmanager/token";
        let error = ssm.call(NOW, "GetParameter", &json!({"Name": name})).unwrap_err();
        assert_eq!(error.code, "ValidationException");
    }

    #[test]
    fn eleven_names_or_a_large_value_are_refused() {
        let mut ssm = ssm();
        let names: Vec<String> = (0..11).map(|n| format!("/p{n}")).collect();
        assert!(ssm.call(NOW, "GetParameters", &json!({"Names": names})).is_err());
        let put = |value: String, tier: &str| json!({"Name": "/big", "Value": value, "Type": "String", "Tier": tier});
        assert!(ssm.call(NOW, "PutParameter", &put("# as in {{branch}}".to_owned(), "Standard")).is_err());
        assert!(ssm.call(NOW, "PutParameter", &put("x".repeat(4097), "Standard")).is_err());
        assert!(ssm.call(NOW, "PutParameter", &put("x".repeat(8193), "Advanced")).is_err());
        let answer = ssm.call(NOW, "PutParameter", &put("x".repeat(8192), "Advanced")).unwrap();
        assert_eq!(answer, json!({"Version": 1, "Tier": "Advanced"}));
    }

    #[test]
    fn a_parameter_is_overwritten_only_on_request_and_old_versions_can_be_read() {
        let mut ssm = ssm();
        let mut put = json!({"Name": "/pipehook/config", "Value": "new"});
        assert_eq!(ssm.call(NOW, "PutParameter", &put).unwrap_err().code, "ParameterAlreadyExists");
        put["Overwrite"] = json!(true);
        assert_eq!(ssm.call(NOW, "PutParameter", &put).unwrap()["Version"], 2);
        let read = |ssm: &mut Ssm, name| ssm.call(NOW, "GetParameter", &json!({"Name": name})).unwrap();
        assert_eq!(read(&mut ssm, "/pipehook/config")["Parameter"]["Value"], "new");
        assert_eq!(read(&mut ssm, "/pipehook/config:1")["Parameter"]["Value"], "[github]");
        for version in ["0", "3", "label"] {
            let name = format!("/pipehook/config:{version}");
            let error = ssm.call(NOW, "GetParameter", &json!({"Name": name})).unwrap_err();
            assert_eq!(error.code, "ParameterVersionNotFound", "{version}");
        }
        let error = ssm.call(NOW, "GetParameter", &json!({"Name": "/nope:1"})).unwrap_err();
        assert_eq!(error.code, "ParameterNotFound");
    }

    #[test]
    fn names_that_are_not_ones_own_are_refused() {
        for (name, code) in [
            ("/aws/reference/secretsmanager/mine", "AccessDeniedException"),
            ("/AWSome/name", "AccessDeniedException"),
            ("/awsome", "ValidationException"),
            ("/ssm/mine", "ValidationException"),
            ("mine/relative", "ValidationException"),
        ] {
            let put = json!({"Name": name, "Value": "v", "Type": "String"});
            assert_eq!(ssm().call(NOW, "PutParameter", &put).unwrap_err().code, code, "{name}");
        }
    }
}
