//! A small picture for an MMS: a pattern of squares that follows from its name, as a PNG.
//!
//! The one rule: the same name is the same picture, so that nothing needs to be stored.

use sha2::{Digest, Sha256};

/// Squares along an edge, and pixels along a square's edge.
const SQUARES: usize = 7;
const SQUARE: usize = 12;
const EDGE: usize = SQUARES * SQUARE;

/// The PNG for a name (W3C PNG, third edition: signature, IHDR, IDAT, IEND; one byte for each of red, green, blue).
pub(super) fn png(name: &str) -> Vec<u8> {
    let hash = Sha256::digest(name.as_bytes());
    let ink = [hash[0] / 2, hash[1] / 2, 64 + hash[2] / 2];
    let paper = [238, 240, 244];
    let mut pixels = Vec::with_capacity(EDGE * (1 + 3 * EDGE));
    for y in 0..EDGE {
        pixels.push(0); // each row says how it is filtered: not at all
        for x in 0..EDGE {
            let (column, row) = (x / SQUARE, y / SQUARE);
            // The right half mirrors the left.
            let bit = row * SQUARES + column.min(SQUARES - 1 - column);
            let inked = hash[3 + bit / 8 % 28] >> (bit % 8) & 1 == 1;
            pixels.extend_from_slice(if inked { &ink } else { &paper });
        }
    }
    let edge = u32::try_from(EDGE).unwrap_or(0).to_be_bytes();
    let mut header = [edge, edge].concat();
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, b"IHDR", &header);
    chunk(&mut out, b"IDAT", &zlib(&pixels));
    chunk(&mut out, b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    out.extend_from_slice(&u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    let start = out.len();
    out.extend_from_slice(kind);
    out.extend_from_slice(data);
    let sum = crc32(&out[start..]);
    out.extend_from_slice(&sum.to_be_bytes());
}

/// Stored, not compressed (RFC 1950, RFC 1951 §3.2.4).
fn zlib(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = data.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&adler32(data).to_be_bytes());
    out
}

fn adler32(data: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

fn crc32(data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_are_those_of_the_standards() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11E6_0398);
    }
}
