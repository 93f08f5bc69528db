//! Clicks as they come in: many links, browsers, addresses, referrers, languages and sub ids. The same in each run.

/// How many different clicks there are.
const CLICKS: usize = 20_000;
const LANGUAGES: [&str; 12] = [
    "en-US,en;q=0.9",
    "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
    "fr-FR,fr;q=0.9,en;q=0.8",
    "es-ES,es;q=0.9",
    "pt-BR,pt;q=0.9,en-US;q=0.8",
    "it-IT,it;q=0.9,en;q=0.8",
    "pl-PL,pl;q=0.9,en-US;q=0.8,en;q=0.7",
    "nl-NL,nl;q=0.9,en;q=0.8",
    "ja,en-US;q=0.9,en;q=0.8",
    "tr-TR,tr;q=0.9",
    "sv-SE,sv;q=0.9,en;q=0.8",
    "en-GB,en;q=0.9",
];
const PLATFORMS: [&str; 4] = [
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "X11; CrOS x86_64 14541.0.0",
];
const PHONES: [&str; 10] = [
    "SM-S921B",
    "SM-A546B",
    "SM-G991U",
    "Pixel 8",
    "Pixel 7a",
    "2201116SG",
    "M2101K6G",
    "CPH2581",
    "XQ-DC54",
    "moto g84",
];
const BOTS: [&str; 6] = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "TelegramBot (like TwitterBot)",
];

/// A generator of numbers that look random and are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }
}

/// Whole requests for the links with these short codes.
pub fn requests(host: &str, codes: &[String]) -> Vec<String> {
    let (mut dice, browsers) = (Dice(1), browsers());
    (0..CLICKS).map(|number| request(&mut dice, number, host, codes, &browsers)).collect()
}

fn request(dice: &mut Dice, number: usize, host: &str, codes: &[String], browsers: &[String]) -> String {
    // Two of a hundred are machines that say so.
    let agent = if dice.roll(50) == 0 { *dice.pick(&BOTS) } else { dice.pick(browsers).as_str() };
    let (code, query, address) = (dice.pick(codes).clone(), query(dice, number), address(dice));
    let (referrer, language) = (referrer(dice), dice.pick(&LANGUAGES));
    format!(
        "GET /c/{code}?{query} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
         Accept-Language: {language}\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n{referrer}\
         Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n\
         Sec-Fetch-Site: cross-site\r\nX-Forwarded-For: {address}\r\nX-Forwarded-Proto: https\r\n\r\n"
    )
}

fn query(dice: &mut Dice, number: usize) -> String {
    let mut query = format!("sub1=placement-{}&sub2=audience_{}", dice.roll(500), dice.roll(40));
    for (name, chance) in [("sub3", 2), ("aff_sub4", 3), ("s5", 6)] {
        if dice.roll(chance) == 0 {
            query += &format!("&{name}=v{}%20{}", dice.roll(1_000), dice.roll(90));
        }
    }
    query += &match dice.roll(4) {
        0 => format!(
            "&source_id=feed-{}&ext_click_id=net{number:08x}{:08x}",
            dice.roll(300),
            dice.roll(1 << 32)
        ),
        1 => format!("&gclid=Cj0KCQjw{:016x}{:016x}EALw_wcB", dice.roll(1 << 60), dice.roll(1 << 60)),
        2 => format!("&site=site-{}.example&utm_source=mail&utm_campaign=autumn", dice.roll(800)),
        _ => String::new(),
    };
    query
}

fn address(dice: &mut Dice) -> String {
    if dice.roll(4) == 0 {
        return format!("2a02:{:x}:{:x}::{:x}", dice.roll(65_536), dice.roll(65_536), dice.roll(65_536));
    }
    format!("{}.{}.{}.{}", 11 + dice.roll(100), dice.roll(256), dice.roll(256), 1 + dice.roll(254))
}

fn referrer(dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => String::new(),
        1 => "Referer: https://www.google.com/\r\n".to_owned(),
        _ => format!("Referer: https://blog-{}.example/article/{}\r\n", dice.roll(400), dice.roll(9_000)),
    }
}

/// Some hundred browsers.
fn browsers() -> Vec<String> {
    let mut browsers = Vec::new();
    for version in 120..143 {
        for platform in PLATFORMS {
            let chrome = format!(
                "Mozilla/5.0 ({platform}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
            );
            browsers.push(format!("{chrome} Edg/{version}.0.0.0"));
            browsers.push(chrome);
            browsers
                .push(format!("Mozilla/5.0 ({platform}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"));
        }
        for phone in PHONES {
            let android = 11 + version % 5;
            browsers.push(format!(
                "Mozilla/5.0 (Linux; Android {android}; {phone}) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/{version}.0.0.0 Mobile Safari/537.36"
            ));
        }
    }
    for (major, minor) in (15..19).flat_map(|major| (0..6).map(move |minor| (major, minor))) {
        browsers.push(format!(
            "Mozilla/5.0 (iPhone; CPU iPhone OS {major}_{minor} like Mac OS X) AppleWebKit/605.1.15 \
             (KHTML, like Gecko) Version/{major}.{minor} Mobile/15E148 Safari/604.1"
        ));
        browsers.push(format!(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/{major}.{minor} Safari/605.1.15"
        ));
    }
    browsers
}
