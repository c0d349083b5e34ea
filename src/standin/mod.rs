//! In-memory stand-ins for AWS and GitHub that speak their wire protocols.
