//! Where in a configuration's text its routes and their keys stand.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use toml::de::{DeTable, DeValue};

/// Where a route stands.
#[derive(Debug, Default)]
pub(super) struct RoutePlace {
    /// The line where it begins.
    pub(super) line: usize,
    /// The lines of each of its keys.
    keys: BTreeMap<String, RangeInclusive<usize>>,
}

impl RoutePlace {
    /// Of a route that stands nowhere.
    pub(super) const fn nowhere() -> Self {
        Self { line: 0, keys: BTreeMap::new() }
    }

    /// The lines of a key; `None` where it is left out.
    pub(super) fn lines_of(&self, key: &str) -> Option<RangeInclusive<usize>> {
        self.keys.get(key).cloned()
    }
}

/// The places of all routes, in the order of the configuration. Nothing of what is no TOML.
pub(super) fn of_routes(text: &str) -> Vec<RoutePlace> {
    let Ok(file) = DeTable::parse(text) else { return Vec::new() };
    let line = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let routes = file.get_ref().get("route").and_then(|routes| routes.get_ref().as_array());
    let of_route = |route: &toml::Spanned<DeValue<'_>>| {
        let keys = route.get_ref().as_table().into_iter().flatten().map(|(key, value)| {
            let (first, last) = (key.span().start, value.span().end);
            (key.get_ref().to_string(), line(first)..=line(last.saturating_sub(1)))
        });
        RoutePlace { line: line(route.span().start), keys: keys.collect() }
    };
    routes.into_iter().flat_map(|routes| routes.iter()).map(of_route).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_where_it_is_written_however_a_route_is_written() {
        let text = "[github]\nreport = \"checks\"\n\n[[route]]\nrepository = \"o/r\"\nbranches = [\n  \"main\",\n]\n\
                    pipeline = \"p\"\n[route.variables]\nA = \"b\"\n[[route]]\nrepository = \"o/r\"\n";
        let routes = of_routes(text);
        assert_eq!(routes.iter().map(|route| route.line).collect::<Vec<_>>(), [4, 12]);
        assert_eq!(routes[0].lines_of("repository"), Some(5..=5));
        assert_eq!(routes[0].lines_of("branches"), Some(6..=8));
        assert_eq!(routes[0].lines_of("tags"), None);
        assert_eq!(routes[1].lines_of("repository"), Some(13..=13));
        let inline = of_routes("route = [\n  { repository = \"o/r\", pipeline = \"p\" },\n]");
        assert_eq!((inline[0].line, inline[0].lines_of("pipeline")), (2, Some(2..=2)));
        assert!(of_routes("[[route").is_empty());
    }
}
