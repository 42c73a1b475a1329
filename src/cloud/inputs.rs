//! What a notebook is given when it is started.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::{Map, Value as Json};
use std::fmt;

/// Values for variables of a notebook, by name. They may be secrets: `Debug` tells the names alone.
#[derive(Clone, Default, PartialEq)]
pub struct Inputs(Map<String, Json>);

impl Inputs {
    /// The same as the API's own message.
    pub(crate) fn message(&self) -> Option<Struct> {
        (!self.0.is_empty()).then(|| fields(&self.0))
    }
}

impl From<Map<String, Json>> for Inputs {
    fn from(values: Map<String, Json>) -> Self {
        Self(values)
    }
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// As deep as the JSON was, whose parser bounds its depth.
fn fields(values: &Map<String, Json>) -> Struct {
    let fields = values
        .iter()
        .map(|(name, json)| (name.clone(), value(json)))
        .collect();
    Struct { fields }
}

fn value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(flag) => Kind::BoolValue(*flag),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(items) => Kind::ListValue(ListValue {
            values: items.iter().map(value).collect(),
        }),
        Json::Object(values) => Kind::StructValue(fields(values)),
    };
    Value { kind: Some(kind) }
}

/// A message of values as JSON; whole numbers stay whole.
pub(crate) fn to_json(values: &Struct) -> Json {
    let values = values.fields.iter();
    Json::Object(
        values
            .map(|(name, value)| (name.clone(), json_value(value)))
            .collect(),
    )
}

fn json_value(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(flag)) => Json::Bool(*flag),
        Some(Kind::NumberValue(number)) => number_value(*number),
        Some(Kind::StringValue(text)) => Json::String(text.clone()),
        Some(Kind::ListValue(list)) => list.values.iter().map(json_value).collect(),
        Some(Kind::StructValue(values)) => to_json(values),
    }
}

fn number_value(number: f64) -> Json {
    let whole = (number.fract() == 0.0)
        .then(|| format!("{number:.0}").parse::<i64>().ok())
        .flatten();
    whole.map_or_else(|| Json::from(number), Json::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_of_inputs_may_be_shown_and_values_may_not() {
        let Json::Object(values) = json!({"password": "canary", "deep": {"er": [1, "canary", null, true]}})
        else {
            unreachable!("an object")
        };
        let inputs = Inputs::from(values);
        assert_eq!(format!("{inputs:?}"), r#"{"deep", "password"}"#);
        let message = inputs.message().expect("not empty");
        assert_eq!(message.fields["password"], value(&json!("canary")));
        assert_eq!(
            to_json(&message),
            json!({"password": "canary", "deep": {"er": [1, "canary", null, true]}})
        );
        assert_eq!(Inputs::default().message(), None);
    }
}
