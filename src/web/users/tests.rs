//! Tests of signing in; what is counted is runs of bcrypt, not time.

use super::*;
use axum::http::HeaderValue;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `secret`, at the lowest cost that there is.
fn hash_of(password: &str) -> PasswordHash {
    bcrypt::hash(password, 4)
        .expect("a hash")
        .parse()
        .expect("a hash")
}

fn users(pairs: &[(&str, &str)]) -> Users {
    let pairs = pairs.iter();
    pairs
        .map(|(user, password)| ((*user).to_owned(), hash_of(password)))
        .collect()
}

fn basic(user: &str, password: &str) -> HeaderMap {
    let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let value = HeaderValue::try_from(value).expect("ASCII");
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Another address for each number.
fn peer(number: usize) -> IpAddr {
    let number = u32::try_from(number).expect("few");
    IpAddr::V4(Ipv4Addr::from(number))
}

/// Counts how often it hashes.
fn counted() -> (SignIn, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let sign_in = SignIn::with(Arc::new(move |password, hash| {
        counted.fetch_add(1, Ordering::Relaxed);
        bcrypt::verify(password, hash).expect("a hash")
    }));
    (sign_in, runs)
}

#[tokio::test]
async fn a_right_password_is_let_in_and_is_hashed_once() {
    let users = users(&[("alice", "secret"), ("bob", "other")]);
    let (sign_in, runs) = counted();
    for _ in 0..3 {
        assert_eq!(
            sign_in.check(&users, PEER, &basic("alice", "secret")).await,
            SignedIn::Yes
        );
    }
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    for _ in 0..3 {
        assert_eq!(
            sign_in.check(&users, PEER, &basic("alice", "other")).await,
            SignedIn::No
        );
    }
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn callers_who_come_at_once_with_one_credential_hash_it_once() {
    let users = users(&[("alice", "secret")]);
    let (sign_in, runs) = counted();
    let headers = basic("alice", "secret");
    let (a, b, c) = tokio::join!(
        sign_in.check(&users, PEER, &headers),
        sign_in.check(&users, PEER, &headers),
        sign_in.check(&users, PEER, &headers)
    );
    assert_eq!([a, b, c], [SignedIn::Yes; 3]);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_user_that_does_not_exist_costs_what_one_that_exists_costs() {
    let users = users(&[("alice", "secret"), ("bob", "other")]);
    let (sign_in, runs) = counted();
    for (count, (user, password)) in [
        ("alice", "wrong"),
        ("nobody", "wrong"),
        ("", ""),
        ("nobody", "secret"),
    ]
    .into_iter()
    .enumerate()
    {
        for _ in 0..2 {
            assert_eq!(
                sign_in.check(&users, PEER, &basic(user, password)).await,
                SignedIn::No,
                "{user}"
            );
        }
        assert_eq!(runs.load(Ordering::Relaxed), count + 1, "{user}");
    }
}

#[tokio::test]
async fn a_user_that_does_not_exist_is_refused_even_with_the_password_of_another() {
    let users = users(&[("alice", "secret")]);
    let (sign_in, _) = counted();
    assert_eq!(
        sign_in.check(&users, PEER, &basic("alice", "secret")).await,
        SignedIn::Yes
    );
    for user in ["bob", "Alice", "alice ", ""] {
        assert_eq!(
            sign_in.check(&users, PEER, &basic(user, "secret")).await,
            SignedIn::No,
            "{user:?}"
        );
    }
}

/// CVE-2022-46146: with the parts simply put together, the hash of one user and a password that begins with another's
/// name made the key of a credential that was right.
#[tokio::test]
async fn no_two_credentials_share_what_is_remembered_of_them() {
    let (sign_in, _) = counted();
    let hash = hash_of("secret");
    let moved = [
        [&b"alice"[..], hash.0.as_bytes(), b"secret"],
        [b"alic", &[b"e", hash.0.as_bytes()].concat(), b"secret"],
        [&[b"alice", hash.0.as_bytes()].concat(), b"", b"secret"],
        [b"alice", &[hash.0.as_bytes(), b"secret"].concat(), b""],
        [b"", &[b"alice", hash.0.as_bytes()].concat(), b"secret"],
        [b"alice:", hash.0.as_bytes(), b"secret"],
    ];
    let keys: HashSet<Key> = moved.iter().map(|parts| sign_in.key(*parts)).collect();
    assert_eq!(keys.len(), moved.len());

    let users = users(&[("alice", "secret")]);
    assert_eq!(
        sign_in.check(&users, PEER, &basic("alice", "secret")).await,
        SignedIn::Yes
    );
    let stored = users.0["alice"].0.to_string();
    for (user, password) in [
        ("alice", format!("{stored}secret")),
        ("alic", format!("e{stored}secret")),
        ("nobody", format!("alice{stored}secret")),
        ("alice", format!(":{stored}:secret")),
    ] {
        assert_eq!(
            sign_in.check(&users, PEER, &basic(user, &password)).await,
            SignedIn::No,
            "{user}"
        );
    }
}

#[tokio::test]
async fn another_password_counts_at_once_and_the_old_one_no_more() {
    let (sign_in, runs) = counted();
    let before = users(&[("alice", "old")]);
    assert_eq!(
        sign_in.check(&before, PEER, &basic("alice", "old")).await,
        SignedIn::Yes
    );
    let after = users(&[("alice", "new")]);
    assert_eq!(
        sign_in.check(&after, PEER, &basic("alice", "old")).await,
        SignedIn::No
    );
    assert_eq!(
        sign_in.check(&after, PEER, &basic("alice", "new")).await,
        SignedIn::Yes
    );
    assert_eq!(runs.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_flood_of_wrong_passwords_waits_in_a_bounded_queue_and_keeps_nobody_out_who_is_known() {
    let users = users(&[("alice", "secret")]);
    let (begun_in, mut begun) = tokio::sync::mpsc::channel(1);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let sign_in = Arc::new(SignIn::with(Arc::new(move |password, hash| {
        if password.starts_with(b"wrong") {
            let _ = begun_in.try_send(());
            // Ends with the test at the latest.
            let _ = held.lock().expect("not poisoned").recv();
            return false;
        }
        bcrypt::verify(password, hash).expect("a hash")
    })));
    assert_eq!(
        sign_in.check(&users, PEER, &basic("alice", "secret")).await,
        SignedIn::Yes
    );
    let mut flood = tokio::task::JoinSet::new();
    for guess in 0..PASSWORDS_WAITING_MAX + 10 {
        let (sign_in, users) = (Arc::clone(&sign_in), users.clone());
        flood.spawn(async move {
            sign_in
                .check(&users, peer(guess), &basic("alice", &format!("wrong{guess}")))
                .await
        });
    }
    begun.recv().await.expect("one is hashed");
    for _ in 0..10 {
        let told = flood.join_next().await.expect("one").expect("told");
        assert_eq!(told, SignedIn::Busy);
    }
    assert_eq!(
        sign_in.check(&users, PEER, &basic("alice", "secret")).await,
        SignedIn::Yes
    );
    drop(release);
    while let Some(told) = flood.join_next().await {
        assert_eq!(told.expect("told"), SignedIn::No);
    }
}

#[tokio::test]
async fn a_flood_from_one_address_waits_in_its_share_and_another_address_comes_soon() {
    let users = users(&[("alice", "secret")]);
    let (begun_in, mut begun) = tokio::sync::mpsc::channel(1);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let sign_in = Arc::new(SignIn::with(Arc::new(move |password, hash| {
        counted.fetch_add(1, Ordering::Relaxed);
        let _ = begun_in.try_send(());
        // Ends with the test at the latest.
        let _ = held.lock().expect("not poisoned").recv();
        bcrypt::verify(password, hash).expect("a hash")
    })));
    let mut flood = tokio::task::JoinSet::new();
    for guess in 0..PASSWORDS_WAITING_PEER_MAX + 100 {
        let (sign_in, users) = (Arc::clone(&sign_in), users.clone());
        flood.spawn(async move {
            // Users that do not exist cost the same, and count the same.
            let user = ["alice", "nobody"][guess % 2];
            sign_in
                .check(&users, peer(1), &basic(user, &format!("wrong{guess}")))
                .await
        });
    }
    begun.recv().await.expect("one is hashed");
    for _ in 0..100 {
        let told = flood.join_next().await.expect("one").expect("told");
        assert_eq!(told, SignedIn::Busy);
    }
    let headers = basic("alice", "secret");
    let mut good = std::pin::pin!(sign_in.check(&users, peer(2), &headers));
    assert!(
        futures_util::poll!(good.as_mut()).is_pending(),
        "it has its turn to come"
    );
    drop(release);
    assert_eq!(good.await, SignedIn::Yes);
    assert_eq!(runs.load(Ordering::Relaxed), PASSWORDS_WAITING_PEER_MAX + 1);
    while let Some(told) = flood.join_next().await {
        assert_eq!(told.expect("told"), SignedIn::No);
    }
    assert_eq!(
        sign_in.check(&users, peer(1), &headers).await,
        SignedIn::Yes,
        "it is let in again"
    );
}

#[tokio::test]
async fn a_caller_who_hangs_up_makes_no_room_for_another_hash_before_its_own_is_done() {
    let users = users(&[("alice", "secret")]);
    let (begun_in, mut begun) = tokio::sync::mpsc::channel(1);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Mutex::new(held);
    let sign_in = Arc::new(SignIn::with(Arc::new(move |_, _| {
        let _ = begun_in.try_send(());
        // Ends with the test at the latest.
        let _ = held.lock().expect("not poisoned").recv();
        false
    })));
    let mut callers = tokio::task::JoinSet::new();
    let caller = Arc::clone(&sign_in);
    callers.spawn(async move { caller.check(&users, PEER, &basic("alice", "guess")).await });
    begun.recv().await.expect("it is hashed");
    callers.shutdown().await;
    assert_eq!(sign_in.turn.available_permits(), 0);
    drop(release);
    let turn = sign_in.turn.acquire().await.expect("it is over");
    drop(turn);
}

#[test]
fn what_is_remembered_is_bounded_and_wrong_ones_push_out_no_right_one() {
    let mut remembered = Remembered::default();
    let key = |number: usize| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        key
    };
    remembered.remember(key(0), true);
    for number in 1..=2 * CREDENTIALS_KNOWN_MAX {
        remembered.remember(key(number), false);
        remembered.remember(key(number), false);
    }
    assert_eq!(remembered.find(&key(0)), Some(true));
    assert_eq!(remembered.find(&key(1)), None);
    assert_eq!(remembered.find(&key(2 * CREDENTIALS_KNOWN_MAX)), Some(false));
    assert_eq!(remembered.wrong.keys.len(), CREDENTIALS_KNOWN_MAX);
    assert_eq!(remembered.wrong.order.len(), CREDENTIALS_KNOWN_MAX);
}

#[test]
fn what_brings_no_credential_is_not_tried() {
    let twice = {
        let mut headers = basic("a", "b");
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        headers
    };
    let of =
        |text: &'static str| HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(text))]);
    for headers in [
        HeaderMap::new(),
        twice,
        of("Basic"),
        of("Basic !"),
        of("Bearer YTpi"),
        of("Basic YQ=="),
    ] {
        assert_eq!(credential(&headers), None, "{headers:?}");
    }
    assert_eq!(
        credential(&of("basic YTpiOmM=")),
        Some((b"a".to_vec(), b"b:c".to_vec()))
    );
}

#[test]
fn a_hash_is_one_of_bcrypt_at_a_bearable_cost_and_is_never_shown() {
    let hash = hash_of("secret");
    assert_eq!(format!("{hash:?}"), "***");
    let text = hash.0.to_string();
    for prefix in ["$2a$", "$2b$", "$2y$"] {
        assert!(
            text.replace("$2b$", prefix).parse::<PasswordHash>().is_ok(),
            "{prefix}"
        );
    }
    let dear = text.replace("$04$", "$16$");
    assert!(text.replace("$04$", "$15$").parse::<PasswordHash>().is_ok());
    for refused in [
        "",
        "secret",
        "$2y$10$short",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        &text[..59],
        &dear,
    ] {
        let refusal = refused.parse::<PasswordHash>().expect_err(refused);
        assert!(refused.is_empty() || !refusal.contains(refused), "{refusal}");
    }
}
