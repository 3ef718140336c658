//! How resolvers reach what they were given.

use async_graphql::Context as GraphqlContext;

use super::cookies::RefreshCookie;
use super::error::Result;
use super::heard::{Given, Handover};
use super::limits::Limits;
use super::loaders::Loaders;
use crate::domain::context::Context;
use crate::kernel::error::Error;

/// What every resolver may ask its context for.
pub(crate) trait ContextExt<'a> {
    /// Who asks, and the platform.
    fn domain(&self) -> Result<&'a Context>;
    fn loaders(&self) -> Result<&'a Loaders>;
    fn limits(&self) -> Result<&'a Limits>;
    /// How the refresh token of this request travels.
    fn refresh_cookie(&self) -> Result<&'a RefreshCookie>;
    /// Where a subscription leaves what is to come.
    fn handover(&self) -> Result<&'a Handover>;
    /// What a subscription is to answer, once it has been begun.
    fn given(&self) -> Option<&'a Given>;
}

impl<'a> ContextExt<'a> for GraphqlContext<'a> {
    fn domain(&self) -> Result<&'a Context> {
        self.data_opt::<Context>().ok_or_else(|| missing("context"))
    }

    fn loaders(&self) -> Result<&'a Loaders> {
        self.data_opt::<Loaders>().ok_or_else(|| missing("loaders"))
    }

    fn limits(&self) -> Result<&'a Limits> {
        self.data_opt::<Limits>().ok_or_else(|| missing("limits"))
    }

    fn refresh_cookie(&self) -> Result<&'a RefreshCookie> {
        self.data_opt::<RefreshCookie>()
            .ok_or_else(|| missing("refresh cookie"))
    }

    fn handover(&self) -> Result<&'a Handover> {
        self.data_opt::<Handover>().ok_or_else(|| missing("handover"))
    }

    fn given(&self) -> Option<&'a Given> {
        self.data_opt::<Given>()
    }
}

fn missing(what: &str) -> super::error::ApiError {
    Error::internal(anyhow::anyhow!("an operation ran without its {what}")).into()
}
