//! The generated types, clients and servers of the API, and the exposition format of Prometheus.
//!
//! In: the files under `proto/`, compiled by `build.rs`. Out: one module per package, at the package's path.
//! Never: logic written by hand; meaning is given to these types in `decode`.

#![expect(
    missing_docs,
    unused_qualifications,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::as_conversions,
    clippy::module_inception,
    reason = "generated code: what a field means is told in the .proto files where the name does not tell it"
)]

/// Packages of Yandex Cloud.
pub mod yandex {
    /// Packages of the cloud's services.
    pub mod cloud {
        /// Who holds which role.
        pub mod access {
            tonic::include_proto!("yandex.cloud.access");
        }
        /// `DataSphere`.
        pub mod datasphere {
            /// The first version, of which only notebook executions are declared.
            pub mod v1 {
                tonic::include_proto!("yandex.cloud.datasphere.v1");
            }
            /// Communities, projects, notebooks.
            pub mod v2 {
                tonic::include_proto!("yandex.cloud.datasphere.v2");

                /// Jobs.
                pub mod jobs {
                    tonic::include_proto!("yandex.cloud.datasphere.v2.jobs");
                }
            }
        }
        /// Discovery of addresses.
        pub mod endpoint {
            tonic::include_proto!("yandex.cloud.endpoint");
        }
        /// Identity.
        pub mod iam {
            /// IAM tokens.
            pub mod v1 {
                tonic::include_proto!("yandex.cloud.iam.v1");
            }
        }
        /// Operations of every service.
        pub mod operation {
            tonic::include_proto!("yandex.cloud.operation");
        }
    }
}

/// Packages of Google that the API builds on.
pub mod google {
    /// Errors as messages.
    pub mod rpc {
        tonic::include_proto!("google.rpc");
    }
}

/// Packages of Prometheus.
pub mod io {
    /// Packages of Prometheus.
    pub mod prometheus {
        /// The exposition format in protobuf.
        pub mod client {
            tonic::include_proto!("io.prometheus.client");
        }
    }
}

/// The encoded `FileDescriptorSet` of everything above and of what it imports.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
