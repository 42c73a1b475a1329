//! What a file of the operator, or of a user of the host, may make large.

use std::time::Duration;

/// Patterns of execution files: people have a folder or two.
pub const EXECUTION_PATTERNS_MAX: usize = 64;

/// Longest pattern of execution files, in bytes: the longest path that Linux opens.
pub const EXECUTION_PATTERN_BYTES_MAX: usize = 4_096;

/// Execution files remembered at once, about 300 bytes each: the newest. Older ones are read when the file system tells
/// of them, and not looked for.
pub const EXECUTION_FILES_MAX: usize = 20_000;

/// Largest execution file, in bytes: the official client writes about a hundred.
pub const EXECUTION_FILE_BYTES_MAX: usize = 64 << 10;

/// Folders that are searched for execution files and watched: the kernel grants a user some thousands of watches, and
/// a pattern that covers a whole disk is a slip.
pub const EXECUTION_FOLDERS_MAX: usize = 4_096;

/// Deepest file that is searched for, in levels below the folder where the search begins.
pub const EXECUTION_DEPTH_MAX: usize = 16;

/// Changed paths that wait to be read: beyond it everything is looked at.
pub const EXECUTION_CHANGES_MAX: usize = 4_096;

/// Largest configuration file, in bytes: some 100 000 operations with labels.
pub const CONFIG_BYTES_MAX: u64 = 32 << 20;

/// Deepest nesting in the configuration file: what is declared needs five levels, and reading recurses.
pub const CONFIG_DEPTH_MAX: usize = 16;

/// Values and other tokens of the configuration file: ten for each of 100 000 operations, and some.
pub const CONFIG_NODES_MAX: usize = 4_000_000;

/// Values that aliases of the configuration file may repeat: a bomb of aliases ends here.
pub const CONFIG_REPLAYED_MAX: usize = 10_000;

/// Bytes kept of the anchors of the configuration file.
pub const CONFIG_ANCHOR_BYTES_MAX: usize = 1 << 20;

/// Largest file with certificates or a key, in bytes: a bundle of all public authorities has a quarter of it.
pub const PEM_BYTES_MAX: u64 = 1 << 20;

/// Names of clients, of which a certificate must have one.
pub const ALLOWED_SANS_MAX: usize = 1_000;

/// Cipher suites, or curves, that a file may list: more than there are.
pub const TLS_WORDS_MAX: usize = 64;

/// Paths that are answered without a user.
pub const OPEN_PATHS_MAX: usize = 64;

/// Users of the web configuration: who has more has a directory of them, and a proxy that asks it.
pub const USERS_MAX: usize = 1_000;

/// Highest cost of a password's hash: at this one a check takes a core two seconds or so, and twice as long for each
/// more. A scrape that waits for another check must still have its own within its timeout, ten seconds as a rule.
pub const BCRYPT_COST_MAX: u32 = 15;

/// Longest web configuration file, in bytes: certificates may stand in it.
pub const WEB_CONFIG_BYTES_MAX: u64 = 4 << 20;

/// How often files of certificates, keys, users and passwords are read anew: whoever exchanges one waits no longer, and
/// a few small files cost a few milliseconds.
pub const KEYRING_INTERVAL: Duration = Duration::from_secs(5);

/// Longest template of a link, in bytes: what browsers and proxies agree on.
pub const LINK_BYTES_MAX: usize = 2_048;
