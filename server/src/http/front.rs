//! What every request goes through, in front of the framework's routes: it gets an id, passes the door, is answered, and
//! its answer gets the headers that all have. What comes most is answered right here: the framework would find it by
//! patterns, for some 10,700 instructions each, and would keep the request until it is answered.

use std::{
    rc::Rc,
    task::{Context, Poll},
};

use actix_http::Request;
use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{AppConfig, Response, Service, ServiceFactory, ServiceResponse},
    http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use futures_util::future::LocalBoxFuture;

use super::{
    State,
    connections::Connection,
    door,
    head::Head,
    request_id::{self, RequestId},
    stopping::say_when_stopping,
    track::frequent::Frequent,
};

/// Makes what answers the requests of a worker, for each of them.
pub struct FrontFactory<A> {
    /// What makes the framework's application.
    pub app: A,
    /// What every handler can reach.
    pub state: State,
}

impl<A, B> ServiceFactory<Request> for FrontFactory<A>
where
    A: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error>,
    A::Service: 'static,
    A::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Config = AppConfig;
    type Service = Front<A::Service>;
    type InitError = A::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, config: AppConfig) -> Self::Future {
        let (state, is_tls) = (self.state.clone(), config.secure());
        let app = self.app.new_service(config);
        Box::pin(async move { Ok(Front(Rc::new(Answerer { app: app.await?, is_tls, state }))) })
    }
}

/// Answers the requests of one worker.
pub struct Front<S>(Rc<Answerer<S>>);

struct Answerer<S> {
    app: S,
    is_tls: bool,
    state: State,
}

impl<S, B> Service<Request> for Front<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = Response<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.app.poll_ready(context)
    }

    fn call(&self, request: Request) -> Self::Future {
        let answerer = self.0.clone();
        Box::pin(async move { Ok(answerer.answer(request).await) })
    }
}

impl<S, B> Answerer<S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    async fn answer(&self, mut request: Request) -> Response<BoxBody> {
        let (state, id) = (&self.state, RequestId::new());
        let purpose = door::purpose(request.method(), request.path());
        let _under_way = request.conn_data::<Rc<Connection>>().map(Connection::begin);
        let answering = async {
            match state.door.pass(purpose, &mut request).await {
                Ok(_inside) => self.route(request).await,
                Err(turned_away) => turned_away.into(),
            }
        };
        let mut response = id.scope(answering).await;
        state.metrics.count_request(purpose, response.status().as_u16());
        say_when_stopping(state, &mut response);
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(request_id::HEADER, id.header());
        response
    }

    /// Finds who answers. Nothing is kept of a request that waits for its commit: hundreds wait at once, and what they hold
    /// would not fit into the processor's caches.
    async fn route(&self, mut request: Request) -> Response<BoxBody> {
        if let Some(frequent) = Frequent::of(request.method(), request.path()) {
            let mut payload = request.take_payload();
            let head = Head::new(request.head(), self.is_tls);
            if let Some(begun) = Box::pin(frequent.begin(&head, &mut payload, &self.state)).await {
                drop((request, payload));
                return begun.end(&self.state).await.into();
            }
            *request.payload() = payload;
        }
        match self.app.call(request).await {
            Ok(response) => Response::from(response).map_body(|_, body: B| body.boxed()),
            Err(error) => error.error_response().into(),
        }
    }
}
