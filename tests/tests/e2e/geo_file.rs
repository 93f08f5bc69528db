//! Databases of places and of providers in the MaxMind DB file format, version 2.0, with one IPv4 network in it.
//! Source of the format: <https://maxmind.github.io/MaxMind-DB/>.

const BITS: u32 = 24;
/// Zeros between the tree and the data.
const SEPARATOR: u32 = 16;

fn text(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    if length < 29 {
        return [&[0x40 | length], text.as_bytes()].concat();
    }
    [&[0x40 | 29, length - 29], text.as_bytes()].concat()
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries_encoded = entries.iter().flat_map(|(name, value)| [text(name), value.clone()].concat());
    std::iter::once(0xe0 | u8::try_from(entries.len()).unwrap()).chain(entries_encoded).collect()
}

fn uint16(number: u16) -> Vec<u8> {
    [&[0xa2], &number.to_be_bytes()[..]].concat()
}

fn uint32(number: u32) -> Vec<u8> {
    [&[0xc4], &number.to_be_bytes()[..]].concat()
}

fn uint64(number: u64) -> Vec<u8> {
    [&[0x08, 0x02], &number.to_be_bytes()[..]].concat()
}

fn array_of_one(value: Vec<u8>) -> Vec<u8> {
    [vec![0x01, 0x04], value].concat()
}

/// A file that knows the country of one network.
pub fn country(network: [u8; 3], country: &str) -> Vec<u8> {
    with_one_network(network, &map(&[("country", map(&[("iso_code", text(country))]))]))
}

/// A file that knows the country and the part of it.
pub fn city(network: [u8; 3], country: &str, subdivision: &str) -> Vec<u8> {
    let part = array_of_one(map(&[("iso_code", text(subdivision))]));
    with_one_network(
        network,
        &map(&[("country", map(&[("iso_code", text(country))])), ("subdivisions", part)]),
    )
}

/// A file that knows one thing of a network by name, such as its `isp`.
pub fn provider(network: [u8; 3], member: &str, name: &str) -> Vec<u8> {
    with_one_network(network, &map(&[(member, text(name))]))
}

/// The file: a tree of one path, whose end leads to the data, and of which every other branch leads nowhere.
fn with_one_network(network: [u8; 3], data: &[u8]) -> Vec<u8> {
    let bits = u32::from_be_bytes([0, network[0], network[1], network[2]]);
    let tree = (0..BITS).flat_map(|depth| {
        let next = if depth + 1 == BITS { BITS + SEPARATOR } else { depth + 1 };
        let is_one = bits >> (BITS - 1 - depth) & 1 == 1;
        let (left, right) = if is_one { (BITS, next) } else { (next, BITS) };
        [left.to_be_bytes()[1..].to_vec(), right.to_be_bytes()[1..].to_vec()].concat()
    });
    let empty_array = vec![0x00, 0x04];
    let metadata = map(&[
        ("binary_format_major_version", uint16(2)),
        ("binary_format_minor_version", uint16(0)),
        ("build_epoch", uint64(1_700_000_000)),
        ("database_type", text("Test-Country")),
        ("description", map(&[])),
        ("ip_version", uint16(4)),
        ("languages", empty_array),
        ("node_count", uint32(BITS)),
        ("record_size", uint16(24)),
    ]);
    [
        tree.collect(),
        vec![0; SEPARATOR as usize],
        data.to_vec(),
        b"\xab\xcd\xefMaxMind.com".to_vec(),
        metadata,
    ]
    .concat()
}
