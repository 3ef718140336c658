//! How resolvers reach what they were given.

use async_graphql::Context as GraphqlContext;

use super::cookies::RefreshCookie;
use super::error::Result;
use super::limits::Limits;
use super::loaders::Loaders;
use super::turn::Turn;
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
    /// Whether a subscription is answering or waiting.
    fn turn(&self) -> Result<&'a Turn>;
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

    fn turn(&self) -> Result<&'a Turn> {
        self.data_opt::<Turn>().ok_or_else(|| missing("turn"))
    }
}

fn missing(what: &str) -> super::error::ApiError {
    Error::internal(anyhow::anyhow!("an operation ran without its {what}")).into()
}
