//! STS: who asks.

use aws_config::SdkConfig;

use crate::aws::signed::{Service, Signed};
use crate::aws::unread::Unread;

const SERVICE: Service = Service { id: "STS", name: "sts", version: "2011-06-15" };

/// Whose credentials these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
}

/// Asks who asks. No policy can forbid it.
///
/// # Errors
/// Where the credentials are not good, or AWS is out of reach.
pub(crate) async fn caller(sdk_config: &SdkConfig) -> Result<Caller, Unread> {
    let answer = Signed::new(sdk_config, SERVICE).query("GetCallerIdentity", &[]).await?;
    let result = answer.child("GetCallerIdentityResult");
    let text = |name| result.and_then(|result| result.text(name)).unwrap_or_default().to_owned();
    Ok(Caller { account: text("Account"), arn: text("Arn") })
}
