//! A guest's order, as those know it who watch it.

use anyhow::Context as _;
use uuid::Uuid;

#[derive(Clone, Debug)]
pub(super) struct Order {
    /// As the API spells it.
    pub(super) id: String,
    pub(super) uuid: Uuid,
    pub(super) token: String,
}

/// Crockford's, of which ids are made.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `order_01kb…`
pub(super) fn spell(uuid: Uuid) -> String {
    let bits = uuid.as_u128();
    let letter = |place: u32| {
        let index = usize::try_from(bits >> (5 * place) & 31).unwrap_or_default();
        ALPHABET.get(index).copied().map_or('0', char::from)
    };
    let letters: String = (0..26).rev().map(letter).collect();
    format!("order_{letters}")
}

pub(super) fn to_lines(orders: &[Order]) -> String {
    orders
        .iter()
        .map(|Order { id, token, .. }| format!("{id} {token}\n"))
        .collect()
}

/// The id and the token.
pub(super) fn of_line(line: &str) -> anyhow::Result<(String, String)> {
    let (id, token) = line.split_once(' ').context("an order is an id and a token")?;
    Ok((id.to_owned(), token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_spelt_as_the_api_does() {
        let uuid = Uuid::from_u128(0x0188_6e9c_2f4b_7a01_8c2d_3e4f_5061_7283);
        let spelt = spell(uuid);
        assert_eq!(spelt.len(), "order_".len() + 26);
        assert_eq!(spell(Uuid::nil()), "order_00000000000000000000000000");
        assert_eq!(spell(Uuid::max()), "order_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }
}
