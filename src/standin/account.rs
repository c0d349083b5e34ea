//! Where everything stands: one account, one region.

/// The one region of the world.
pub const REGION: &str = "us-east-1";

/// The one account of the world.
pub const ACCOUNT: &str = "123456789012";
