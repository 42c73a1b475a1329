//! The reference of the web configuration, as a document.

use crate::config::document::{heading, line};
use crate::config::setting::{Row, Setting};
use crate::config::web_file::WebFile;
use crate::listening::{cipher_suite_names, curve_names, tls_version_names};

/// `docs/web-configuration.md`: every key with its type, default and meaning, and what of the toolkit's words is
/// offered, made from their declaration.
pub fn document() -> String {
    let mut rows = Vec::new();
    WebFile::describe(None, Row::default(), &mut rows);
    let mut out = INTRODUCTION.to_owned();
    out.push_str("\n## Keys\n\n| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n");
    let is_section = |row: &Row| row.kind.is_empty();
    for row in rows
        .iter()
        .filter(|row| !row.key.is_empty() && !row.key.contains('.') && !is_section(row))
    {
        out.push_str(&line(row));
    }
    for row in rows.iter().filter(|row| !row.key.is_empty()) {
        if is_section(row) {
            heading(row, &mut out);
        } else if row.key.contains('.') {
            out.push_str(&line(row));
        }
    }
    out.push_str(OFFERED);
    for (kind, names) in [
        ("version", tls_version_names()),
        ("cipher suite", cipher_suite_names()),
        ("curve", curve_names()),
    ] {
        for (name, is_offered) in names {
            let offered = if is_offered { "yes" } else { "no" };
            out.extend(["| ", kind, " | `", name, "` | ", offered, " |\n"]);
        }
    }
    out.push_str(DIFFERENCES);
    out
}

const INTRODUCTION: &str = "\
<!-- Made from src/config/web_file by `UPDATE_DOCS=1 cargo test --test suite documents`; do not edit. -->
# Web configuration

`--web.config.file=FILE` (also `DATASPHERE_EXPORTER_WEB_CONFIG_FILE`, or `web.config_file` in the configuration) names \
a file in the format of Prometheus' [exporter-toolkit](https://github.com/prometheus/exporter-toolkit): TLS, client \
certificates, users and passwords, headers, and a rate. A file that serves other exporters serves this one, but for \
the differences below. An empty file protects nothing.

```yaml
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: clients.crt
basic_auth_users:
  # htpasswd -nBC 10 \"\" | tr -d ':\\n'
  prometheus: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG
```

- `check-config` checks the file and every file that it names; what is wrong is told with file, line, key and what is \
allowed, without the value.
- **Nothing has to be restarted.** The file and those that it names are read anew every 5 seconds. What is new counts \
for connections that are opened, and requests that arrive, from then on: a connection that was opened with a \
certificate stays. A file that cannot be used changes nothing: the log tells why, once it is so at two readings in a \
row, since certificate and key are hardly ever exchanged at the same moment, and \
`datasphere_exporter_config_last_reload_successful` is 0 until it can, and, where a reload was refused, until one succeeds. The certificate of `gateway.tls` is read anew in \
the same way.
- **A file that was cut off opens nothing.** One that no longer asks for users, for TLS, or for certificates of \
clients, for somebody to vouch for them or for their names, where it did, is such a file that cannot be used, until a reload (SIGHUP, or `POST /-/reload`) asks for it. A user who is \
gone from it is let go once two readings agree, or at a reload. Either is a warning in the log.
- **Where there are users, every request needs one**, those for health and readiness too, unless \
`auth_excluded_paths` names the path. Where certificates are required as well, both are needed: the certificate for \
the connection, the user for the request.
- **Calls that write** need a user or a verified certificate wherever the file asks for either. Without a file they are \
served to the same host alone (loopback or unix socket, and not through a proxy, which is told by `Forwarded`, `Via`, \
`X-Real-IP`, a header that begins with `X-Forwarded-` or `X-Envoy-`, or HTTP/1.0), \
unless `api.unauthenticated_writes` is set, which counts only where the file asks for neither.
- **A password is hashed once** for each credential, which is remembered in memory by a keyed hash. Passwords are \
checked one at a time; at most 64 wait, of them at most 8 of one address, for ten seconds at most, and further requests are refused with 503: \
a flood of guesses from one address (of IPv6, one /64 network) keeps others waiting for half a second at the usual cost of 10, and at 15 for longer than they may wait. Behind a proxy all \
callers have its address, so let the proxy bound them. A user that does not exist costs \
the same as one that does. bcrypt reads the first 72 bytes of a password.
- What is said in plain where TLS is spoken is answered with 400. A TLS handshake has ten seconds.

## Where the server listens

`--web.listen-address` may be repeated, with `HOST:PORT`, `[IPV6]:PORT`, `:PORT` and `unix:/PATH`. The file of a unix \
socket is made with the permissions that the umask leaves, replaced when it is a dead process's, and removed at the \
end. `--web.systemd-socket` takes the sockets that systemd hands over (`Accept=no`) in place of all addresses. TLS and \
users count on all of them.

## Calling it

`track`, `untrack`, `list` and `healthcheck` reach it with `--url=https://HOST:PORT`, `--ca-file`, `--cert-file` and \
`--key-file`, and `--user` with `--password-file` or the variable `DATASPHERE_EXPORTER_PASSWORD`. Over a unix socket it \
is `--url=unix:/PATH`, as it is written where the server listens, and without TLS. On its own host `healthcheck` takes \
whatever certificate is shown with `--insecure`. A certificate as `openssl req -x509` makes it by itself is one of an \
authority, which these commands do not take for a server's: add `-addext basicConstraints=CA:FALSE`. Prometheus:

```yaml
scrape_configs:
  - job_name: datasphere
    scheme: https
    tls_config: { ca_file: ca.crt, cert_file: prometheus.crt, key_file: prometheus.key }
    basic_auth: { username: prometheus, password_file: password }
    static_configs: [{ targets: [exporter:10477] }]
```

Prometheus 2.42 and 2.53 read `password_file` at each scrape; 3.5 keeps the first password until its own configuration \
changes, so let two users overlap there. All of them read certificates anew.
";

const OFFERED: &str = "
## What the TLS library offers

Go's words for what `min_version`, `max_version`, `cipher_suites` and `curve_preferences` take. What is not offered is \
refused, with the key named.

| what | word | offered |
|---|---|---|
";

const DIFFERENCES: &str = "
## Differences from the exporter-toolkit

| key | toolkit | here |
|---|---|---|
| `min_version`, `max_version` | `TLS10` and `TLS11` too | TLS 1.2 and 1.3 |
| `cipher_suites` | CBC suites, and RSA for agreeing on keys, too | refused |
| `cipher_suites` | their order does not count, since Go 1.17 | it does, unless `prefer_server_cipher_suites: false` |
| `curve_preferences` | `CurveP521` and `X25519MLKEM768` too | refused |
| `cert` beside `cert_file`, `key` beside `key_file`, `client_ca` beside `client_ca_file` | the file wins | refused |
| `tls_server_config` with neither certificate nor client authentication | plain HTTP | refused: a certificate is missing |
| `client_allowed_sans: []` | nobody can connect | refused |
| `basic_auth_users` | any cost of bcrypt | at most 15, at which a check takes seconds; a name with a colon is refused |
| `rate_limit` | every request counts | `/-/healthy`, `/-/ready`, `/healthz`, `/livez` and `/readyz` are answered whatever the \
rate, where no password comes along; what is refused has `Retry-After` |
| `rate_limit.interval` | parts of a unit, such as `1.5s`, too | whole numbers: `1s500ms` |
| `http_server_config.headers` | the program's own header of that name wins | the file's wins |
| `http_server_config.http2`, TLS itself | cannot be changed while it runs | can be, for new connections |
| `auth_excluded_paths` | not in a release | exact paths; not beside certificates that are required |
| `ip_socket_config`, `vsock://` addresses | in newer versions | not there |
| proposals that never were in a release (`client_fingerprints`, `client_cert_allowed_cn`, \
`client_allowed_san_regex`, `bearer_auth_tokens`, …) | | not there |
";
