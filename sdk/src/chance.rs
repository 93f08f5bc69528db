//! Where randomness comes from. The rest of the crate takes it as an argument.

/// Returns bytes from the system's generator.
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system's random generator answers");
    bytes
}

/// Returns the 16 random bytes of a message id.
pub(crate) fn message_id_bytes() -> [u8; 16] {
    bytes()
}

/// Returns a fraction from 0 up to but without 1.
pub(crate) fn fraction() -> f64 {
    f64::from(u32::from_be_bytes(bytes())) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_fraction_stays_below_one() {
        assert!((0..1000).map(|_| super::fraction()).all(|f| (0.0..1.0).contains(&f)));
    }
}
