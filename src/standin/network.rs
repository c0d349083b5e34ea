//! EC2 and Elastic Load Balancing, as far as they know where a service can be reached.

use super::account::{ACCOUNT, REGION};
use super::ecs::{Ecs, Interface, ServiceSpec};
use super::query::{Form, element, list, only, page, text, texts};
use super::wire::{AwsError, AwsService};

const SUBNET: &str = "subnet-0a1b2c3d4e5f60718";
const VPC: &str = "vpc-0a1b2c3d4e5f60718";
const GROUP: &str = "sg-0a1b2c3d4e5f60718";

/// EC2: the interfaces of tasks that live.
pub(crate) fn ec2(services: &Ecs, operation: &str, form: &Form, request_id: &str) -> Result<String, AwsError> {
    if operation != "DescribeNetworkInterfaces" {
        return Err(AwsService::Ec2.unknown(operation));
    }
    only(form, &["NetworkInterfaceId"], &["MaxResults", "NextToken"], "UnknownParameter")?;
    let ids = list(form, "NetworkInterfaceId");
    if let Some(id) = ids.iter().find(|id| !id.starts_with("eni-")) {
        let message = format!("Invalid id: \"{id}\" (expecting \"eni-...\")");
        return Err(AwsError::new("InvalidNetworkInterfaceId.Malformed", message));
    }
    let all = || services.interfaces().collect();
    let chosen = ids.iter().map(|id| {
        let gone = || {
            let message = format!("The networkInterface ID '{id}' does not exist");
            AwsError::new("InvalidNetworkInterfaceID.NotFound", message)
        };
        services.interfaces().find(|interface| interface.id == *id).ok_or_else(gone)
    });
    let chosen = if ids.is_empty() { all() } else { chosen.collect::<Result<Vec<_>, _>>()? };
    let field = |name: &str| form.get(name).map(String::as_str);
    if !ids.is_empty() && field("MaxResults").is_some() {
        let message = "The parameter MaxResults cannot be used with the parameter NetworkInterfaceIds";
        return Err(AwsError::new("InvalidParameterCombination", message));
    }
    let (chosen, next) = page(chosen, field("MaxResults"), 5..=1_000, field("NextToken")).ok_or_else(|| {
        AwsError::new("InvalidParameterValue", "MaxResults is not from 5 to 1000, or NextToken is not valid")
    })?;
    let items: String = chosen.iter().map(interface).collect();
    let next = next.map_or(String::new(), |next| text("nextToken", &next));
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <DescribeNetworkInterfacesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">{}{}{next}\
         </DescribeNetworkInterfacesResponse>",
        text("requestId", request_id),
        element("networkInterfaceSet", &items),
    ))
}

fn interface(interface: &Interface<'_>) -> String {
    let private_dns = format!("ip-{}.ec2.internal", interface.private_address.replace('.', "-"));
    let association = interface.public_address.map(|address| {
        let name = format!("ec2-{}.compute-1.amazonaws.com", address.replace('.', "-"));
        let fields = [("publicIp", address), ("publicDnsName", name.as_str()), ("ipOwnerId", "amazon")];
        element("association", &texts(&fields))
    });
    let association = association.unwrap_or_default();
    let zone = format!("{REGION}a");
    let address = texts(&[
        ("privateIpAddress", interface.private_address),
        ("privateDnsName", &private_dns),
        ("primary", "true"),
    ]);
    let fields = texts(&[
        ("networkInterfaceId", interface.id),
        ("subnetId", SUBNET),
        ("vpcId", VPC),
        ("availabilityZone", &zone),
        ("description", &format!("arn:aws:ecs:{REGION}:{ACCOUNT}:attachment/{}", interface.attachment)),
        ("ownerId", ACCOUNT),
        ("requesterManaged", "true"),
        ("status", "in-use"),
        ("macAddress", "02:42:ac:11:00:02"),
        ("privateIpAddress", interface.private_address),
        ("privateDnsName", &private_dns),
        ("sourceDestCheck", "true"),
        ("interfaceType", "interface"),
    ]);
    let group = element("groupSet", &element("item", &texts(&[("groupId", GROUP), ("groupName", "tasks")])));
    let addresses = element("privateIpAddressesSet", &element("item", &(address + &association)));
    element("item", &format!("{fields}{group}{association}{addresses}"))
}

/// Elastic Load Balancing: what stands in front of services.
pub(crate) fn elb(services: &Ecs, operation: &str, form: &Form, request_id: &str) -> Result<String, AwsError> {
    let balanced: Vec<_> = services.balanced().collect();
    let result = match operation {
        "DescribeTargetGroups" => {
            let fields = ["LoadBalancerArn", "PageSize", "Marker"];
            only(form, &["TargetGroupArns.member", "Names.member"], &fields, "ValidationError")?;
            let (arns, names) = (list(form, "TargetGroupArns.member"), list(form, "Names.member"));
            let balancer = form.get("LoadBalancerArn");
            known(balancer.map(String::as_str), &balanced, ServiceSpec::load_balancer_arn, "LoadBalancerNotFound")?;
            known(arns.iter().copied(), &balanced, ServiceSpec::target_group_arn, "TargetGroupNotFound")?;
            known(names.iter().copied(), &balanced, |spec| spec.name.clone(), "TargetGroupNotFound")?;
            let chosen = balanced.iter().filter(|(spec, _)| {
                (arns.is_empty() || arns.contains(&spec.target_group_arn().as_str()))
                    && (names.is_empty() || names.contains(&spec.name.as_str()))
                    && balancer.is_none_or(|balancer| *balancer == spec.load_balancer_arn())
            });
            paged("TargetGroups", chosen.map(|(spec, _)| target_group(spec)), form)?
        }
        "DescribeLoadBalancers" => {
            only(form, &["LoadBalancerArns.member", "Names.member"], &["PageSize", "Marker"], "ValidationError")?;
            let (arns, names) = (list(form, "LoadBalancerArns.member"), list(form, "Names.member"));
            known(arns.iter().copied(), &balanced, ServiceSpec::load_balancer_arn, "LoadBalancerNotFound")?;
            known(names.iter().copied(), &balanced, |spec| spec.name.clone(), "LoadBalancerNotFound")?;
            let chosen = balanced.iter().filter(|(spec, _)| {
                (arns.is_empty() || arns.contains(&spec.load_balancer_arn().as_str()))
                    && (names.is_empty() || names.contains(&spec.name.as_str()))
            });
            paged("LoadBalancers", chosen.map(|(spec, _)| load_balancer(spec)), form)?
        }
        "DescribeListeners" => {
            only(form, &[], &["LoadBalancerArn", "PageSize", "Marker"], "ValidationError")?;
            let Some(balancer) = form.get("LoadBalancerArn") else {
                let message = "You must specify either listener ARNs or a load balancer ARN";
                return Err(AwsError::new("ValidationError", message));
            };
            known([balancer.as_str()], &balanced, ServiceSpec::load_balancer_arn, "LoadBalancerNotFound")?;
            let chosen = balanced.iter().filter(|(spec, _)| *balancer == spec.load_balancer_arn());
            paged("Listeners", chosen.flat_map(|(spec, port)| listeners(spec, *port)), form)?
        }
        other => return Err(AwsService::Elb.unknown(other)),
    };
    Ok(format!(
        "<{operation}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\">{}{}\
         </{operation}Response>",
        element(&format!("{operation}Result"), &result),
        element("ResponseMetadata", &text("RequestId", request_id)),
    ))
}

/// A page of a list, with the marker of the next one.
fn paged(name: &str, items: impl Iterator<Item = String>, form: &Form) -> Result<String, AwsError> {
    let field = |name: &str| form.get(name).map(String::as_str);
    let (shown, next) = page(items.collect(), field("PageSize"), 1..=400, field("Marker"))
        .ok_or_else(|| AwsError::new("ValidationError", "PageSize is not from 1 to 400, or Marker is not valid"))?;
    Ok(element(name, &shown.concat()) + &next.map_or(String::new(), |next| text("NextMarker", &next)))
}

/// Refuses a name that nothing has.
fn known<'a>(
    wanted: impl IntoIterator<Item = &'a str>,
    balanced: &[(&ServiceSpec, u16)],
    name: impl Fn(&ServiceSpec) -> String,
    code: &'static str,
) -> Result<(), AwsError> {
    match wanted.into_iter().find(|wanted| !balanced.iter().any(|(spec, _)| name(spec) == *wanted)) {
        Some(missing) => Err(AwsError::new(code, format!("'{missing}' not found"))),
        None => Ok(()),
    }
}

fn target_group(spec: &ServiceSpec) -> String {
    let fields = texts(&[
        ("TargetGroupArn", &spec.target_group_arn()),
        ("TargetGroupName", &spec.name),
        ("Protocol", "HTTP"),
        ("Port", "3000"),
        ("VpcId", VPC),
        ("HealthCheckProtocol", "HTTP"),
        ("HealthCheckPort", "traffic-port"),
        ("HealthCheckEnabled", "true"),
        ("HealthCheckPath", "/healthz"),
        ("TargetType", "ip"),
    ]);
    let balancers = element("LoadBalancerArns", &text("member", &spec.load_balancer_arn()));
    element("member", &(fields + &balancers))
}

fn load_balancer(spec: &ServiceSpec) -> String {
    let fields = texts(&[
        ("LoadBalancerArn", &spec.load_balancer_arn()),
        ("DNSName", &spec.dns_name()),
        ("LoadBalancerName", &spec.name),
        ("Scheme", "internet-facing"),
        ("VpcId", VPC),
        ("Type", "application"),
        ("IpAddressType", "ipv4"),
    ]);
    let state = element("State", &text("Code", "active"));
    element("member", &(fields + &state))
}

/// One listener; where that one speaks HTTPS, another that sends everybody there.
fn listeners(spec: &ServiceSpec, port: u16) -> Vec<String> {
    let target = texts(&[("Type", "forward"), ("TargetGroupArn", &spec.target_group_arn())]);
    if port != 443 {
        return vec![listener(spec, "HTTP", port, &target, "")];
    }
    let certificate = format!("arn:aws:acm:{REGION}:{ACCOUNT}:certificate/12345678-1234-1234-1234-123456789012");
    let certificates = element("Certificates", &element("member", &text("CertificateArn", &certificate)));
    let policy = text("SslPolicy", "ELBSecurityPolicy-TLS13-1-2-2021-06");
    let there = texts(&[("Protocol", "HTTPS"), ("Port", "443"), ("StatusCode", "HTTP_301")]);
    let redirect = text("Type", "redirect") + &element("RedirectConfig", &there);
    vec![listener(spec, "HTTP", 80, &redirect, ""), listener(spec, "HTTPS", 443, &target, &(certificates + &policy))]
}

fn listener(spec: &ServiceSpec, protocol: &str, port: u16, action: &str, more: &str) -> String {
    let balancer = spec.load_balancer_arn();
    let arn = format!("{}/{port:016x}", balancer.replace(":loadbalancer/", ":listener/"));
    let fields = texts(&[
        ("ListenerArn", &arn),
        ("LoadBalancerArn", &balancer),
        ("Protocol", protocol),
        ("Port", &port.to_string()),
    ]);
    let actions = element("DefaultActions", &element("member", action));
    element("member", &format!("{fields}{more}{actions}"))
}
