//! What an advertiser asks of its postbacks: whether a signature that does not hold is enforced, whether a static token
//! is enough.

use super::Cache;
use crate::{
    db::{rows::accounts::SigningKey, scope::PartnerScope},
    domain::{
        ids::{AdvertiserId, Reference},
        signing::{SigningMode, StaticToken},
    },
    error::Result,
};

impl Cache {
    /// Whether signatures are only observed: for the advertiser that a report names, or else for all that it can mean.
    pub async fn observes(
        &self,
        scope: PartnerScope,
        key: &SigningKey,
        named: Option<Reference<AdvertiserId>>,
    ) -> Result<bool> {
        let narrowed = &key.advertiser_ids.0;
        if let Some(name) = named {
            let known = self.advertiser(scope, name).await?;
            return Ok(known.is_some_and(|known| {
                known.signing == SigningMode::Observe && (narrowed.is_empty() || narrowed.contains(&known.id))
            }));
        }
        let meant = if narrowed.is_empty() {
            Some(self.some_advertisers(scope).await?.to_vec())
                .filter(|some| some.len() == 1)
                .unwrap_or_default()
        } else {
            narrowed.clone()
        };
        for id in &meant {
            // These are known whenever the advertiser has sent anything, also while the database is away.
            if self.rules(scope, *id).await?.signing == SigningMode::Enforce {
                return Ok(false);
            }
        }
        Ok(!meant.is_empty())
    }

    /// Whether the advertiser of a token takes static tokens.
    pub async fn takes_token(&self, scope: PartnerScope, key: &SigningKey) -> Result<bool> {
        let [advertiser] = key.advertiser_ids.0.as_slice() else { return Ok(false) };
        let known = self.advertiser(scope, Reference::Id(*advertiser)).await?;
        Ok(known.is_some_and(|known| known.static_token == StaticToken::Allowed))
    }
}
