//! What every service's answers have in common.

use serde_json::Value;

/// The value without its null members, however deep: in these protocols an absent member is never a null.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, member)| !member.is_null());
            Value::Object(kept.map(|(name, member)| (name, without_nulls(member))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// The texts of a list; nothing where it is none.
pub(crate) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nulls_are_left_out_at_every_depth_and_empty_lists_stay() {
        let value = json!({"a": null, "b": [{"c": null, "d": 1}], "e": []});
        assert_eq!(without_nulls(value), json!({"b": [{"d": 1}], "e": []}));
    }
}
