//! Takes what looks like a secret out of free text.

use crate::limits::REDACTED_BYTES_MAX;
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::sync::LazyLock;

/// What a secret is replaced by.
const REDACTED: &str = "***";

/// The text without what looks like a secret: passwords and queries of URLs, values of keys that name a
/// secret, tokens and access keys. Borrowed when there is nothing to take out. What is beyond the bytes that
/// are looked at is left out.
pub(crate) fn redact(text: &str) -> Cow<'_, str> {
    let text = looked_at(text);
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let Some(rules) = RULES.as_ref() else {
        return Cow::Borrowed(REDACTED);
    };
    match rules.urls.replace_all(text, url) {
        Cow::Borrowed(text) => rules.secrets.replace_all(text, secret),
        Cow::Owned(text) => Cow::Owned(rules.secrets.replace_all(&text, secret).into_owned()),
    }
}

/// The beginning of the text, up to a space, so that no secret is cut to something that looks harmless.
fn looked_at(text: &str) -> &str {
    if text.len() <= REDACTED_BYTES_MAX {
        return text;
    }
    let head = text
        .get(..text.floor_char_boundary(REDACTED_BYTES_MAX))
        .unwrap_or_default();
    let cut = head.rfind(char::is_whitespace).unwrap_or(0);
    head.get(..cut).unwrap_or_default()
}

/// Whether the rules cannot find anything, told without them: most texts are a few plain words.
fn is_plain(text: &str) -> bool {
    let mut word_bytes = 0_usize;
    let mut is_word_mixed = false;
    for byte in text.bytes() {
        match byte {
            b':' | b'=' | b'-' | b'@' => return false,
            b'a'..=b'z' => word_bytes += 1,
            b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' => {
                is_word_mixed |= word_bytes > 0;
                word_bytes += 1;
            }
            _ => (word_bytes, is_word_mixed) = (0, false),
        }
        if is_word_mixed && word_bytes >= TOKEN_BYTES_MIN {
            return false;
        }
    }
    let bytes = text.as_bytes();
    !bytes
        .windows(SCHEME.len())
        .any(|window| window.eq_ignore_ascii_case(SCHEME))
}

/// Shorter words are no tokens: those begin with a mark of 3 bytes, and 8 more are asked for. Of the bytes after
/// their first, one at least is no lower-case letter.
const TOKEN_BYTES_MIN: usize = 11;
/// Announces a token in a header.
const SCHEME: &[u8] = b"bearer";

struct Rules {
    urls: Regex,
    secrets: Regex,
}

/// `None` only if an expression below were wrong, which a test rules out.
static RULES: LazyLock<Option<Rules>> = LazyLock::new(|| {
    Some(Rules {
        urls: Regex::new(URL).ok()?,
        secrets: Regex::new(&secrets()).ok()?,
    })
});

/// Scheme, then everything to the end of the word, if there is a user, a query or a fragment in it.
const URL: &str = r#"([A-Za-z][A-Za-z0-9+.\-]*://)([^\s"'<>]*[@?#][^\s"'<>]*)"#;

/// Words that, within a key, say that its value is a secret.
const SECRET_KEYS: &str = r"(?i-u:passw|passphrase|pwd|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key|auth[_.-]?key|account[_.-]?key|signature|credential|authorization|cookie|session[_.-]?(?:id|key)|jwt|oauth)";
/// The same for messages in Russian.
const RUSSIAN_SECRET_KEYS: &str = "(?:[Пп]арол|[Тт]окен|[Сс]екрет)[а-яё]*";

/// What may stand for a value: quoted, or to the end of the word.
const ATOM: &str =
    r#"(?:[bBuUrRfF]?"(?:[^"\\]|\\.)*"?|[bBuUrRfF]?'(?:[^'\\]|\\.)*'?|\\"(?:[^"\\]|\\[^"])*(?:\\")?|\S+)"#;

/// A key where a value is awaited: quoted to its end, or a word in which no quote begins, since quotes within a word
/// hold a value.
const KEY: &str = r#"(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'\\]+[\\"'\]]*)"#;

/// What assigns.
const ASSIGN: &str = "(?:=>|:=|[=:])";

/// A value, and before it, as often as it comes, a scheme or a key of its own. That would be taken for the value while
/// the secret behind it stayed: `pw: password: hunter2`.
fn value() -> String {
    format!(
        r"(?:(?i-u:bearer|basic|api-key|oauth)[ \t]+|{KEY}[ \t]*{ASSIGN}[ \t]+|{KEY}[ \t]+{ASSIGN}[ \t]*)*{ATOM}"
    )
}

/// All that is not a URL. The parts that stay are in groups. Words and their boundaries are those of ASCII: the
/// fast engine knows no others, and only prose has them.
fn secrets() -> String {
    let key = format!(
        r"(?-u:\b[\w.-]*)(?:{SECRET_KEYS})(?-u:[\w.-]*)|(?-u:\b(?:[\w.-]*[_.-])?)(?i-u:pass|pw|sig)|{RUSSIAN_SECRET_KEYS}"
    );
    let value = value();
    [
        r"-----BEGIN [A-Z ]+-----(?s:.*?)(?:-----END [A-Z ]+-----|\z)".to_owned(),
        format!(r#"(?P<assigned>(?:{key})[\\"'\]]*[ \t]*{ASSIGN}[ \t]*){value}"#),
        format!(r"(?P<flag>(?:^|\s)--?(?-u:[\w.-]*)(?:{SECRET_KEYS})(?-u:[\w.-]*)[ \t]+){value}"),
        format!(r"(?P<scheme>(?i-u:\bbearer)[ \t]+){value}"),
        r#"[^\s:@/"']+:[^\s@/"']+(?P<host>@)"#.to_owned(),
        r"(?-u:\beyJ[\w-]{8,}(?:\.[\w-]*)*)".to_owned(),
        r"(?-u:\bt1\.[\w.-]{8,}=*)".to_owned(),
        r"(?-u:\by[0-3]_[\w-]{8,})".to_owned(),
        r"(?-u:\b(?:AKIA|ASIA)[A-Z0-9]{8,})".to_owned(),
        r"(?-u:\b(?:YC[A-Z]|AQVN|hf_|sk-|gh[opsur]_|github_pat_|glpat-|xox[abpr]-)[\w-]{16,})".to_owned(),
    ]
    .join("|")
}

/// Keeps scheme, host and path.
fn url(found: &Captures<'_>) -> String {
    let part = |group| found.get(group).map_or("", |part| part.as_str());
    let (scheme, rest) = (part(1), part(2));
    let (user, rest) = match rest.rfind('@') {
        Some(at) if is_user(rest, at) => (REDACTED, rest.get(at..).unwrap_or_default()),
        _ => ("", rest),
    };
    match rest.find(['?', '#']).and_then(|query| rest.get(..query)) {
        Some(kept) => format!("{scheme}{user}{kept}?{REDACTED}"),
        None => format!("{scheme}{user}{rest}"),
    }
}

/// Whether the '@' of a URL ends a user and password, rather than being part of a path: it does within the
/// authority, and also behind it when that would have no number as port, since people forget to escape.
fn is_user(rest: &str, at: usize) -> bool {
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..authority_end).unwrap_or_default();
    at < authority_end
        || authority
            .split_once(':')
            .is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Keeps what introduces the secret.
fn secret(found: &Captures<'_>) -> String {
    let introduction = ["assigned", "flag", "scheme"]
        .into_iter()
        .find_map(|name| found.name(name));
    match (introduction, found.name("host")) {
        (Some(introduction), _) => format!("{}{REDACTED}", introduction.as_str()),
        (None, Some(_)) => format!("{REDACTED}@"),
        (None, None) => REDACTED.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn secrets_leave_and_what_introduces_them_stays() {
        let cases = [
            (
                "https://joe:pa$$@h.ru:443/p?X-Amz-Signature=a#b",
                "https://***@h.ru:443/p?***",
            ),
            ("no route (https://h.ru/a#token)", "no route (https://h.ru/a?***"),
            (
                "postgres://u:p/w?d@db:5432/x failed",
                "postgres://***@db:5432/x failed",
            ),
            (
                "pip: https://__token__:abc@pypi.h/simple",
                "pip: https://***@pypi.h/simple",
            ),
            ("password=hunter2 next", "password=*** next"),
            ("DB_PASS=hunter2, next", "DB_PASS=*** next"),
            ("DB_PASSWORD: 'two words' rest", "DB_PASSWORD: *** rest"),
            (r#"{"api_key": "a\"b c", "x": 1}"#, r#"{"api_key": ***, "x": 1}"#),
            (r#"{\"token\": \"abc def\"}"#, r#"{\"token\": ***}"#),
            (
                "os.environ['AWS_SECRET'] = b'x y'",
                "os.environ['AWS_SECRET'] = ***",
            ),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            ("authorization => Basic dTpw", "authorization => ***"),
            ("sent bearer abc", "sent bearer ***"),
            ("run --api-key k3y --epochs 3", "run --api-key *** --epochs 3"),
            ("Pw: password: hunter2 next", "Pw: *** next"),
            ("pw: password => 'two words' next", "pw: *** next"),
            ("pw: basic password: hunter2 next", "pw: *** next"),
            ("--token x = hunter2 next", "--token *** next"),
            ("bearer token: hunter2 next", "bearer *** next"),
            (r#"pw: "a": "b c" next"#, "pw: *** next"),
            (
                r#"{"password": "a: b c", "x": 1}"#,
                r#"{"password": ***, "x": 1}"#,
            ),
            ("пароль: секретно, Токен=x", "пароль: *** Токен=***"),
            ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.sig_-x back", "got *** back"),
            ("iam t1.9euelZqUx-_8yK.Abc== end", "iam *** end"),
            ("oauth y0_AgAAAAAA12345", "oauth ***"),
            ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
            ("key YCAJEabcdefghijklmnopqrst", "key ***"),
            ("hub hf_AbCdEfGhIjKlMnOpQrSt!", "hub ***!"),
            ("login joe:hunter2@db.local now", "login ***@db.local now"),
            (
                "-----BEGIN PRIVATE KEY-----\nMIIE\nabc\n-----END PRIVATE KEY----- after",
                "*** after",
            ),
            ("-----BEGIN RSA PRIVATE KEY-----\ncut", "***"),
        ];
        for (text, expected) in cases {
            assert_eq!(redact(text), expected);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        let cases = [
            "Preparing the environment",
            "KeyError: 'epoch'",
            "status: SUCCESS",
            "exit code: 137 (SIGKILL)",
            "12:30:45 step 3/10",
            "s3://bucket/path/file.csv",
            "https://host:8080/@scope/package",
            "Monkey-patching: done",
            "Job execution quota exhausted",
            "bypassed: 3, passed = 4",
            "type.googleapis.com/yandex.cloud.compute.v1.CreateInstanceMetadata",
            "mailto joe@h.ru",
        ];
        for text in cases {
            assert_eq!(redact(text), text);
        }
        assert!(matches!(redact("Preparing the environment"), Cow::Borrowed(_)));
    }

    #[test]
    fn of_endless_text_the_beginning_is_looked_at() {
        let words = "word ".repeat(1 << 20);
        assert!(redact(&words).len() < REDACTED_BYTES_MAX);
        let word = "password=".to_owned() + &"x".repeat(1 << 20);
        assert_eq!(redact(&word), "");
    }

    #[test]
    fn the_rules_compile() {
        assert!(RULES.is_some());
    }

    proptest! {
        #[test]
        fn a_plain_text_is_one_in_which_the_rules_find_nothing(text in "[ -~а-я\n]{0,60}|([a-z]{1,9} ){0,9}[Bb]earer .{0,9}") {
            if is_plain(&text) {
                let rules = RULES.as_ref().unwrap();
                prop_assert!(!rules.urls.is_match(&text) && !rules.secrets.is_match(&text));
            }
        }

        #[test]
        fn a_named_secret_never_stays(
            before in "[ -~]{0,20}",
            key in "password|DB_PASSWD|api-key|client_secret|x-auth-token|private_key|Authorization",
            assign in "=|: | = |\": \"|=>",
            secret in "Zq[A-Za-z0-9/+_.~-]{12}",
            after in "[ -~]{0,20}",
        ) {
            let text = format!("{before} {key}{assign}{secret} {after}");
            prop_assert!(!redact(&text).contains(&secret), "{text:?}");
        }
    }
}
