//! EC2 and Elastic Load Balancing: where a service of ECS is reached from the internet.

use std::fmt::Display;

use aws_config::SdkConfig;

use super::signed::{Service, Signed};
use super::unread::Unread;
use super::xml::Element;
use crate::domain::address::{Listener, of_balancer};

const EC2: Service = Service { id: "EC2", name: "ec2", version: "2016-11-15" };
const BALANCERS: Service =
    Service { id: "Elastic Load Balancing v2", name: "elasticloadbalancing", version: "2015-12-01" };

/// A service has up to five target groups (ECS developer guide, service quotas), mostly behind one load balancer.
const MOST_BALANCERS: usize = 3;

#[derive(Clone, Debug)]
pub struct Addresses {
    ec2: Signed,
    balancers: Signed,
}

/// A load balancer that is reached from the internet.
#[derive(Debug, PartialEq, Eq)]
struct Balancer {
    arn: String,
    host: String,
}

impl Addresses {
    pub fn new(sdk_config: &SdkConfig) -> Self {
        Self { ec2: Signed::new(sdk_config, EC2), balancers: Signed::new(sdk_config, BALANCERS) }
    }

    /// The address of the load balancer behind which these target groups are; `None` where it is not reached from the
    /// internet, or does not lead to them by itself.
    pub async fn of_target_groups(&self, groups: &[String]) -> Result<Option<String>, Unread> {
        if groups.is_empty() {
            return Ok(None);
        }
        let parameters = members("TargetGroupArns.member", groups);
        let arns = balancer_arns(&self.balancers.query("DescribeTargetGroups", &parameters).await?);
        if arns.is_empty() {
            return Ok(None);
        }
        let parameters = members("LoadBalancerArns.member", &arns);
        let found = balancers(&self.balancers.query("DescribeLoadBalancers", &parameters).await?);
        for Balancer { arn, host } in found.iter().take(MOST_BALANCERS) {
            let parameters = [("LoadBalancerArn".to_owned(), arn.as_str())];
            let listeners = listeners(&self.balancers.query("DescribeListeners", &parameters).await?, groups);
            if let Some(address) = of_balancer(host, &listeners) {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    /// The public address of a network interface, where it has one.
    pub async fn public_ip(&self, interface: &str) -> Result<Option<String>, Unread> {
        let interfaces = [interface.to_owned()];
        let parameters = members("NetworkInterfaceId", &interfaces);
        Ok(public_ip(&self.ec2.query("DescribeNetworkInterfaces", &parameters).await?))
    }
}

/// A list, as the query protocols write it: `NAME.1`, `NAME.2` and so on.
fn members(name: impl Display, values: &[String]) -> Vec<(String, &str)> {
    let numbered = values.iter().enumerate();
    numbered.map(|(index, value)| (format!("{name}.{}", index + 1), value.as_str())).collect()
}

fn balancer_arns(answer: &Element) -> Vec<String> {
    let groups = answer.child("DescribeTargetGroupsResult").into_iter();
    let groups = groups.flat_map(|result| result.list("TargetGroups", "member"));
    let mut arns: Vec<String> = groups
        .flat_map(|group| group.list("LoadBalancerArns", "member"))
        .map(|arn| arn.own_text().to_owned())
        .filter(|arn| !arn.is_empty())
        .collect();
    arns.sort();
    arns.dedup();
    arns
}

fn balancers(answer: &Element) -> Vec<Balancer> {
    let found = answer.child("DescribeLoadBalancersResult").into_iter();
    let found = found.flat_map(|result| result.list("LoadBalancers", "member"));
    let public = found.filter(|balancer| balancer.text("Scheme") == Some("internet-facing"));
    public
        .filter_map(|balancer| {
            let text = |name| balancer.text(name).map(str::to_owned);
            Some(Balancer { arn: text("LoadBalancerArn")?, host: text("DNSName")? })
        })
        .collect()
}

fn listeners(answer: &Element, groups: &[String]) -> Vec<Listener> {
    let found = answer.child("DescribeListenersResult").into_iter();
    let found = found.flat_map(|result| result.list("Listeners", "member"));
    found
        .filter_map(|listener| {
            Some(Listener {
                protocol: listener.text("Protocol")?.to_owned(),
                port: listener.text("Port")?.parse().ok()?,
                leads_to_service: listener.list("DefaultActions", "member").any(|action| forwards(action, groups)),
            })
        })
        .collect()
}

/// Whether an action forwards to one of the groups: to it alone, or to several by their weights.
fn forwards(action: &Element, groups: &[String]) -> bool {
    let is_one = |target: &Element| {
        let arn = target.text("TargetGroupArn");
        arn.is_some_and(|arn| groups.iter().any(|group| group == arn)) && target.text("Weight") != Some("0")
    };
    let mut weighted =
        action.child("ForwardConfig").into_iter().flat_map(|config| config.list("TargetGroups", "member"));
    is_one(action) || weighted.any(is_one)
}

fn public_ip(answer: &Element) -> Option<String> {
    let mut interfaces = answer.list("networkInterfaceSet", "item");
    interfaces.find_map(|interface| Some(interface.child("association")?.text("publicIp")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Element {
        Element::parse(xml).unwrap()
    }

    #[test]
    fn lists_are_numbered() {
        let groups = ["a".to_owned(), "b".to_owned()];
        let parameters = members("TargetGroupArns.member", &groups);
        assert_eq!(
            parameters,
            [("TargetGroupArns.member.1".to_owned(), "a"), ("TargetGroupArns.member.2".to_owned(), "b")]
        );
    }

    #[test]
    fn the_load_balancers_of_target_groups_are_named_once() {
        let answer = parse(
            "<DescribeTargetGroupsResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">\
             <DescribeTargetGroupsResult><TargetGroups>\
             <member><Port>8080</Port><LoadBalancerArns><member>arn:b</member></LoadBalancerArns></member>\
             <member><LoadBalancerArns><member>arn:b</member><member>arn:a</member></LoadBalancerArns></member>\
             <member><LoadBalancerArns/></member>\
             </TargetGroups></DescribeTargetGroupsResult></DescribeTargetGroupsResponse>",
        );
        assert_eq!(balancer_arns(&answer), ["arn:a", "arn:b"]);
    }

    #[test]
    fn only_a_load_balancer_on_the_internet_counts() {
        let answer = parse(
            "<DescribeLoadBalancersResponse><DescribeLoadBalancersResult><LoadBalancers>\
             <member><LoadBalancerArn>arn:a</LoadBalancerArn><Scheme>internal</Scheme><DNSName>internal-a.elb</DNSName></member>\
             <member><LoadBalancerArn>arn:b</LoadBalancerArn><Scheme>internet-facing</Scheme><DNSName>b.elb</DNSName></member>\
             </LoadBalancers></DescribeLoadBalancersResult></DescribeLoadBalancersResponse>",
        );
        assert_eq!(balancers(&answer), [Balancer { arn: "arn:b".to_owned(), host: "b.elb".to_owned() }]);
    }

    #[test]
    fn a_listener_leads_where_its_default_actions_forward_to() {
        let answer = parse(
            "<DescribeListenersResponse><DescribeListenersResult><Listeners>\
             <member><Protocol>HTTP</Protocol><Port>80</Port><DefaultActions><member><Type>redirect</Type>\
             <RedirectConfig><Protocol>HTTPS</Protocol></RedirectConfig></member></DefaultActions></member>\
             <member><Protocol>HTTPS</Protocol><Port>443</Port><DefaultActions><member><Type>authenticate-oidc</Type></member>\
             <member><Type>forward</Type><TargetGroupArn>arn:tg</TargetGroupArn></member></DefaultActions></member>\
             <member><Protocol>HTTP</Protocol><Port>8080</Port><DefaultActions><member><Type>forward</Type><ForwardConfig>\
             <TargetGroups><member><TargetGroupArn>arn:other</TargetGroupArn><Weight>1</Weight></member>\
             <member><TargetGroupArn>arn:tg</TargetGroupArn><Weight>9</Weight></member></TargetGroups>\
             </ForwardConfig></member></DefaultActions></member>\
             <member><Protocol>HTTP</Protocol><Port>9000</Port><DefaultActions><member><Type>forward</Type>\
             <ForwardConfig><TargetGroups><member><TargetGroupArn>arn:tg</TargetGroupArn><Weight>0</Weight></member>\
             <member><TargetGroupArn>arn:other</TargetGroupArn><Weight>1</Weight></member></TargetGroups></ForwardConfig>\
             </member></DefaultActions></member>\
             </Listeners></DescribeListenersResult></DescribeListenersResponse>",
        );
        let found = listeners(&answer, &["arn:tg".to_owned()]);
        let ports: Vec<(u16, bool)> = found.iter().map(|listener| (listener.port, listener.leads_to_service)).collect();
        assert_eq!(ports, [(80, false), (443, true), (8080, true), (9000, false)]);
    }

    #[test]
    fn an_interface_has_a_public_address_where_it_is_associated_with_one() {
        let of = |association: &str| {
            public_ip(&parse(&format!(
                "<DescribeNetworkInterfacesResponse><networkInterfaceSet><item><privateIpAddress>10.0.0.1</privateIpAddress>\
                 {association}</item></networkInterfaceSet></DescribeNetworkInterfacesResponse>"
            )))
        };
        let associated = "<association><publicIp>203.0.113.7</publicIp><ipOwnerId>amazon</ipOwnerId></association>";
        assert_eq!(of(associated).as_deref(), Some("203.0.113.7"));
        assert_eq!(of(""), None);
    }
}
