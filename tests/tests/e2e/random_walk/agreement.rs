//! What has to agree between the model and the server.

use serde_json::json;
use tallyback_server::jobs;

use super::{
    super::verify::verify,
    Walk,
    figures::{self, Only, Row},
    model::DAY,
    money::parts,
};

const DIMENSIONS: [&str; 8] =
    ["hour", "day", "advertiser", "campaign", "creative", "link", "publisher", "goal"];

impl Walk {
    /// The whole ledger, every report, and `tallyback verify`.
    pub async fn agrees(&self) {
        self.has_all_conversions().await;
        for dimension in DIMENSIONS {
            self.reports(&[dimension], None).await;
        }
        self.reports(&["day", "publisher", "goal"], None).await;
        self.reports(&["hour", "link", "creative"], None).await;
        self.reports(&["advertiser", "campaign", "publisher", "goal"], None).await;
        let world = &self.world;
        for (name, id) in [
            ("advertiser", &world.shops[0].id),
            ("publisher", &world.publishers[1]),
            ("goal", &world.goals[0].id),
            ("link", &world.links[0].id),
            ("campaign", &world.links[0].campaign),
        ] {
            self.reports(&["day", "goal"], Some((name, id.as_str()))).await;
        }
        let told = verify(&self.sender.app().database, &[]).await;
        assert_eq!(told.code, Some(0), "{told:?}");
        jobs::fold_totals(self.sender.app().store.clone()).await.unwrap();
        self.reports(&DIMENSIONS, None).await;
        let told = verify(&self.sender.app().database, &[]).await;
        assert_eq!(told.code, Some(0), "{told:?}");
    }

    async fn reports(&self, dimensions: &[&str], only: Only<'_>) {
        let period = [self.started - 20 * DAY, self.started + 100 * DAY].map(figures::date);
        let only_id = only.map(|(name, id)| format!("&{name}_id={id}")).unwrap_or_default();
        let path = format!(
            "/v1/reports?from={}&to={}&dimensions={}{only_id}",
            period[0],
            period[1],
            dimensions.join(",")
        );
        let told = self.sender.agency().get(&path).await.expect(200);
        let (wanted, got) = (self.world.rows(dimensions, only), figures::read(&told));
        for (values, row) in &wanted {
            assert_eq!(got.get(values), Some(row), "{dimensions:?} {only:?} {values:?}");
        }
        assert_eq!(got.len(), wanted.len(), "{dimensions:?} {only:?}");
        let totals = self.world.rows(&[], only).into_values().next().unwrap_or_default();
        assert_eq!(Row::read(&told["totals"]), totals, "{dimensions:?} {only:?}");
    }

    async fn has_all_conversions(&self) {
        let rows = self.sender.agency().all("/v1/conversions").await;
        assert_eq!(rows.len(), self.world.conversions.len());
        for told in rows {
            let found = self.world.conversions.iter().find(|row| told["id"] == row.id);
            let row = found.unwrap_or_else(|| panic!("nobody was told of {told:#}"));
            let text = |name: &str| told[name].as_str().map(parts);
            assert_eq!(told["status"], row.status, "{row:?}");
            assert_eq!((told["currency"].as_str(), text("amount")), (row.currency, row.amount), "{row:?}");
            assert_eq!((text("payout"), text("revenue")), (Some(row.payout), Some(row.revenue)), "{row:?}");
            let converted = row.reported.filter(|_| row.rate.is_some()).map(|(amount, _)| amount);
            assert_eq!(text("original_amount"), converted, "{row:?}");
            let mode = ["transaction", "customer", "partner"][row.mode];
            let link = row.link.map(|link| self.world.links[link].id.as_str());
            let publisher = row.publisher.map(|publisher| self.world.publishers[publisher].as_str());
            let credited =
                (told["match_mode"].as_str(), told["link_id"].as_str(), told["publisher_id"].as_str());
            assert_eq!(credited, (Some(mode), link, publisher), "{row:?}");
        }
    }

    /// The histories of those that were changed most.
    pub async fn has_all_histories(&self) {
        let mut changed: Vec<_> =
            self.world.conversions.iter().filter(|row| !row.history.is_empty()).collect();
        changed.sort_by_key(|row| std::cmp::Reverse(row.history.len()));
        assert!(changed.len() > 50, "only {} were changed", changed.len());
        for row in changed.into_iter().take(100) {
            let mut lines = self.sender.agency().all(&format!("/v1/conversions/{}/history", row.id)).await;
            lines.reverse();
            let told: Vec<_> = lines
                .iter()
                .map(|line| {
                    let word = |name: &str| line[name].as_str().unwrap().to_owned();
                    (word("kind"), word("status_after"), line["amount_after"].as_str().map(parts))
                })
                .collect();
            let wanted: Vec<_> = row
                .history
                .iter()
                .map(|(kind, status, amount)| ((*kind).to_owned(), (*status).to_owned(), *amount))
                .collect();
            assert_eq!(told, wanted, "{row:?}");
            assert!(lines.iter().enumerate().all(|(number, line)| line["position"] == json!(number + 1)));
        }
    }
}
