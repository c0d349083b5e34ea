//! What the token setting holds: a token, or a GitHub App's id and private key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value, json};

use super::error::GitHubError;
use super::wire::{Authorization, Bearer};
use crate::domain::time::Timestamp;

/// GitHub's documentation asks for a minute in the past, for clocks differ.
const ISSUED_BEFORE: u64 = 60;

/// GitHub takes ten minutes at most. A minute less leaves room for a clock that is fast.
const EXPIRES_AFTER: u64 = 9 * 60;

/// What the setting holds.
pub(super) enum Credentials {
    Token(Authorization),
    App(Box<AppKey>),
}

/// A GitHub App that can prove who it is.
pub(super) struct AppKey {
    /// The App's id, or its client id: the issuer of its JWTs.
    id: String,
    key: KeyPair,
}

impl Credentials {
    pub(super) fn parse(text: &str) -> Result<Self, GitHubError> {
        if text.starts_with('{') {
            return AppKey::parse(text).map(|key| Self::App(Box::new(key)));
        }
        Authorization::new(Bearer::Token, text)
            .map(Self::Token)
            .ok_or_else(|| GitHubError::BadToken("it holds characters that no token has".to_owned()))
    }
}

impl AppKey {
    /// The App's numeric id, where it is that by which it is known here.
    pub(super) fn numeric_id(&self) -> Option<u64> {
        self.id.parse().ok()
    }

    fn parse(text: &str) -> Result<Self, GitHubError> {
        let bad = |why: &str| GitHubError::BadToken(format!("a GitHub App's credentials are expected, but {why}"));
        // What serde_json says of a syntax error names the place and never what stands there.
        let fields: Map<String, Value> = serde_json::from_str(&escape_line_breaks(text))
            .map_err(|error| bad(&format!("they are no JSON object: {error}")))?;
        let id = match fields.get("app_id").or_else(|| fields.get("client_id")) {
            Some(Value::Number(number)) => number.as_u64().map(|number| number.to_string()),
            Some(Value::String(id)) => Some(id.trim().to_owned()),
            _ => None,
        };
        let id = id
            .filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'))
            .ok_or_else(|| bad("app_id is neither the App's id nor its client id"))?;
        let Some(Value::String(pem)) = fields.get("private_key") else {
            return Err(bad("private_key is missing: the text of the .pem file that GitHub gave for the App"));
        };
        // A line break that went through two layers of quoting.
        let pem = pem.replace("\\r", "").replace("\\n", "\n");
        let key = key_pair(&pem).map_err(|why| bad(&format!("the private key does not parse: {why}")))?;
        Ok(Self { id, key })
    }

    /// What shows to GitHub, for the next minutes, that a request comes from the App.
    pub(super) fn authorization(&self, now: Timestamp) -> Result<Authorization, GitHubError> {
        let unusable = || GitHubError::BadToken("the App's private key does not sign".to_owned());
        Authorization::new(Bearer::Jwt, &self.jwt(now).ok_or_else(unusable)?).ok_or_else(unusable)
    }

    fn jwt(&self, now: Timestamp) -> Option<String> {
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({
            "iat": now.as_secs().saturating_sub(ISSUED_BEFORE),
            "exp": now.as_secs() + EXPIRES_AFTER,
            "iss": self.id,
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// None of the reasons holds anything of the key.
fn key_pair(pem: &str) -> Result<KeyPair, String> {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs1(der)) => KeyPair::from_der(der.secret_pkcs1_der()).map_err(|error| error.to_string()),
        Ok(PrivateKeyDer::Pkcs8(der)) => KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|error| error.to_string()),
        Ok(_) => Err("it is no RSA key".to_owned()),
        Err(_) => Err("it is no whole PEM text from -----BEGIN RSA PRIVATE KEY----- to the END line".to_owned()),
    }
}

/// JSON has no line breaks within its strings, but who pastes a key by hand puts them there.
fn escape_line_breaks(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let (mut in_string, mut after_backslash) = (false, false);
    for c in text.chars() {
        match c {
            '\n' if in_string => escaped.push_str("\\n"),
            '\r' if in_string => {}
            c => escaped.push(c),
        }
        if c == '"' && !after_backslash {
            in_string = !in_string;
        }
        after_backslash = c == '\\' && !after_backslash;
    }
    escaped
}

#[cfg(test)]
#[cfg(feature = "standin")]
mod tests {
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::standin::EXAMPLE_APP_KEY as PKCS1;

    const NOW: Timestamp = Timestamp::from_secs(1_769_292_224);

    /// The same key in the other form: the one within it is an octet string, behind its length and the algorithm's name.
    fn pkcs8() -> String {
        let PrivateKeyDer::Pkcs1(pkcs1) = PrivateKeyDer::from_pem_slice(PKCS1.as_bytes()).unwrap() else { panic!() };
        let pkcs1 = pkcs1.secret_pkcs1_der();
        let length = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
        let rsa = hex::decode("020100300d06092a864886f70d01010105000482").unwrap();
        let inner = [&rsa, &length(pkcs1.len())[..], pkcs1].concat();
        let der = [&[0x30, 0x82], &length(inner.len())[..], &inner].concat();
        let base64 = base64::engine::general_purpose::STANDARD.encode(der);
        let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
    }

    fn app(text: &str) -> AppKey {
        match Credentials::parse(text) {
            Ok(Credentials::App(app)) => *app,
            Ok(Credentials::Token(_)) => panic!("a token"),
            Err(error) => panic!("{error}"),
        }
    }

    fn refused(text: &str) -> String {
        Credentials::parse(text).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_jwt_is_signed_and_names_the_app_from_a_minute_ago_for_ten_minutes() {
        let app = app(&json!({"app_id": 123, "private_key": PKCS1}).to_string());
        let jwt = app.jwt(NOW).unwrap();
        let (signed, signature) = jwt.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, app.key.public().as_ref());
        key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let parts: Vec<Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT"}));
        assert_eq!(parts[1], json!({"iss": "123", "iat": 1_769_292_164, "exp": 1_769_292_764}));
    }

    #[test]
    fn a_key_is_taken_in_every_form_in_which_people_paste_it() {
        let escaped = |pem: &str| pem.replace('\n', "\\n");
        let of = |id: &str, pem: &str| format!("{{\n  \"app_id\": {id},\n  \"private_key\": \"{pem}\"\n}}");
        let jwt = app(&of("123", &escaped(PKCS1))).jwt(NOW);
        assert!(jwt.is_some());
        for text in [
            of("\"123\"", &escaped(&pkcs8())),
            of("123", PKCS1),
            of("123", &pkcs8().replace('\n', "\r\n")),
            of("123", &escaped(PKCS1).replace('\\', "\\\\")),
        ] {
            assert_eq!(app(&text).jwt(NOW), jwt, "{text}");
        }
        assert_eq!(app(&of("\"Iv23abc\"", PKCS1)).id, "Iv23abc");
        assert_eq!(app(&json!({"client_id": "Iv1.8a61f9b3a7aba766", "private_key": pkcs8()}).to_string()).id.len(), 20);
    }

    #[test]
    fn what_is_wrong_is_said_without_saying_what_stands_there() {
        insta::assert_snapshot!(refused("ghp secret"), @"the GitHub token can't be used: it holds characters that no token has");
        insta::assert_snapshot!(refused("{\"app_id\": 123, \"private_key\": s3cr3t}"), @"the GitHub token can't be used: a GitHub App's credentials are expected, but they are no JSON object: expected value at line 1 column 32");
        insta::assert_snapshot!(refused("{\"app_id\": true, \"private_key\": \"s3cr3t\"}"), @"the GitHub token can't be used: a GitHub App's credentials are expected, but app_id is neither the App's id nor its client id");
        insta::assert_snapshot!(refused("{\"app_id\": 123}"), @"the GitHub token can't be used: a GitHub App's credentials are expected, but private_key is missing: the text of the .pem file that GitHub gave for the App");
        insta::assert_snapshot!(refused("{\"app_id\": 123, \"private_key\": \"s3cr3t\"}"), @"the GitHub token can't be used: a GitHub App's credentials are expected, but the private key does not parse: it is no whole PEM text from -----BEGIN RSA PRIVATE KEY----- to the END line");
        let cut = &PKCS1[..400];
        insta::assert_snapshot!(refused(&json!({"app_id": 1, "private_key": cut}).to_string()), @"the GitHub token can't be used: a GitHub App's credentials are expected, but the private key does not parse: it is no whole PEM text from -----BEGIN RSA PRIVATE KEY----- to the END line");
        let empty = "-----BEGIN RSA PRIVATE KEY-----\nczNjcjN0\n-----END RSA PRIVATE KEY-----\n";
        insta::assert_snapshot!(refused(&json!({"app_id": 1, "private_key": empty}).to_string()), @"the GitHub token can't be used: a GitHub App's credentials are expected, but the private key does not parse: InvalidEncoding");
        let curve = "-----BEGIN EC PRIVATE KEY-----\nczNjcjN0\n-----END EC PRIVATE KEY-----\n";
        insta::assert_snapshot!(refused(&json!({"app_id": 1, "private_key": curve}).to_string()), @"the GitHub token can't be used: a GitHub App's credentials are expected, but the private key does not parse: it is no RSA key");
    }

    #[test]
    fn what_is_printed_holds_no_secret() {
        let Ok(Credentials::Token(token)) = Credentials::parse("ghp_s3cr3t") else { panic!("no token") };
        assert!(!format!("{token:?}").contains("s3cr3t"));
    }
}
