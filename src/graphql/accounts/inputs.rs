//! What mutations of accounts take.

use async_graphql::{ID, InputObject, MaybeUndefined};
use secrecy::SecretString;

use crate::domain::accounts::register::Register;
use crate::domain::accounts::update::{NewAddress, UpdateAccount};
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::CountryCode;
use crate::kernel::change::Change;
use crate::kernel::error::Result;
use crate::kernel::id::CartId;

/// A new account.
#[derive(Clone, InputObject)]
pub(super) struct AccountRegisterInput {
    /// The email address, of any script; INVALID when it is none. Capitals and surrounding space make no difference.
    email: String,
    /// The password: 8 to 256 characters of any script, as they are, spaces included. WEAK_PASSWORD when it is easy to
    /// guess, also by its owner's name or email.
    password: String,
    /// What the person wants to be called. 1 to 255 characters.
    name: String,
}

/// Who wants to sign in.
#[derive(Clone, InputObject)]
pub(super) struct SessionCreateInput {
    /// The email address of the account. Capitals and surrounding space make no difference.
    email: String,
    /// The password of the account.
    password: String,
    /// The cart that you filled as a guest, to take along; nothing is taken along when null. Its lines are added to those of
    /// your own cart, each bounded by what can be had, by 10,000, and all of them by 250 lines; a cart of your own you have from
    /// now on. The guest's is gone then. An id of no guest's cart, because it was taken along before or never was one, makes no
    /// difference.
    cart_id: Option<ID>,
}

/// A session to go on with.
#[derive(Clone, InputObject)]
pub(super) struct SessionRefreshInput {
    /// The newest refresh token of the session. With the header `Souk-Refresh-Token: cookie` an empty text takes the one
    /// in the cookie.
    refresh_token: String,
}

/// A new password, and the proof that it is the owner's wish.
#[derive(Clone, InputObject)]
pub(super) struct PasswordChangeInput {
    /// The password as it is (else INVALID_CREDENTIALS).
    current_password: String,
    /// The password as it is to be: 8 to 256 characters of any script. WEAK_PASSWORD when it is easy to guess.
    new_password: String,
}

/// What to change of one's own account. What is left out stays.
#[derive(Clone, Debug, InputObject)]
pub(super) struct AccountUpdateInput {
    /// What the person wants to be called. 1 to 255 characters; not null.
    name: MaybeUndefined<String>,
    /// All addresses, in their order: those that are not in the list are gone. At most 50; null for none.
    addresses: MaybeUndefined<Vec<AddressInput>>,
}

/// A postal address.
#[derive(Clone, Debug, InputObject)]
pub(crate) struct AddressInput {
    /// Who lives or works there. 1 to 255 characters.
    name: String,
    /// Street and number, or whatever comes first there. 1 to 255 characters.
    line1: String,
    /// Floor, flat, company. At most 255 characters; empty is as good as null.
    line2: Option<String>,
    /// The city, town or village. 1 to 255 characters.
    city: String,
    /// State, province or county. At most 255 characters; empty is as good as null.
    region: Option<String>,
    /// The postal code. At most 32 characters; empty is as good as null.
    postal_code: Option<String>,
    /// The country.
    country_code: CountryCode,
    /// A telephone number. At most 32 characters; empty is as good as null.
    phone: Option<String>,
}

impl AccountRegisterInput {
    pub(super) fn into_domain(self) -> Register {
        Register {
            email: self.email,
            password: self.password.into(),
            name: self.name,
        }
    }
}

impl SessionCreateInput {
    /// The email, the password and the guest's cart.
    pub(super) fn into_parts(self) -> Result<(String, SecretString, Option<CartId>)> {
        let cart = self.cart_id.map(|id| parse_id(&id, "input.cartId")).transpose()?;
        Ok((self.email, self.password.into(), cart))
    }
}

impl SessionRefreshInput {
    pub(super) fn into_token(self) -> SecretString {
        self.refresh_token.into()
    }
}

impl PasswordChangeInput {
    /// The current one, then the new one.
    pub(super) fn into_parts(self) -> (SecretString, SecretString) {
        (self.current_password.into(), self.new_password.into())
    }
}

impl AccountUpdateInput {
    pub(super) fn into_domain(self) -> UpdateAccount {
        let addresses: Change<Vec<AddressInput>> = self.addresses.into();
        UpdateAccount {
            name: self.name.into(),
            addresses: addresses.map(|all| all.into_iter().map(AddressInput::into_domain).collect()),
        }
    }
}

impl AddressInput {
    pub(crate) fn into_domain(self) -> NewAddress {
        NewAddress {
            name: self.name,
            line1: self.line1,
            line2: self.line2,
            city: self.city,
            region: self.region,
            postal_code: self.postal_code,
            country: self.country_code.0,
            phone: self.phone,
        }
    }
}
