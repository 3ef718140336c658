//! Spans of resolvers, where there are traces at all: asking for them makes the library take a longer way for every field, some
//! ten per cent of an operation's time.
//!
//! Only of those that have work of their own: fields at a root, and lists, which are read page by page. What loaders read for
//! many fields at once is a span of theirs, and a field that only shows what is there has none.

use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo};
use async_graphql::{ServerResult, Value};
use tracing::Instrument as _;

use crate::infra::telemetry::trace;

pub(super) struct Spans;

impl ExtensionFactory for Spans {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Spans {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let is_root = info.path_node.parent.is_none() && !info.is_for_introspection;
        if !is_root && !info.return_type.trim_end_matches('!').ends_with("Connection") {
            return next.run(ctx, info).await;
        }
        let span = tracing::trace_span!(
            target: trace::TARGET,
            "resolver",
            otel.name = format_args!("{}.{}", info.parent_type, info.name),
            graphql.field.name = info.name,
            graphql.field.type = info.return_type,
        );
        next.run(ctx, info).instrument(span).await
    }
}
