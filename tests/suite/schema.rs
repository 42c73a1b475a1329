//! Our `.proto` files against the official schema, recorded from the descriptors of the Python package `yandexcloud`.

use datasphere_exporter::proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto,
    FileDescriptorSet, MessageOptions, MethodOptions,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What is official and left out on purpose: services that nothing here calls, with their messages.
const LEFT_OUT: &[&str] = &[
    "yandex.cloud.datasphere.v1.NodeService",
    "yandex.cloud.datasphere.v1.NodeExecutionRe",
    "yandex.cloud.datasphere.v1.AliasExecutionRe",
    "yandex.cloud.datasphere.v1.Project.",
    "yandex.cloud.datasphere.v1.ProjectService",
    "yandex.cloud.datasphere.v1.CreateProject",
    "yandex.cloud.datasphere.v1.DeleteProject",
    "yandex.cloud.datasphere.v1.GetProject",
    "yandex.cloud.datasphere.v1.GetUnitBalance",
    "yandex.cloud.datasphere.v1.ListProjects",
    "yandex.cloud.datasphere.v1.OpenProject",
    "yandex.cloud.datasphere.v1.SetUnitBalance",
    "yandex.cloud.datasphere.v1.UpdateProject",
    "yandex.cloud.datasphere.v2.AddCommunityResource",
    "yandex.cloud.datasphere.v2.CreateCommunity",
    "yandex.cloud.datasphere.v2.DeleteCommunity",
    "yandex.cloud.datasphere.v2.GetCommunityRestrictions",
    "yandex.cloud.datasphere.v2.RemoveCommunityResource",
    "yandex.cloud.datasphere.v2.SetCommunity",
    "yandex.cloud.datasphere.v2.UpdateCommunity",
];
/// Exact names left out that are also the beginning of declared ones.
const LEFT_OUT_EXACTLY: &[&str] = &["yandex.cloud.datasphere.v1.Project"];
/// The methods declared of a service that is not declared whole.
const PARTIAL: &[(&str, &[&str])] = &[("yandex.cloud.datasphere.v2.CommunityService", &["Get", "List"])];

#[derive(Deserialize)]
struct Schema {
    services: BTreeMap<String, Service>,
    messages: BTreeMap<String, MessageType>,
    enums: BTreeMap<String, EnumType>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Service {
    file: String,
    methods: Vec<Method>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Method {
    name: String,
    input: String,
    output: String,
    client_streaming: bool,
    server_streaming: bool,
    #[serde(default)]
    deprecated: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
struct MessageType {
    file: String,
    map_entry: bool,
    fields: Vec<Field>,
    oneofs: Vec<String>,
    reserved: Vec<[i32; 2]>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Field {
    name: String,
    number: i32,
    #[serde(rename = "type")]
    kind: String,
    label: String,
    #[serde(default)]
    type_name: String,
    oneof: Option<String>,
    #[serde(default)]
    proto3_optional: bool,
    #[serde(default)]
    deprecated: bool,
}

#[derive(Debug, Deserialize, PartialEq)]
struct EnumType {
    file: String,
    values: Vec<EnumValue>,
    reserved: Vec<[i32; 2]>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct EnumValue {
    name: String,
    number: i32,
}

#[test]
fn every_declared_message_is_the_official_one_field_by_field() {
    let (official, declared) = (official(), declared());
    assert!(
        declared.messages.len() > 100,
        "only {} messages are declared",
        declared.messages.len()
    );
    for (name, ours) in &declared.messages {
        let theirs = official
            .messages
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not an official message"));
        assert_eq!(by_number(ours), by_number(theirs), "fields of {name}");
        assert_eq!(ours.file, theirs.file, "file of {name}");
        assert_eq!(sorted(&ours.oneofs), sorted(&theirs.oneofs), "oneofs of {name}");
        assert_eq!(ours.reserved, theirs.reserved, "reserved numbers of {name}");
        assert_eq!(ours.map_entry, theirs.map_entry, "{name}");
    }
}

#[test]
fn every_declared_enum_is_the_official_one_value_by_value() {
    let (official, declared) = (official(), declared());
    assert!(
        declared.enums.len() > 10,
        "only {} enums are declared",
        declared.enums.len()
    );
    for (name, ours) in &declared.enums {
        assert_eq!(Some(ours), official.enums.get(name), "enum {name}");
    }
}

#[test]
fn every_declared_method_is_the_official_one_and_none_is_missing() {
    let (official, declared) = (official(), declared());
    for (name, ours) in &declared.services {
        let theirs = official
            .services
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not an official service"));
        let partial = PARTIAL
            .iter()
            .find(|(service, _)| service == name)
            .map(|(_, methods)| *methods);
        let wanted: Vec<Method> = theirs
            .methods
            .iter()
            .filter(|method| partial.is_none_or(|kept| kept.contains(&method.name.as_str())))
            .cloned()
            .collect();
        assert_eq!(ours.methods, wanted, "methods of {name}");
        assert_eq!(ours.file, theirs.file, "file of {name}");
    }
}

#[test]
fn what_is_official_and_not_declared_is_left_out_by_name() {
    let (official, declared) = (official(), declared());
    let names = |schema: &Schema| -> BTreeSet<String> {
        schema
            .services
            .keys()
            .chain(schema.messages.keys())
            .chain(schema.enums.keys())
            .cloned()
            .collect()
    };
    let missing: Vec<String> = names(&official)
        .difference(&names(&declared))
        .filter(|name| !LEFT_OUT_EXACTLY.contains(&name.as_str()))
        .filter(|name| !LEFT_OUT.iter().any(|prefix| name.starts_with(prefix)))
        .cloned()
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

fn by_number(message: &MessageType) -> BTreeMap<i32, &Field> {
    message.fields.iter().map(|field| (field.number, field)).collect()
}

fn sorted(names: &[String]) -> BTreeSet<&String> {
    names.iter().collect()
}

fn official() -> Schema {
    serde_json::from_str(include_str!("../fixtures/schema.json")).unwrap()
}

fn declared() -> Schema {
    let mut schema = Schema {
        services: BTreeMap::new(),
        messages: BTreeMap::new(),
        enums: BTreeMap::new(),
    };
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    for file in &set.file {
        if !["google.protobuf", "io.prometheus.client"].contains(&file.package()) {
            add_file(&mut schema, file);
        }
    }
    schema
}

fn add_file(schema: &mut Schema, file: &FileDescriptorProto) {
    for service in &file.service {
        let methods = service
            .method
            .iter()
            .map(|method| Method {
                name: method.name().to_owned(),
                input: plain(method.input_type()),
                output: plain(method.output_type()),
                client_streaming: method.client_streaming(),
                server_streaming: method.server_streaming(),
                deprecated: method.options.as_ref().is_some_and(MethodOptions::deprecated),
            })
            .collect();
        let name = format!("{}.{}", file.package(), service.name());
        schema.services.insert(
            name,
            Service {
                file: file.name().to_owned(),
                methods,
            },
        );
    }
    for item in &file.enum_type {
        add_enum(schema, file, file.package(), item);
    }
    for item in &file.message_type {
        add_message(schema, file, file.package(), item);
    }
}

fn add_message(schema: &mut Schema, file: &FileDescriptorProto, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    for item in &message.enum_type {
        add_enum(schema, file, &name, item);
    }
    for item in &message.nested_type {
        add_message(schema, file, &name, item);
    }
    let declared = MessageType {
        file: file.name().to_owned(),
        map_entry: message.options.as_ref().is_some_and(MessageOptions::map_entry),
        fields: message
            .field
            .iter()
            .map(|field| field_of(message, field))
            .collect(),
        oneofs: message
            .oneof_decl
            .iter()
            .map(|oneof| oneof.name().to_owned())
            .collect(),
        // The end of a reserved range of a message is exclusive in a descriptor.
        reserved: message
            .reserved_range
            .iter()
            .map(|range| [range.start(), range.end() - 1])
            .collect(),
    };
    schema.messages.insert(name, declared);
}

fn add_enum(schema: &mut Schema, file: &FileDescriptorProto, scope: &str, item: &EnumDescriptorProto) {
    let declared = EnumType {
        file: file.name().to_owned(),
        values: item
            .value
            .iter()
            .map(|value| EnumValue {
                name: value.name().to_owned(),
                number: value.number(),
            })
            .collect(),
        // The end of a reserved range of an enum is inclusive in a descriptor.
        reserved: item
            .reserved_range
            .iter()
            .map(|range| [range.start(), range.end()])
            .collect(),
    };
    schema.enums.insert(format!("{scope}.{}", item.name()), declared);
}

fn field_of(message: &DescriptorProto, field: &FieldDescriptorProto) -> Field {
    let oneof = field.oneof_index.map(|index| {
        message.oneof_decl[usize::try_from(index).unwrap()]
            .name()
            .to_owned()
    });
    Field {
        name: field.name().to_owned(),
        number: field.number(),
        kind: Type::try_from(field.r#type.unwrap())
            .unwrap()
            .as_str_name()
            .trim_start_matches("TYPE_")
            .to_lowercase(),
        label: match field.label() {
            Label::Repeated => "repeated",
            Label::Required => "required",
            Label::Optional => "optional",
        }
        .to_owned(),
        type_name: plain(field.type_name()),
        oneof,
        proto3_optional: field.proto3_optional(),
        deprecated: field.options.as_ref().is_some_and(FieldOptions::deprecated),
    }
}

/// A type name as people write it, without the leading dot of descriptors.
fn plain(name: &str) -> String {
    name.trim_start_matches('.').to_owned()
}
