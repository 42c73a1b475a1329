//! Signed JWTs of service accounts, checked as the cloud checks them.
//!
//! Source: `en/iam/operations/iam-token/create-for-sa.md` of the cloud's documentation: PS256 alone, a salt as long
//! as the digest, the account as issuer, the token URL as audience, an hour at most.

use crate::clock::Timestamp;
use crate::simulator::{
    Error,
    scenario::{Auth, AuthorizedKey},
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use serde::Deserialize;

/// The keys of all service accounts, and the audiences accepted.
#[derive(Debug)]
pub(crate) struct Keys {
    keys: Vec<PublicKey>,
    audiences: Vec<String>,
}

#[derive(Debug)]
struct PublicKey {
    account: String,
    id: String,
    /// `RSAPublicKey` of PKCS #1, in DER.
    rsa: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

const AUDIENCE: &str = "https://iam.api.cloud.yandex.net/iam/v1/tokens";
const LONGEST_SECONDS: i64 = 3600;
/// How far the clock of a client may be ahead.
const LEEWAY_SECONDS: i64 = 60;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Keys {
    pub(crate) fn load(auth: &Auth) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for account in &auth.service_accounts {
            for key in &account.keys {
                let pem = pem_of(key)?;
                let rsa = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
                    .ok()
                    .and_then(|info| rsa_key(&info).map(<[u8]>::to_vec))
                    .ok_or_else(|| unusable(&key.id, "its public key is not an RSA key in PEM"))?;
                keys.push(PublicKey {
                    account: account.id.clone(),
                    id: key.id.clone(),
                    rsa,
                });
            }
        }
        Ok(Self {
            keys,
            audiences: auth.audiences.clone(),
        })
    }

    /// The account that a JWT proves, or why it proves none.
    pub(crate) fn verify(&self, jwt: &str, now: Timestamp, authority: &str) -> Result<String, String> {
        let (signed, signature) = jwt.rsplit_once('.').ok_or("JWT has no signature")?;
        let (header, claims) = signed.split_once('.').ok_or("JWT has no claims")?;
        let header: Header = part(header).ok_or("JWT header is not readable or lacks `alg` or `kid`")?;
        let claims: Claims =
            part(claims).ok_or("JWT claims are not readable or lack iss, aud, iat or exp")?;
        if header.alg != "PS256" {
            return Err(format!("JWT algorithm is {}; only PS256 is accepted", header.alg));
        }
        let key = self
            .keys
            .iter()
            .find(|key| key.id == header.kid && key.account == claims.iss)
            .ok_or("JWT names a key that the service account does not have")?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| "JWT signature is not base64url")?;
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &key.rsa)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| "JWT signature is wrong, or its salt is not 32 bytes long")?;
        self.check(&claims, now, authority)?;
        Ok(claims.iss)
    }

    fn check(&self, claims: &Claims, now: Timestamp, authority: &str) -> Result<(), String> {
        let seconds = now.nanos() / NANOS_PER_SECOND;
        let called = [
            format!("https://iam.{authority}/iam/v1/tokens"),
            format!("https://{authority}/iam/v1/tokens"),
        ];
        let known =
            claims.aud == AUDIENCE || called.contains(&claims.aud) || self.audiences.contains(&claims.aud);
        if !known {
            return Err(format!("JWT audience is {}; expected {AUDIENCE}", claims.aud));
        }
        if claims.exp <= seconds {
            return Err("JWT has expired".to_owned());
        }
        if claims.iat > seconds + LEEWAY_SECONDS {
            return Err("JWT is issued in the future".to_owned());
        }
        if claims.exp - claims.iat > LONGEST_SECONDS {
            return Err(format!("JWT lives longer than {LONGEST_SECONDS} seconds"));
        }
        Ok(())
    }
}

/// The PEM text of a key, from wherever the scenario says.
fn pem_of(key: &AuthorizedKey) -> Result<String, Error> {
    let text = match (&key.public_key, &key.public_key_file) {
        (Some(text), None) => text.clone(),
        (None, Some(path)) => std::fs::read_to_string(path).map_err(|source| Error::File {
            path: path.clone(),
            source,
        })?,
        _ => {
            return Err(unusable(
                &key.id,
                "give it exactly one of `public_key` and `public_key_file`",
            ));
        }
    };
    if !text.trim_start().starts_with('{') {
        return Ok(text);
    }
    serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|file| file.get("public_key")?.as_str().map(str::to_owned))
        .ok_or_else(|| unusable(&key.id, "its key file is JSON without a `public_key`"))
}

fn unusable(key: &str, why: &str) -> Error {
    Error::Impossible {
        what: format!("service account key `{key}`: {why}"),
    }
}

/// A part of a JWT.
fn part<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// The key inside a `SubjectPublicKeyInfo` of X.509: a sequence of the algorithm and of a bit string with the key.
fn rsa_key(info: &[u8]) -> Option<&[u8]> {
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    let (outer, _) = element(info, SEQUENCE)?;
    let (_algorithm, rest) = element(outer, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    // The first byte counts unused bits at the end; whole bytes leave none.
    bits.strip_prefix(&[0])
}

/// The content of a DER element with this tag, and what follows the element.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = input.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (
            length.iter().try_fold(0usize, |sum, byte| {
                sum.checked_mul(256)?.checked_add((*byte).into())
            })?,
            rest,
        )
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn der_that_ends_early_is_no_element() {
        assert_eq!(element(&[0x30, 2, 1, 2, 9], 0x30), Some((&[1, 2][..], &[9][..])));
        assert_eq!(element(&[0x30, 0x81, 1, 7], 0x30), Some((&[7][..], &[][..])));
        for broken in [&[0x30][..], &[0x30, 3, 1], &[0x30, 0x82, 1], &[0x31, 0]] {
            assert_eq!(element(broken, 0x30), None);
        }
    }
}
