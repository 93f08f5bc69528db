//! What clicks and postbacks need to know of a partner's set-up, kept in memory, so that no query stands between a
//! request and its commit. It is forgotten when the set-up changes: at once for changes of this process, as soon as
//! PostgreSQL tells for those of others, and after a short life in any case.

mod forms;
mod known_key;
mod proof;
mod set_up;
mod shelf;
mod snapshot;

use std::{future::Future, sync::Arc, time::Duration};

pub use known_key::{KeyUses, KnownKey};
use serde::{Deserialize, Serialize};
use shelf::Shelf;
pub use snapshot::Snapshot;

use crate::{
    clock::Clock,
    db::{
        Store, db_read,
        gate::Role,
        rows::{
            accounts::ApiKey,
            setup::{Advertiser, Route},
        },
        scope::PartnerScope,
    },
    domain::{
        advertiser_rules::AdvertiserRules,
        click_id::{ClickIdKey, LinkNumber},
        currency::Currency,
        ids::{AdvertiserId, ApiKeyId, CreativeId, KeyId, LinkId, PartnerId, PublisherId, Reference},
        link_name::LinkName,
        master_key::MasterKey,
        rate::{self, Rate},
        redirect::Pages,
        setup::Status,
        signing::{SigningMode, StaticToken},
        time::Timestamp,
    },
    error::{Error, Result},
};

/// How long a look-up may take before the last known answer serves.
const PATIENCE: Duration = Duration::from_secs(2);

/// A link with everything that a click on it needs.
pub struct KnownRoute {
    /// The link, its campaign, its advertiser, its partner.
    pub route: Route,
    /// Its pages.
    pub pages: Pages,
    /// The key of the partner's click ids.
    pub click_ids: ClickIdKey,
}

impl KnownRoute {
    fn new(route: Route, master_key: &MasterKey) -> Self {
        let Route { link, campaign, advertiser, .. } = &route;
        let landing_url = link.landing_url.as_deref().unwrap_or(&campaign.landing_url);
        let fallbacks = [&link.fallback_url, &campaign.fallback_url, &advertiser.fallback_url];
        let pages = Pages::compile(landing_url, fallbacks.map(Option::as_deref));
        Self { pages, click_ids: ClickIdKey::derive(master_key, route.scope.id()), route }
    }

    /// The names that a tracking URL may give it.
    fn names(&self) -> [LinkName; 2] {
        let number = LinkNumber(u32::try_from(self.route.link.number).unwrap_or_default());
        [LinkName::Number(number), LinkName::Id(self.route.link.id)]
    }
}

/// An advertiser, as far as postbacks need it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct KnownAdvertiser {
    /// Its id.
    pub id: AdvertiserId,
    /// Whether its signatures are enforced.
    pub signing: SigningMode,
    /// Whether it takes static tokens.
    pub static_token: StaticToken,
}

/// What came of asking the database.
pub enum Asked<V> {
    /// Its answer.
    Now(Option<Arc<V>>),
    /// It is away: its last answer.
    Earlier(Arc<V>),
}

impl<V> Asked<V> {
    fn into_value(self) -> Option<Arc<V>> {
        match self {
            Self::Now(found) => found,
            Self::Earlier(value) => Some(value),
        }
    }
}

/// The rates of a pair, in the order of their days.
type DatedRates = Vec<(Timestamp, Rate)>;
type Named<T> = Shelf<(PartnerId, Reference<T>), T>;

/// What is known. Cheap to clone.
#[derive(Clone)]
pub struct Cache(Arc<Shelves>);

struct Shelves {
    store: Store,
    clock: Clock,
    master_key: Arc<MasterKey>,
    routes: Shelf<LinkName, KnownRoute>,
    keys: Shelf<KeyId, KnownKey>,
    /// Serves only while the database is away: a key of the REST API is asked for each time.
    api_keys: Shelf<ApiKeyId, ApiKey>,
    rules: Shelf<(PartnerId, AdvertiserId), AdvertiserRules>,
    rates: Shelf<(PartnerId, (Currency, Currency)), DatedRates>,
    advertisers: Shelf<(PartnerId, Reference<AdvertiserId>), KnownAdvertiser>,
    links: Named<LinkId>,
    publishers: Shelf<(PartnerId, Reference<PublisherId>), (PublisherId, Status)>,
    creatives: Shelf<(PartnerId, Reference<CreativeId>), (CreativeId, AdvertiserId)>,
    /// At most two of a partner's advertisers: enough to know whether there is only one.
    some_advertisers: Shelf<PartnerId, Vec<AdvertiserId>>,
}

impl Cache {
    /// Knows nothing yet.
    pub fn new(store: Store, clock: Clock, master_key: Arc<MasterKey>) -> Self {
        let store = store.with_patience(PATIENCE).with_role(Role::Watch);
        Self(Arc::new(Shelves {
            store,
            clock,
            master_key,
            routes: Shelf::default(),
            keys: Shelf::default(),
            api_keys: Shelf::default(),
            rules: Shelf::default(),
            rates: Shelf::default(),
            advertisers: Shelf::default(),
            links: Shelf::default(),
            publishers: Shelf::default(),
            creatives: Shelf::default(),
            some_advertisers: Shelf::default(),
        }))
    }

    /// A partner's set-up has changed; without one, anything may have. What was known is looked up again; should the
    /// database go away before that, it is still the best there is. Not so a key, which may have been revoked: it is looked
    /// up again at once, so that it is known by the time the database goes away.
    pub fn forget(&self, partner: Option<PartnerId>) {
        let shelves = &self.0;
        macro_rules! each { ($($shelf:ident),*) => { $(shelves.$shelf.doubt(partner);)* } }
        each!(routes, keys, rules, rates, advertisers, links, publishers, creatives, some_advertisers);
        if let Some(partner) = partner {
            let (keys, api_keys) = (shelves.keys.forget(partner), shelves.api_keys.forget(partner));
            tokio::spawn(self.clone().learn_again(keys, api_keys));
        }
    }

    /// Looks keys up that were forgotten. What is found while something else changes is not kept, and so sought again.
    async fn learn_again(self, keys: Vec<KeyId>, api_keys: Vec<ApiKeyId>) {
        const TRIES: usize = 10;
        for id in keys {
            for _ in 0..TRIES {
                let is_there = matches!(self.signing_key(id).await, Ok(Some(_)));
                if !is_there || self.0.keys.last(&id).is_some() {
                    break;
                }
            }
        }
        for id in api_keys {
            for _ in 0..TRIES {
                let is_there = matches!(self.api_key(&self.0.store, id).await, Ok(Asked::Now(Some(_))));
                if !is_there || self.0.api_keys.last(&id).is_some() {
                    break;
                }
            }
        }
    }

    /// The link that a tracking URL names.
    pub async fn route(&self, name: LinkName) -> Result<Option<Arc<KnownRoute>>> {
        let (routes, now) = (&self.0.routes, self.0.clock.now());
        if let Some(known) = routes.get(&name, now) {
            return Ok(known);
        }
        let load = async {
            let route = db_read!(&self.0.store, |queries, conn| queries::links::route(conn, name))?;
            Ok(route.map(|route| (route.scope.id(), KnownRoute::new(route, &self.0.master_key))))
        };
        let begun = routes.begin();
        let asked = Box::pin(self.ask(routes, name, load)).await?;
        if let Asked::Now(Some(known)) = &asked {
            // A link is known under both of its names, whichever it was asked for by.
            for other in known.names().into_iter().filter(|other| *other != name) {
                routes.put(other, Some((known.route.scope.id(), known.clone())), begun, now);
            }
        }
        Ok(asked.into_value())
    }

    /// The signing key with this id.
    pub async fn signing_key(&self, id: KeyId) -> Result<Option<Arc<KnownKey>>> {
        self.look_up(&self.0.keys, id, || async {
            let found = db_read!(&self.0.store, |queries, conn| queries::signing_keys::find_any(conn, id))?;
            let known =
                |(scope, row): (PartnerScope, _)| (scope.id(), KnownKey::new(scope, row, &self.0.master_key));
            Ok(found.map(known))
        })
        .await
    }

    /// The key of the REST API with this id, as this database has it now; and where that is away, as it was last known.
    pub async fn api_key(&self, store: &Store, id: ApiKeyId) -> Result<Asked<ApiKey>> {
        let shelf = &self.0.api_keys;
        let load = async {
            let found = db_read!(store, |queries, conn| queries::api_keys::find_any(conn, id))?;
            Ok(found.map(|row| (row.partner_id, row)))
        };
        self.ask(shelf, id, load).await
    }

    /// The link of a partner that a name means.
    pub async fn link(&self, scope: PartnerScope, name: Reference<LinkId>) -> Result<Option<LinkId>> {
        let found = self.look_up(&self.0.links, (scope.id(), name.clone()), move || async move {
            let found = db_read!(&self.0.store, |queries, conn| queries::links::find(conn, &scope, &name))?;
            Ok(found.map(|row| (scope.id(), row.id)))
        });
        Ok(found.await?.map(|id| *id))
    }

    /// The publisher of a partner that a name means, and whether it is in use.
    pub async fn publisher(
        &self,
        scope: PartnerScope,
        name: Reference<PublisherId>,
    ) -> Result<Option<(PublisherId, Status)>> {
        let found = self.look_up(&self.0.publishers, (scope.id(), name.clone()), move || async move {
            let found =
                db_read!(&self.0.store, |queries, conn| queries::publishers::find(conn, &scope, &name))?;
            Ok(found.map(|row| (scope.id(), (row.id, row.status))))
        });
        Ok(found.await?.map(|found| *found))
    }

    /// The creative of a partner that a name means, if it is in use, and whose it is.
    pub async fn creative(
        &self,
        scope: PartnerScope,
        name: Reference<CreativeId>,
    ) -> Result<Option<Arc<(CreativeId, AdvertiserId)>>> {
        self.look_up(&self.0.creatives, (scope.id(), name.clone()), move || async move {
            let found =
                db_read!(&self.0.store, |queries, conn| queries::creatives::find(conn, &scope, &name))?;
            let active = found.filter(|row| row.status == Status::Active);
            Ok(active.map(|row| (scope.id(), (row.id, row.advertiser_id))))
        })
        .await
    }

    async fn advertiser(
        &self,
        scope: PartnerScope,
        name: Reference<AdvertiserId>,
    ) -> Result<Option<KnownAdvertiser>> {
        let found = self.look_up(&self.0.advertisers, (scope.id(), name.clone()), move || async move {
            let found =
                db_read!(&self.0.store, |queries, conn| queries::advertisers::find(conn, &scope, &name))?;
            Ok(found.map(|row| {
                let Advertiser { id, signing, static_token, .. } = row;
                (scope.id(), KnownAdvertiser { id, signing, static_token })
            }))
        });
        Ok(found.await?.map(|known| *known))
    }

    async fn some_advertisers(&self, scope: PartnerScope) -> Result<Arc<Vec<AdvertiserId>>> {
        let found = self.look_up(&self.0.some_advertisers, scope.id(), || async {
            let ids = db_read!(&self.0.store, |queries, conn| queries::advertisers::first_two(conn, &scope))?;
            Ok(Some((scope.id(), ids)))
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// What the set-up of an advertiser says about reports.
    pub async fn rules(&self, scope: PartnerScope, advertiser: AdvertiserId) -> Result<Arc<AdvertiserRules>> {
        let found = self.look_up(&self.0.rules, (scope.id(), advertiser), || async {
            let rules =
                db_read!(&self.0.store, |queries, conn| queries::goals::rules(conn, &scope, advertiser))?;
            Ok(Some((scope.id(), rules)))
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// The rate from one currency into another, as it was on the day of an event.
    async fn rate(
        &self,
        scope: PartnerScope,
        pair: (Currency, Currency),
        event_time: Timestamp,
    ) -> Result<Option<Rate>> {
        let found = self.look_up(&self.0.rates, (scope.id(), pair), || async {
            let dated = db_read!(&self.0.store, |queries, conn| queries::currency_rates::of_pair(
                conn, &scope, pair
            ))?;
            Ok(Some((scope.id(), dated)))
        });
        Ok(found.await?.and_then(|dated| rate::valid_at(&dated, event_time)))
    }

    /// What the shelf has, or else what the database says. While the database is away, an old answer is better than
    /// none. A look-up in the database is seldom, and apart from the request that needs it: as a part of every request it
    /// would make all of them larger.
    async fn look_up<K, V, F>(
        &self,
        shelf: &Shelf<K, V>,
        name: K,
        load: impl FnOnce() -> F,
    ) -> Result<Option<Arc<V>>>
    where
        K: std::hash::Hash + Eq + Clone,
        F: Future<Output = Result<Option<(PartnerId, V)>>>,
    {
        if let Some(known) = shelf.get(&name, self.0.clock.now()) {
            return Ok(known);
        }
        Ok(Box::pin(self.ask(shelf, name, load())).await?.into_value())
    }

    /// What the database says; while it is away, what it last said.
    async fn ask<K, V>(
        &self,
        shelf: &Shelf<K, V>,
        name: K,
        load: impl Future<Output = Result<Option<(PartnerId, V)>>>,
    ) -> Result<Asked<V>>
    where
        K: std::hash::Hash + Eq + Clone,
    {
        let (begun, now) = (shelf.begin(), self.0.clock.now());
        match load.await {
            Ok(found) => {
                let found = found.map(|(partner, value)| (partner, Arc::new(value)));
                shelf.put(name, found.clone(), begun, now);
                Ok(Asked::Now(found.map(|(_, value)| value)))
            }
            Err(Error::Unavailable(why)) => match shelf.last(&name) {
                Some(value) => Ok(Asked::Earlier(value)),
                None => Err(Error::Unavailable(why)),
            },
            Err(error) => Err(error),
        }
    }
}
