//! Compiles the `.proto` files, without a `protoc` on the machine.
//!
//! protox parses them into a `FileDescriptorSet`; that set is kept beside the generated code, for the test that
//! compares it with the official schema, and then drives prost and tonic.

use prost::Message;
use prost_types::FileDescriptorSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

const PROTO_ROOT: &str = "proto";

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script where to write by environment only"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO_ROOT}");
    tell_origin()?;
    let mut descriptors = protox::compile(proto_files(Path::new(PROTO_ROOT))?, [PROTO_ROOT])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(
        out.join("descriptors.bin"),
        without_source(descriptors.clone()).encode_to_vec(),
    )?;

    // A deprecated field still arrives from servers and must be read and served; the attribute would only ask for
    // an exception at each of those places.
    for message in descriptors
        .file
        .iter_mut()
        .flat_map(|file| &mut file.message_type)
    {
        for field in &mut message.field {
            field.options = None;
        }
    }
    for method in descriptors
        .file
        .iter_mut()
        .flat_map(|file| &mut file.service)
        .flat_map(|service| &mut service.method)
    {
        method.options = None;
    }
    // Names let a message be packed into an `Any`; stubs let a server implement only what it is asked for.
    let mut config = tonic_prost_build::Config::new();
    config
        .enable_type_names()
        .type_name_domain(["."], "type.googleapis.com");
    tonic_prost_build::configure()
        .generate_default_stubs(true)
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}

/// Every `.proto` below the folder, in a stable order.
fn proto_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(proto_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The set without positions and comments, which only code generation needs.
fn without_source(mut descriptors: FileDescriptorSet) -> FileDescriptorSet {
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    descriptors
}

/// Tells the program which compiler and which commit it comes from; a tree without git comes from an unknown one.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells which compiler it uses by environment only"
)]
fn tell_origin() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=.git/HEAD");
    println!("cargo::rerun-if-env-changed=DATASPHERE_EXPORTER_REVISION");
    let first_line = |program: &str, arguments: &[&str]| {
        let output = Command::new(program)
            .args(arguments)
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
    };
    let rustc = env::var("RUSTC")?;
    let rustc_version = first_line(&rustc, &["--version"]).unwrap_or_default();
    let rustc_version = rustc_version.split(' ').nth(1).unwrap_or("unknown");
    println!("cargo::rustc-env=DATASPHERE_EXPORTER_RUSTC_VERSION={rustc_version}");
    let given = env::var("DATASPHERE_EXPORTER_REVISION").ok();
    let revision = given.or_else(|| first_line("git", &["rev-parse", "--short=12", "HEAD"]));
    println!(
        "cargo::rustc-env=DATASPHERE_EXPORTER_REVISION={}",
        revision.as_deref().unwrap_or("unknown")
    );
    Ok(())
}
