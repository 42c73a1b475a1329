//! Messages as JSON: <https://protobuf.dev/programming-guides/json/>, in one of its styles.

use crate::proto::google::rpc;
use crate::simulator::rest::POOL;
use crate::simulator::scenario::RestStyle;
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::{Value, json};
use tonic::Status;

/// Prints messages in one style.
pub(crate) struct Printer(RestStyle);

impl Printer {
    pub(crate) fn new(style: RestStyle) -> Self {
        Self(style)
    }

    /// A message; `None` when it is damaged, or holds a type that nobody knows: the gateway fails then, too.
    pub(crate) fn print(&self, descriptor: MessageDescriptor, bytes: &[u8]) -> Option<Value> {
        let message = DynamicMessage::decode(descriptor, bytes).ok()?;
        let style = &self.0;
        let options = SerializeOptions::new()
            .stringify_64_bit_integers(style.quoted_integers)
            .use_enum_numbers(style.enum_numbers)
            .skip_default_fields(!style.defaults);
        let mut json = message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .ok()?;
        if !style.types {
            remove_types(&mut json);
        }
        Some(json)
    }

    /// The body of an answer that is not OK.
    pub(crate) fn error(&self, status: &Status, request_id: &str) -> Value {
        let mut told = rpc::Status::decode(status.details()).unwrap_or_default();
        told.code = status.code().into();
        status.message().clone_into(&mut told.message);
        if !request_id.is_empty() {
            told.details.push(packed(&rpc::RequestInfo {
                request_id: request_id.to_owned(),
                serving_data: String::new(),
            }));
        }
        let descriptor = POOL.get_message_by_name(&rpc::Status::full_name());
        descriptor
            .and_then(|descriptor| self.print(descriptor, &told.encode_to_vec()))
            .unwrap_or_else(|| json!({"code": told.code, "message": told.message}))
    }
}

fn packed<M: Message + Name>(message: &M) -> prost_types::Any {
    prost_types::Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}

fn remove_types(json: &mut Value) {
    match json {
        Value::Object(members) => {
            members.remove("@type");
            members.values_mut().for_each(remove_types);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_types),
        _ => {}
    }
}
