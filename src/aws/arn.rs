//! What an ARN says: `arn:aws:ecs:eu-west-1:111122223333:service/main/node-server`.

/// The account of what it names.
pub(super) fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_account_has_none() {
        assert_eq!(account("arn:aws:iam::111122223333:role/deploy"), Some("111122223333"));
        assert_eq!(account("arn:aws:s3:::bucket"), None);
        assert_eq!(account("node-server"), None);
    }
}
