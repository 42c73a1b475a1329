//! Compression of an exposition while it is sent.

use crate::limits::{COMPRESSED_CHUNK_BYTES_MIN, SCRAPE_CHUNK_BYTES};
use crate::metrics::negotiation::quality;
use bytes::buf::Writer;
use bytes::{BufMut, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Write};
use zstd::stream::write::Encoder as ZstdEncoder;

/// The value of `Content-Encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// None.
    #[default]
    Identity,
    /// gzip, the one that Prometheus asks for.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Fastest level of either: a scrape is read once, and level 6 of gzip costs three times as much CPU for a
/// tenth less bytes.
const LEVEL: u8 = 1;

impl Encoding {
    /// All encodings, the dearest first: among equals it is taken.
    const ALL: [Self; 3] = [Self::Zstd, Self::Gzip, Self::Identity];

    /// The best of what an `Accept-Encoding` header allows; none when it is absent.
    pub fn negotiate(accept: &str) -> Self {
        let mut best = (0.0, Self::Identity);
        for encoding in Self::ALL {
            let quality = encoding.quality(accept);
            if quality > best.0 {
                best = (quality, encoding);
            }
        }
        best.1
    }

    /// The value of `Content-Encoding`; `None` when there is none to tell.
    pub fn token(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    fn quality(self, accept: &str) -> f32 {
        let token = self.token().unwrap_or("identity");
        let of = |wanted: &str| {
            let mut given = accept.split(',').filter_map(|coding| {
                let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
                let name = name.trim();
                (name.eq_ignore_ascii_case(wanted) || (wanted == "gzip" && name == "x-gzip"))
                    .then(|| weight(parameters))
            });
            given.next()
        };
        // What is not named may be anything that `*` covers; to send it as it is is always a last resort.
        let unnamed = if self == Self::Identity {
            f32::MIN_POSITIVE
        } else {
            0.0
        };
        of(token).or_else(|| of("*")).unwrap_or(unnamed)
    }
}

fn weight(parameters: &str) -> f32 {
    let mut weights = parameters.split(';').filter_map(|parameter| {
        let (name, weight) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("q")
            .then(|| quality(weight.trim()).unwrap_or(0.0))
    });
    weights.next().unwrap_or(1.0)
}

/// Chunks after compression, each made when it is asked for.
pub struct Encoded<I> {
    chunks: I,
    encoder: Option<Encoder>,
}

enum Encoder {
    Identity,
    Gzip(GzEncoder<Writer<BytesMut>>),
    Zstd(ZstdEncoder<'static, Writer<BytesMut>>),
}

impl<I: Iterator<Item = Bytes>> Encoded<I> {
    /// Compresses chunks.
    ///
    /// # Errors
    /// When there is no memory for a compressor.
    pub fn new(chunks: I, encoding: Encoding) -> io::Result<Self> {
        let out = BytesMut::with_capacity(SCRAPE_CHUNK_BYTES).writer();
        let encoder = match encoding {
            Encoding::Identity => Encoder::Identity,
            Encoding::Gzip => Encoder::Gzip(GzEncoder::new(out, Compression::new(u32::from(LEVEL)))),
            Encoding::Zstd => Encoder::Zstd(ZstdEncoder::new(out, i32::from(LEVEL))?),
        };
        Ok(Self {
            chunks,
            encoder: Some(encoder),
        })
    }

    fn step(&mut self) -> io::Result<Option<Bytes>> {
        while let Some(encoder) = &mut self.encoder {
            let Some(chunk) = self.chunks.next() else {
                let rest = encoder.finish()?;
                self.encoder = None;
                return Ok(rest);
            };
            if matches!(encoder, Encoder::Identity) {
                return Ok(Some(chunk));
            }
            if let Some(compressed) = encoder.compress(&chunk)? {
                return Ok(Some(compressed));
            }
        }
        Ok(None)
    }
}

impl<I: Iterator<Item = Bytes>> Iterator for Encoded<I> {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<io::Result<Bytes>> {
        let step = self.step();
        if step.is_err() {
            self.encoder = None;
        }
        step.transpose()
    }
}

impl Encoder {
    /// Takes a chunk; what came out, once it is worth sending.
    fn compress(&mut self, chunk: &Bytes) -> io::Result<Option<Bytes>> {
        let out = match self {
            Self::Identity => return Ok(None),
            Self::Gzip(gzip) => {
                gzip.write_all(chunk)?;
                gzip.get_mut()
            }
            Self::Zstd(zstd) => {
                zstd.write_all(chunk)?;
                zstd.get_mut()
            }
        };
        let out = out.get_mut();
        Ok((out.len() >= COMPRESSED_CHUNK_BYTES_MIN).then(|| out.split().freeze()))
    }

    /// What is left at the end.
    fn finish(&mut self) -> io::Result<Option<Bytes>> {
        let out = match self {
            Self::Identity => return Ok(None),
            Self::Gzip(gzip) => {
                gzip.try_finish()?;
                gzip.get_mut()
            }
            Self::Zstd(zstd) => {
                zstd.do_finish()?;
                zstd.get_mut()
            }
        };
        Ok(Some(out.get_mut().split().freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    fn encoded(encoding: Encoding, chunks: &[Bytes]) -> Vec<u8> {
        let encoded = Encoded::new(chunks.iter().cloned(), encoding).expect("memory");
        encoded
            .map(|chunk| chunk.expect("no error"))
            .collect::<Vec<_>>()
            .concat()
    }

    #[test]
    fn the_compression_with_the_highest_weight_is_taken() {
        for (accept, encoding) in [
            ("", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("identity", Encoding::Identity),
            ("gzip, deflate, br, zstd", Encoding::Zstd),
            ("zstd;q=0.5, gzip;q=0.9", Encoding::Gzip),
            ("gzip;q=0", Encoding::Identity),
            ("gzip;q=0, *", Encoding::Zstd),
            ("*;q=0", Encoding::Identity),
            ("gzip;q=0.2, identity;q=0.8", Encoding::Identity),
            ("deflate", Encoding::Identity),
            ("GZIP ; Q=1.0", Encoding::Gzip),
        ] {
            assert_eq!(Encoding::negotiate(accept), encoding, "{accept}");
        }
    }

    #[test]
    fn what_is_decompressed_is_what_was_compressed() {
        let line = |number: u32| format!("datasphere_job_status{{job_id=\"{number}\"}} 1\n");
        let chunks: Vec<Bytes> = (0..200_000)
            .map(line)
            .collect::<Vec<_>>()
            .chunks(500)
            .map(|lines| Bytes::from(lines.concat()))
            .collect();
        let plain = encoded(Encoding::Identity, &chunks);
        assert_eq!(plain, chunks.concat());

        let mut from_gzip = Vec::new();
        GzDecoder::new(&*encoded(Encoding::Gzip, &chunks))
            .read_to_end(&mut from_gzip)
            .expect("gzip");
        assert_eq!(from_gzip, plain);
        let from_zstd = zstd::decode_all(&*encoded(Encoding::Zstd, &chunks)).expect("zstd");
        assert_eq!(from_zstd, plain);
    }
}
