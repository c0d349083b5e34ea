//! Where everything stands: one account, one region.

/// The one region of the world.
pub const REGION: &str = "us-east-1";

/// The one account of the world.
pub const ACCOUNT: &str = "123456789012";

/// The connection to GitHub of every pipeline that names no other.
pub fn connection_arn() -> String {
    format!("arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/5f2c8d1e-0000-4000-8000-000000000001")
}
