//! What is told at the end: a table for people, a line of JSON for programs.

use serde_json::{Value, json};

use crate::{
    options::Load,
    rounds::{Measured, Round},
    wrk::Run,
};

/// Prints how it is measured, and the heading of the rounds.
pub fn print_heading(load: &Load) {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let Load { seconds, connections, threads, .. } = load;
    println!(
        "{connections} connections for {seconds} s each; {processors} processors, {threads} of wrk's threads\n"
    );
    println!("round   bare/s  clicks/s  ratio  postbacks/s  ratio  batched/s  factor");
}

/// Prints a round.
pub fn print_round(number: u64, round: &Round) {
    let (bare, clicks, postbacks) = (round.bare.rate(), round.clicks.run.rate(), round.postbacks.run.rate());
    let (click_ratio, postback_ratio) = (click_ratio(round), postback_ratio(round));
    let (batched, factor) = (round.batches.rate(), batch_factor(round));
    println!(
        "{number:>5} {bare:>8.0} {clicks:>9.0} {click_ratio:>6.3} {postbacks:>12.0} {postback_ratio:>6.3} \
         {batched:>10.0} {factor:>7.2}"
    );
}

/// The figures over all rounds.
pub struct Figures<'a> {
    /// The rounds.
    pub rounds: &'a [Round],
    /// What ran beside them.
    pub beside: &'a [Measured],
    /// The most memory that the server has held.
    pub peak_memory_mb: f64,
}

impl Figures<'_> {
    /// Prints the table.
    pub fn print(&self) {
        println!("\nmedians of {} rounds:\n", self.rounds.len());
        println!("              per second  ratio  p50 ms  p99 ms  CPU ms each");
        let line = |name: &str, ratio: f64, cpu: Option<f64>, run: &dyn Fn(&Round) -> &Run| {
            let cpu = cpu.map_or(String::new(), |cpu| format!("{cpu:>12.3}"));
            let [rate, p50, p99] = self.medians(run);
            println!("{name:<12} {rate:>11.0} {ratio:>6.3} {p50:>7.2} {p99:>7.2} {cpu}");
        };
        line("bare 302", 1.0, None, &bare);
        line("clicks", self.median(click_ratio), Some(self.cpu_ms(clicks)), &|round| &round.clicks.run);
        line("postbacks", self.median(postback_ratio), Some(self.cpu_ms(postbacks)), &|round| {
            &round.postbacks.run
        });
        println!(
            "in batches: {:.0} conversions a second, {:.2} times as many as singly, CPU ms each {:.3}; a batch of 1,000: p50 {:.0} ms, p99 {:.0} ms",
            self.median(|round| round.batches.rate()),
            self.median(batch_factor),
            self.cpu_ms(batches),
            self.median(|round| round.batches.run.p50_ms),
            self.median(|round| round.batches.run.p99_ms),
        );
        println!("\npeak memory of the server: {:.1} MB", self.peak_memory_mb);
        println!(
            "answered, and stored, with what ran beside the rounds: {} and {}",
            self.answered(),
            self.stored()
        );
        println!("errors: {}", self.errors());
    }

    /// The line for programs.
    pub fn to_json(&self, load: &Load, database: &str) -> Value {
        let [bare_rps, bare_p50, bare_p99] = self.medians(&bare);
        let [click_rps, click_p50, click_p99] = self.medians(&|round| &round.clicks.run);
        let [postback_rps, postback_p50, postback_p99] = self.medians(&|round| &round.postbacks.run);
        json!({
            "database": database, "rounds": load.rounds, "seconds": load.seconds,
            "connections": load.connections,
            "bare_rps": bare_rps.round(), "click_rps": click_rps.round(), "postback_rps": postback_rps.round(),
            "click_ratio": rounded(self.median(click_ratio)), "postback_ratio": rounded(self.median(postback_ratio)),
            "bare_p50_ms": rounded(bare_p50), "bare_p99_ms": rounded(bare_p99), "click_p50_ms": rounded(click_p50), "click_p99_ms": rounded(click_p99),
            "postback_p50_ms": rounded(postback_p50), "postback_p99_ms": rounded(postback_p99),
            "batch_rps": self.median(|round| round.batches.rate()).round(), "batch_factor": rounded(self.median(batch_factor)),
            "batch_p50_ms": rounded(self.median(|round| round.batches.run.p50_ms)), "batch_p99_ms": rounded(self.median(|round| round.batches.run.p99_ms)),
            "cpu_ms_per_batched_conversion": rounded(self.cpu_ms(batches)),
            "answered": self.answered(), "stored": self.stored(), "errors": self.errors(),
            "cpu_ms_per_click": rounded(self.cpu_ms(clicks)), "cpu_ms_per_conversion": rounded(self.cpu_ms(postbacks)),
            "peak_memory_mb": rounded(self.peak_memory_mb),
        })
    }

    /// True if nothing went wrong in any load, and each answer has its row.
    pub fn are_sound(&self) -> bool {
        self.errors() == 0 && self.all().all(Measured::is_sound)
    }

    fn all(&self) -> impl Iterator<Item = &Measured> {
        self.rounds
            .iter()
            .flat_map(|round| [&round.clicks, &round.postbacks, &round.batches])
            .chain(self.beside)
    }

    fn answered(&self) -> u64 {
        self.all().map(Measured::answered).sum()
    }

    fn stored(&self) -> u64 {
        self.all().map(|measured| measured.stored).sum()
    }

    fn errors(&self) -> u64 {
        let bare: u64 = self.rounds.iter().map(|round| round.bare.failures()).sum();
        bare + self.all().map(|measured| measured.run.failures()).sum::<u64>()
    }

    fn cpu_ms(&self, of: fn(&Round) -> &Measured) -> f64 {
        self.median(|round| of(round).cpu_ms_each())
    }

    /// Rate, p50 and p99.
    fn medians(&self, run: &dyn Fn(&Round) -> &Run) -> [f64; 3] {
        [
            self.median(|round| run(round).rate()),
            self.median(|round| run(round).p50_ms),
            self.median(|round| run(round).p99_ms),
        ]
    }

    fn median(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure).collect())
    }
}

fn bare(round: &Round) -> &Run {
    &round.bare
}

fn clicks(round: &Round) -> &Measured {
    &round.clicks
}

fn postbacks(round: &Round) -> &Measured {
    &round.postbacks
}

fn batches(round: &Round) -> &Measured {
    &round.batches
}

fn click_ratio(round: &Round) -> f64 {
    round.clicks.run.rate() / round.bare.rate()
}

fn postback_ratio(round: &Round) -> f64 {
    round.postbacks.run.rate() / round.bare.rate()
}

/// How many times as many postbacks are counted in batches as singly.
fn batch_factor(round: &Round) -> f64 {
    round.batches.rate() / round.postbacks.rate()
}

/// The middle one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 { figures[middle] } else { (figures[middle - 1] + figures[middle]) / 2.0 }
}

/// With three decimals.
pub fn rounded(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}
