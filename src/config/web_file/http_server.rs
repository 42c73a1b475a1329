//! The section `http_server_config` of the web configuration.

use crate::config::error::Invalid;
use crate::config::node::Node;
use crate::config::setting::{Any, Setting, section, text, unexpected};
use crate::config::value::choice;
use crate::config::yaml::Yaml;
use http::{HeaderName, HeaderValue, header};

section! {
    /// How HTTP is spoken.
    HttpServer {
        /// Whether HTTP/2 is spoken with clients that want it; over TLS only.
        http2: bool = true, Any;
        /// See the section.
        headers: Headers = Headers::default(), Any;
    }
}

section! {
    /// Headers of every answer, in place of the server's own of that name; left out where they are empty. Others than
    /// these cannot be set.
    Headers {
        /// What a page may load, and from where.
        content_security_policy as "Content-Security-Policy": Option<HeaderText> = None, Any;
        /// Whether a page may be shown within another.
        frame_options as "X-Frame-Options": Option<FrameOptions> = None, Any;
        /// Whether browsers may guess a type; never, in any case.
        content_type_options as "X-Content-Type-Options": Option<ContentTypeOptions> = None, Any;
        /// A filter of old browsers.
        xss_protection as "X-XSS-Protection": Option<HeaderText> = None, Any;
        /// For how long browsers call this host by https only: all that it serves, and not this port alone.
        strict_transport_security as "Strict-Transport-Security": Option<HeaderText> = None, Any;
    }
}

choice! {
    /// Whether a page may be shown within another.
    pub(crate) FrameOptions {
        /// Never.
        Deny = "deny",
        /// Within one of the same origin.
        SameOrigin = "sameorigin",
    }
}

choice! {
    /// Whether browsers may guess a type.
    pub(crate) ContentTypeOptions {
        /// Never.
        NoSniff = "nosniff",
    }
}

/// What a header can carry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeaderText(HeaderValue);

impl Setting for HeaderText {
    fn kind() -> String {
        "one line of visible ASCII".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Invalid> {
        let value = HeaderValue::from_str(text::<Self>(node)?).ok();
        let value = value.filter(|value| value.to_str().is_ok());
        value.map(Self).ok_or_else(|| unexpected::<Self>(node))
    }

    fn write(&self) -> Yaml {
        Yaml::Text(self.0.to_str().unwrap_or_default().to_owned())
    }
}

impl HttpServer {
    /// What may be spoken over TLS, best first.
    pub(crate) fn protocols(&self) -> Vec<&'static str> {
        if self.http2 {
            vec!["h2", "http/1.1"]
        } else {
            vec!["http/1.1"]
        }
    }
}

impl Headers {
    /// Those that are set.
    pub(crate) fn pairs(&self) -> Vec<(HeaderName, HeaderValue)> {
        let text = |value: &Option<HeaderText>| value.as_ref().map(|text| text.0.clone());
        let word = HeaderValue::from_static;
        let pairs = [
            (
                header::CONTENT_SECURITY_POLICY,
                text(&self.content_security_policy),
            ),
            (
                header::X_FRAME_OPTIONS,
                self.frame_options.map(|options| word(options.word())),
            ),
            (
                header::X_CONTENT_TYPE_OPTIONS,
                self.content_type_options.map(|options| word(options.word())),
            ),
            (header::X_XSS_PROTECTION, text(&self.xss_protection)),
            (
                header::STRICT_TRANSPORT_SECURITY,
                text(&self.strict_transport_security),
            ),
        ];
        pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}
