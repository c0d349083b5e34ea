//! The function that GitHub calls: its secret, who may call it, and what it answers.

use aws_smithy_types::body::SdkBody;
use serde_json::Value;

use super::deployment::Deployment;
use super::finding::{Finding, Known, Verdict};
use crate::aws::setup::functions::{Function, FunctionUrl, Functions};
use crate::aws::setup::parameters::parameter;
use crate::cli::account::Account;
use crate::cli::{Error, replay};
use crate::local::sign;
use crate::settings::Secret;

/// A secret of fewer characters can be guessed from one signed delivery by who tries long enough.
const SHORTEST: usize = 16;

/// Fewer different characters make a pattern, and no secret.
const FEWEST_CHARACTERS: usize = 6;

/// What GitHub sends when a webhook is made.
const PING: &str = r#"{"zen":"Keep it logically awesome.","hook_id":0}"#;

const PARAMETER_PREFIX: &str = "/aws/reference/secretsmanager/";

/// Looks at the function and its secret, and has it answer.
pub(super) async fn check(account: &Account, deployment: &Deployment) -> Vec<Finding> {
    let functions = Functions::new(account.sdk_config());
    let link = "webhook function";
    let parameter = account.webhook_secret_parameter();
    let secret = ("PIPEHOOK_WEBHOOK_SECRET", parameter.as_str());
    let (secrets, (function, is_missing), url) = tokio::join!(
        secrets(account, deployment),
        async {
            match &deployment.webhook {
                Ok(name) => match functions.get(name).await {
                    Ok(Some(function)) => (judge_function(link, name, &function, deployment, secret), false),
                    Ok(None) => (missing(link, name), true),
                    Err(unread) => (Finding::unread(link, unread), false),
                },
                Err(why) => (Finding::not_checked(link, why), false),
            }
        },
        async {
            match &deployment.webhook {
                Ok(name) => Ok((name, functions.url(name).await)),
                Err(why) => Err(why),
            }
        },
    );
    let (secrets, finding) = secrets;
    let pings = pings(account, deployment, &secrets).await;
    let is_reached = pings.iter().any(|ping| ping.verdict == Verdict::Ok);
    let link = "function URL";
    let url = match url {
        // What is not there has no URL either, and that has been said.
        _ if is_missing => Finding::not_checked(link, "there is no function"),
        Ok((name, Ok(url))) => judge_url(link, name, url.as_ref(), is_reached, account),
        Ok((_, Err(unread))) => Finding::unread(link, unread),
        Err(why) => Finding::not_checked(link, why),
    };
    [finding, function, url].into_iter().chain(pings).collect()
}

/// A function of which the stack tells and Lambda does not know.
pub(super) fn missing(link: &str, name: &str) -> Finding {
    let mending = "deploy again under a new stack name, or delete the stack and deploy it: `sam deploy`";
    Finding::wrong(link, format!("Lambda has no function {name}"), mending)
}

/// Whether a function can be invoked, and is told of the same configuration, queue and secret as this tool looks at. The
/// secret is given by the name of its variable without `_PARAMETER`, and the parameter's.
pub(super) fn judge_function(
    link: &str,
    name: &str,
    function: &Function,
    deployment: &Deployment,
    (secret, parameter): (&str, &str),
) -> Finding {
    if let Some(failure) = &function.failure {
        return Finding::wrong(link, failure, "mend that, then `sam deploy`");
    }
    let told = |variable: &str| function.variables.get(variable).map(|value| value.trim()).unwrap_or_default();
    if let Some(inline) = ["PIPEHOOK_CONFIG", secret].into_iter().find(|inline| !told(inline).is_empty()) {
        let problem = format!("{inline} is set, and goes before the parameter that is looked at here");
        return Finding::warning(link, problem, "empty it, unless that is meant: `sam deploy` sets it to nothing");
    }
    let secret = format!("{secret}_PARAMETER");
    let wanted = [
        ("PIPEHOOK_CONFIG_PARAMETER", deployment.config_parameter.as_deref().ok()),
        ("PIPEHOOK_QUEUE_URL", deployment.queue_url.as_deref().ok()),
        (secret.as_str(), Some(parameter)),
    ];
    for (variable, wanted) in wanted {
        let (Some(wanted), found) = (wanted, told(variable)) else { continue };
        if found != wanted {
            let found = if found.is_empty() { "not set" } else { found };
            return Finding::wrong(link, format!("its {variable} is {found}; it should be {wanted}"), "`sam deploy`");
        }
    }
    Finding::ok(link, name)
}

async fn secrets(account: &Account, deployment: &Deployment) -> (Known<Vec<Secret>>, Finding) {
    let name = account.webhook_secret_parameter();
    let link = "webhook's secret";
    let unknown = || Err("the webhook's secret is not known".to_owned());
    if !deployment.has_stack && name.starts_with(PARAMETER_PREFIX) {
        return (unknown(), Finding::not_checked(link, format!("it needs the stack {}", account.stack_name())));
    }
    match parameter(account.sdk_config(), &name).await {
        Err(unread) => (unknown(), Finding::unread(link, unread)),
        Ok(None) => (unknown(), Finding::wrong(link, format!("there is none at {name}"), renewal(account, &name))),
        Ok(Some(text)) => {
            let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
            let secrets: Vec<Secret> = lines.map(Secret::new).collect();
            let finding = match secrets.iter().find_map(|secret| weakness(secret.expose())) {
                _ if secrets.is_empty() => Finding::wrong(link, format!("{name} is empty"), renewal(account, &name)),
                Some(why) => Finding::wrong(link, why, renewal(account, &name)),
                None if secrets.len() == 1 => Finding::ok(link, "it is set"),
                None => Finding::warning(
                    link,
                    format!("there are {} of them, as while it is rotated", secrets.len()),
                    "once GitHub has the first, leave that one alone in its secret",
                ),
            };
            (if secrets.is_empty() { unknown() } else { Ok(secrets) }, finding)
        }
    }
}

/// The commands that put a good secret in the place of another.
fn renewal(account: &Account, parameter: &str) -> String {
    let new = "\"$(openssl rand -hex 20)\"";
    let put = match parameter.strip_prefix(PARAMETER_PREFIX) {
        Some(name) => format!("secretsmanager put-secret-value --secret-id {name} --secret-string {new}"),
        None => format!("ssm put-parameter --name {parameter} --overwrite --type SecureString --value {new}"),
    };
    format!(
        "{}, and five minutes later put it into GitHub's webhook: `pipehook webhook install`",
        account.command(&put)
    )
}

/// Why a secret is none. It is not quoted.
fn weakness(secret: &str) -> Option<String> {
    let characters: Vec<char> = secret.chars().collect();
    let length = characters.len();
    let mut different = characters.clone();
    different.sort_unstable();
    different.dedup();
    if length < SHORTEST {
        return Some(format!("it has {length} characters, which can be guessed; {SHORTEST} are the least"));
    }
    let repeats = (1..=length / 2).any(|period| characters.iter().skip(period).eq(&characters[..length - period]));
    if repeats || different.len() < FEWEST_CHARACTERS {
        return Some("it is a pattern, which can be guessed".to_owned());
    }
    None
}

/// What keeps everybody from calling the URL, where a ping has not shown that nothing does: a policy can let them in many
/// ways, and URLs from before October 2025 need one permission less.
fn judge_url(link: &str, name: &str, url: Option<&FunctionUrl>, is_reached: bool, account: &Account) -> Finding {
    let missing = |action: &str, more: &str| {
        let statement = action.rsplit(':').next().unwrap_or_default();
        let permit = account.command(&format!(
            "lambda add-permission --function-name {name} --statement-id {statement} --action {action} \
             --principal '*' {more}"
        ));
        if is_reached {
            let problem = format!("it answers, though the function's policy does not give everybody {action}");
            return Finding::warning(link, problem, format!("a URL that is made anew will need it: {permit}"));
        }
        Finding::wrong(link, format!("the function's policy does not give everybody {action}"), permit)
    };
    match url {
        None => {
            let create = format!("lambda create-function-url-config --function-name {name} --auth-type NONE");
            Finding::wrong(link, "the function has none, so GitHub can't reach it", account.command(&create))
        }
        Some(FunctionUrl { is_open: false, .. }) => {
            let update = format!("lambda update-function-url-config --function-name {name} --auth-type NONE");
            let problem = "it takes requests that are signed for AWS alone (AuthType AWS_IAM), as GitHub's are not";
            Finding::wrong(link, problem, account.command(&update))
        }
        Some(FunctionUrl { allows_url: false, .. }) => {
            missing("lambda:InvokeFunctionUrl", "--function-url-auth-type NONE")
        }
        Some(FunctionUrl { allows_invoke: false, .. }) => {
            missing("lambda:InvokeFunction", "--invoked-via-function-url")
        }
        Some(_) => Finding::ok(link, "everybody may call it"),
    }
}

/// What came back.
struct Answer {
    status: u16,
    body: String,
}

/// A ping as GitHub sends it, signed with this secret; or why there was no answer.
async fn ping(url: &str, secret: &str) -> Result<Answer, String> {
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .header("user-agent", concat!("pipehook/", env!("CARGO_PKG_VERSION")))
        .header("x-github-event", "ping")
        .header("x-github-delivery", "pipehook-doctor")
        .header("x-hub-signature-256", sign(secret, PING.as_bytes()))
        .body(SdkBody::from(PING));
    let request = request.map_err(|error| format!("it is no URL: {error}"))?;
    match replay::post(url, request).await {
        Ok((status, body)) => Ok(Answer { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() }),
        Err(Error::Unreachable { cause, .. }) => Err(cause),
        Err(other) => Err(other.to_string()),
    }
}

/// A ping signed with each secret, which must be taken, and one signed with another, which must not.
async fn pings(account: &Account, deployment: &Deployment, secrets: &Known<Vec<Secret>>) -> Vec<Finding> {
    let (signed, forged) = ("signed ping", "forged ping");
    let url = match &deployment.webhook_url {
        Ok(url) => url,
        Err(why) => return vec![Finding::not_checked(signed, why), Finding::not_checked(forged, why)],
    };
    let ping = async |secret: &str| ping(url, secret).await;
    let mut findings = Vec::new();
    match secrets {
        Err(why) => findings.push(Finding::not_checked(signed, why)),
        Ok(secrets) => {
            let mut judged = Vec::new();
            for secret in secrets {
                judged.push(judge_signed(signed, url, &ping(secret.expose()).await, account));
            }
            // One answer says all where all is well; what is not is said once.
            let worst = judged.iter().position(|finding| finding.verdict != Verdict::Ok).unwrap_or(0);
            findings.extend(judged.into_iter().nth(worst));
        }
    }
    findings.push(judge_forged(forged, &ping(&format!("not the secret {}", std::process::id())).await));
    findings
}

fn judge_signed(link: &str, url: &str, answer: &Result<Answer, String>, account: &Account) -> Finding {
    let (status, body) = match answer {
        Ok(answer) => (answer.status, answer.body.as_str()),
        Err(why) => {
            return Finding::wrong(link, format!("{url} can't be reached: {why}"), "check the network and the URL");
        }
    };
    let logs = account.command(&format!("logs tail /aws/lambda/{}-webhook --since 10m", account.stack_name()));
    match status {
        202 => Finding::ok(link, format!("{url} has accepted it")),
        401 => Finding::wrong(
            link,
            "it was refused with 401: the function has another secret than Secrets Manager",
            "wait five minutes after a rotation, then run this again",
        ),
        403 => Finding::wrong(
            link,
            "it was refused with 403 before the function saw it: Lambda does not let everybody call the URL",
            "give the permissions that are named at the function URL, or `sam deploy`",
        ),
        404 => Finding::wrong(link, format!("{url} answers 404: it is no URL of this function"), "`sam deploy`"),
        500.. => Finding::wrong(
            link,
            format!("the function failed with {status}: {}", reason(body)),
            format!("mend what is said above, or see why: {logs}"),
        ),
        _ => Finding::wrong(link, format!("it was answered with {status}: {}", reason(body)), logs),
    }
}

fn judge_forged(link: &str, answer: &Result<Answer, String>) -> Finding {
    match answer.as_ref().map(|answer| answer.status) {
        Ok(401) => Finding::ok(link, "it was refused"),
        Ok(status @ 200..300) => Finding::wrong(
            link,
            format!("it was accepted with {status}: whoever knows the URL can start pipelines"),
            "take its URL out of GitHub, and look at what answers there: it does not check signatures",
        ),
        // It came as far as the other one, and what that is has been said there.
        Ok(status) => Finding::not_checked(link, format!("it was answered with {status}, as the signed one")),
        Err(_) => Finding::not_checked(link, "the webhook can't be reached"),
    }
}

/// The reason that the function gives in its answer, or as much of another answer as helps.
fn reason(body: &str) -> String {
    const LONGEST: usize = 300;
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let body = answer["error"].as_str().unwrap_or(body);
    if body.chars().count() <= LONGEST {
        body.to_owned()
    } else {
        body.chars().take(LONGEST).collect::<String>() + "…"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_guessed_is_no_secret() {
        for weak in [
            "",
            "secret",
            "password",
            "hunter2hunter2",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "passwordpassword",
            "0101010110101010010",
        ] {
            assert!(weakness(weak).is_some(), "{weak}");
        }
        for good in ["It's a Secret to Everybody", "d3b07384d113edec49eaa6238ad5ff00", "correct horse battery"] {
            assert_eq!(weakness(good), None, "{good}");
        }
    }
}
