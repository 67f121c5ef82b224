//! A span for each request that a router of ours serves.

use std::sync::Arc;

use axum::{
    extract::Request,
    middleware::{self, Next},
    routing::MethodRouter,
};

use super::work::{Tracing, Work};

/// Gives the routes a span for each request, which their handlers find among the extensions; none of ours without a name.
pub fn traced<S: Clone + Send + Sync + 'static>(
    routes: MethodRouter<S>,
    tracing: &Tracing,
    route: Option<&'static str>,
) -> MethodRouter<S> {
    let tracing = tracing.clone();
    routes.layer(middleware::from_fn(move |mut request: Request, next: Next| {
        let work = begin(&tracing, &mut request, route);
        async move {
            let response = next.run(request).await;
            work.answered(response.status());
            response
        }
    }))
}

/// Begins the work on a request, and puts it among its extensions.
pub fn begin(tracing: &Tracing, request: &mut Request, route: Option<&'static str>) -> Arc<Work> {
    let work = Arc::new(tracing.server(request.headers(), request.method(), route, request.uri().path()));
    request.extensions_mut().insert(work.clone());
    work
}
