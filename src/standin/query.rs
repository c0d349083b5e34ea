//! AWS's older protocols: a form goes in, XML comes out. EC2 and Elastic Load Balancing still speak them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::RangeInclusive;

use bytes::Bytes;
use http::Request;

use super::wire::AwsError;

/// The fields of a form.
pub(crate) type Form = BTreeMap<String, String>;

/// What a request's body holds as a form; `None` where its content type says that it is none.
pub(crate) fn form(request: &Request<Bytes>) -> Option<Form> {
    let content_type = request.headers().get(http::header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = content_type.split(';').next().map(str::trim);
    let fields = || form_urlencoded::parse(request.body()).into_owned().collect();
    (kind == Some("application/x-www-form-urlencoded")).then(fields)
}

/// The items of a list, `PREFIX.1`, `PREFIX.2`, in their order.
pub(crate) fn list<'a>(form: &'a Form, prefix: &str) -> Vec<&'a str> {
    let number = |name: &str| name.strip_prefix(prefix)?.strip_prefix('.')?.parse::<u32>().ok();
    let mut items: Vec<_> = form.iter().filter_map(|(name, value)| Some((number(name)?, value.as_str()))).collect();
    items.sort_unstable();
    items.into_iter().map(|(_, value)| value).collect()
}

/// Refuses a field that the operation does not have, or that is not stood in for.
pub(crate) fn only(form: &Form, lists: &[&str], fields: &[&str], code: &'static str) -> Result<(), AwsError> {
    let known = |name: &str| {
        let of_list = |prefix: &&str| {
            name.strip_prefix(*prefix).and_then(|rest| rest.strip_prefix('.')).is_some_and(|n| n.parse::<u32>().is_ok())
        };
        ["Action", "Version"].contains(&name) || fields.contains(&name) || lists.iter().any(of_list)
    };
    match form.keys().find(|name| !known(name)) {
        Some(name) => Err(AwsError::new(code, format!("The parameter {name} is not recognized"))),
        None => Ok(()),
    }
}

/// The items of a list that one answer holds, and the token for those after them; all items where no size is given. The
/// token says how many items came before. `None` where the size is out of its bounds, or the token is none.
pub(crate) fn page<T>(
    items: Vec<T>,
    size: Option<&str>,
    bounds: RangeInclusive<usize>,
    token: Option<&str>,
) -> Option<(Vec<T>, Option<String>)> {
    let size = match size {
        Some(size) => size.parse().ok().filter(|size| bounds.contains(size))?,
        None => usize::MAX,
    };
    let from = match token {
        Some(token) => token.strip_prefix("after-")?.parse().ok().filter(|from| *from <= items.len())?,
        None => 0,
    };
    let left = items.len() - from;
    let next = (left > size).then(|| format!("after-{}", from + size));
    Some((items.into_iter().skip(from).take(size).collect(), next))
}

/// An element that holds other elements.
pub(crate) fn element(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

/// An element that holds a text.
pub(crate) fn text(name: &str, value: &str) -> String {
    element(name, &escape(value))
}

/// Elements that each hold a text, in a row.
pub(crate) fn texts(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| text(name, value)).collect()
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no other way to hold a control character, and a text may break its line.
            control if control.is_ascii_control() => drop(write!(escaped, "&#{};", u32::from(control))),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Form {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_list_is_in_the_order_of_its_numbers() {
        let form = fields(&[("Id.10", "c"), ("Id.2", "b"), ("Id.1", "a"), ("Id", "x"), ("Idle.1", "y")]);
        assert_eq!(list(&form, "Id"), ["a", "b", "c"]);
    }

    #[test]
    fn an_unknown_field_is_refused_by_its_name() {
        let form = fields(&[("Action", "A"), ("Version", "1"), ("Id.1", "a"), ("Marker", "m")]);
        assert_eq!(only(&form, &["Id"], &["Marker"], "Unknown"), Ok(()));
        let error = only(&form, &["Id"], &[], "Unknown").unwrap_err();
        assert!(error.message.contains("Marker"), "{}", error.message);
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all = || vec![1, 2, 3];
        let (first, token) = page(all(), Some("2"), 1..=400, None).unwrap();
        assert_eq!(first, [1, 2]);
        assert_eq!(page(all(), Some("2"), 1..=400, token.as_deref()), Some((vec![3], None)));
        assert_eq!(page(all(), None, 1..=400, None), Some((all(), None)));
        for (size, token) in [(Some("0"), None), (Some("401"), None), (Some("two"), None), (None, Some("after-4"))] {
            assert_eq!(page(all(), size, 1..=400, token), None, "{size:?} {token:?}");
        }
    }

    #[test]
    fn what_xml_reserves_is_escaped() {
        assert_eq!(text("a", "<\"b\" & 'c'>\n"), "<a>&lt;&quot;b&quot; &amp; 'c'&gt;&#10;</a>");
    }
}
