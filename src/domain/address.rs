//! The address under which a service that was deployed answers.
//!
//! An address that leads elsewhere is worse than none, so only what is certain becomes one: a load balancer on the
//! internet whose listener sends to the service what no rule sends elsewhere, or a task with a public address of its own.
//! Whoever serves under a name of their own sets `environment_url`, which needs nothing of this.

use std::net::IpAddr;

/// A load balancer's listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// As Elastic Load Balancing calls it: `HTTP`, `HTTPS`, `TCP`, `TLS` and others (botocore: `ProtocolEnum`).
    pub protocol: String,
    pub port: u16,
    /// It forwards to the service what none of its rules takes.
    pub leads_to_service: bool,
}

/// A scheme and the port that goes without saying there.
const HTTPS: (&str, u16) = ("https", 443);
const HTTP: (&str, u16) = ("http", 80);

/// The address behind a load balancer, by its name and its listeners. One with TLS is preferred, for the other then leads
/// there at best; and of two, the one at the usual port.
pub fn of_balancer(host: &str, listeners: &[Listener]) -> Option<String> {
    let leading = listeners.iter().filter(|listener| listener.leads_to_service);
    let found = leading.filter_map(|listener| Some((scheme(listener)?, listener.port)));
    let ((scheme, usual), port) =
        found.min_by_key(|((scheme, usual), port)| (*scheme == HTTP.0, port != usual, *port))?;
    Some(address(scheme, usual, host, port))
}

/// What a listener speaks. One of a network load balancer passes on whatever it is; at the usual ports that is the web.
fn scheme(listener: &Listener) -> Option<(&'static str, u16)> {
    match (listener.protocol.as_str(), listener.port) {
        ("HTTPS", _) | ("TLS" | "TCP" | "TCP_UDP", 443) => Some(HTTPS),
        ("HTTP", _) | ("TCP" | "TCP_UDP", 80) => Some(HTTP),
        _ => None,
    }
}

/// The address of a task: its public address, and the port that its container listens on.
pub fn of_task(public: &str, port: u16) -> Option<String> {
    let host = match public.parse().ok()? {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    };
    let (scheme, usual) = if port == HTTPS.1 { HTTPS } else { HTTP };
    Some(address(scheme, usual, &host, port))
}

fn address(scheme: &str, usual: u16, host: &str, port: u16) -> String {
    if port == usual { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(listeners: &[(&str, u16, bool)]) -> Option<String> {
        let listeners: Vec<Listener> = listeners
            .iter()
            .map(|(protocol, port, leads_to_service)| Listener {
                protocol: (*protocol).to_owned(),
                port: *port,
                leads_to_service: *leads_to_service,
            })
            .collect();
        of_balancer("app.example.com", &listeners)
    }

    #[test]
    fn a_load_balancers_address_is_where_it_leads_to_the_service() {
        let both = [("HTTP", 80, true), ("HTTPS", 443, true)];
        assert_eq!(behind(&both).as_deref(), Some("https://app.example.com"));
        let redirects = [("HTTP", 80, false), ("HTTPS", 8443, true)];
        assert_eq!(behind(&redirects).as_deref(), Some("https://app.example.com:8443"));
        let ports = [("HTTP", 8080, true), ("HTTP", 80, true)];
        assert_eq!(behind(&ports).as_deref(), Some("http://app.example.com"));
        assert_eq!(behind(&[("HTTP", 3000, true)]).as_deref(), Some("http://app.example.com:3000"));
        let network = [("TCP", 6379, true), ("TCP", 443, true), ("UDP", 53, true)];
        assert_eq!(behind(&network).as_deref(), Some("https://app.example.com"));
    }

    #[test]
    fn a_load_balancer_that_leads_elsewhere_is_no_address() {
        assert_eq!(behind(&[("HTTPS", 443, false), ("TCP", 6379, true)]), None);
        assert_eq!(behind(&[]), None);
    }

    #[test]
    fn a_tasks_address_has_the_port_that_it_listens_on() {
        assert_eq!(of_task("203.0.113.7", 8080).as_deref(), Some("http://203.0.113.7:8080"));
        assert_eq!(of_task("203.0.113.7", 80).as_deref(), Some("http://203.0.113.7"));
        assert_eq!(of_task("203.0.113.7", 443).as_deref(), Some("https://203.0.113.7"));
        assert_eq!(of_task("2001:db8::7", 8080).as_deref(), Some("http://[2001:db8::7]:8080"));
        assert_eq!(of_task("not an address", 80), None);
    }
}
