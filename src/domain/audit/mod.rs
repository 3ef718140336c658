//! The record of what staff and admins did, and of who signed in. It is written in the transaction of the deed: what
//! was done is recorded, and what is recorded was done.

pub mod list;
pub mod record;
