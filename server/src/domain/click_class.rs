//! Tells clicks of people from those of machines that say what they are.
//! It judges by headers alone; a machine that pretends to be a person is not found here.

use super::words::words;

use woothee::parser::Parser;

/// Real User-Agents are shorter; what lies beyond is not worth the time of the patterns.
const MOST_USER_AGENT_BYTES: usize = 1_024;

/// Crawlers, link previews, monitors and mail scanners that name themselves, in lower case.
///
/// HTTP libraries (curl, okhttp, python-requests) are left out on purpose: apps click with them.
const BOT_MARKS: [&str; 56] = [
    // Link previews of messengers and networks.
    "facebookexternalhit",
    "facebot",
    "meta-externalagent",
    "meta-externalfetcher",
    "slackbot",
    "slack-imgproxy",
    "twitterbot",
    "whatsapp/",
    "telegrambot",
    "linkedinbot",
    "discordbot",
    "skypeuripreview",
    "pinterestbot",
    "redditbot",
    "vkshare",
    "pinterest/0.",
    "iframely",
    "embedly",
    "mastodon/",
    "bluesky cardyb",
    "google-pagerenderer",
    // Search engines and other crawlers.
    "googlebot",
    "google-inspectiontool",
    "googleother",
    "adsbot",
    "mediapartners-google",
    "apis-google",
    "feedfetcher-google",
    "storebot-google",
    "bingbot",
    "bingpreview",
    "adidxbot",
    "yandexbot",
    "baiduspider",
    "duckduckbot",
    "applebot",
    "amazonbot",
    "petalbot",
    "bytespider",
    "ahrefsbot",
    "semrushbot",
    "mj12bot",
    "dotbot",
    "gptbot",
    "chatgpt-user",
    "claudebot",
    "ccbot",
    // Security and mail scanners.
    "google-safety",
    "barracuda",
    "proofpoint",
    // Browsers without a person, and monitors.
    "headlesschrome",
    "phantomjs",
    "chrome-lighthouse",
    "uptimerobot",
    "pingdom",
    "statuscake",
];

/// Endings by which many machines tell what they are: `SomethingBot/1.0`.
const BOT_ENDINGS: [&str; 6] = ["bot/", "bot;", "bot)", "crawler", "spider", "lighthouse"];

words! {
    /// What kind of click it is; reports count `human` ones unless asked otherwise.
    ClickClass {
        /// Nothing speaks against a person.
        Human = "human",
        /// A machine that names itself.
        Bot = "bot",
        /// A browser that loads ahead of a visit that may never come.
        Prefetch = "prefetch",
        /// A click that must not count, such as one on a paused link; never the result of [`classify`].
        Invalid = "invalid",
    }
}

/// Judges a click by whether its User-Agent names a machine, and by its `Sec-Purpose`, `Purpose` or `X-Moz` header.
/// Prefetching wins over being a bot.
pub fn classify(is_bot: bool, purpose: Option<&str>) -> ClickClass {
    if purpose.is_some_and(is_prefetch) {
        ClickClass::Prefetch
    } else if is_bot {
        ClickClass::Bot
    } else {
        ClickClass::Human
    }
}

fn is_prefetch(purpose: &str) -> bool {
    let lower = purpose.to_ascii_lowercase();
    ["prefetch", "prerender", "preview"].iter().any(|word| lower.contains(word))
}

/// Whether a User-Agent names a machine. An empty one does not: apps often send none.
pub fn is_bot(user_agent: &str) -> bool {
    let user_agent = &user_agent[..user_agent.floor_char_boundary(MOST_USER_AGENT_BYTES)];
    let lower = user_agent.to_ascii_lowercase();
    let named = BOT_MARKS.iter().chain(&BOT_ENDINGS).any(|mark| lower.contains(mark));
    named || Parser::new().parse(user_agent).is_some_and(|found| found.category == "crawler")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ClickClass::*;
    use proptest::prelude::*;

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";

    #[test]
    fn people_and_http_libraries_are_human() {
        for user_agent in [
            "",
            CHROME,
            "curl/8.5.0",
            "Wget/1.21.4",
            "python-requests/2.32.3",
            "okhttp/4.12.0",
            "Go-http-client/2.0",
            "axios/1.7.2",
            "Java/17.0.2",
            "PostmanRuntime/7.39.0",
            "reqwest/0.13",
            "Apache-HttpClient/4.5.14 (Java/17)",
            "libwww-perl/6.77",
            "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8)",
            "MyShop/1.2 CFNetwork/1496 Darwin/23.5.0",
            "Mozilla/5.0 (Linux; Android 9; CUBOT X18 Plus) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/470]",
        ] {
            assert!(!is_bot(user_agent), "{user_agent}");
        }
        assert_eq!(classify(false, None), Human);
    }

    #[test]
    fn machines_that_name_themselves_are_bots() {
        for user_agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "AdsBot-Google (+http://www.google.com/adsbot.html)",
            "facebookexternalhit/1.1",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Twitterbot/1.0",
            "WhatsApp/2.23.20.0",
            "TelegramBot (like TwitterBot)",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0)",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "SkypeUriPreview Preview/0.5",
            "Google-Safety (+http://www.google.com/bot.html)",
            "Mozilla/5.0 HeadlessChrome/126.0.0.0 Safari/537.36",
            "Mozilla/5.0 Chrome-Lighthouse",
            "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
            "BarracudaCentral",
            "Mozilla/5.0 Proofpoint URL Defense",
            "SomethingNew-Crawler 1.0",
            "Example.comBot/0.1",
            "FACEBOOKEXTERNALHIT/1.1",
        ] {
            assert!(is_bot(user_agent), "{user_agent}");
        }
    }

    #[test]
    fn prefetching_wins() {
        for purpose in
            ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip", "Prerender", "preview"]
        {
            assert_eq!(classify(false, Some(purpose)), Prefetch);
            assert_eq!(classify(true, Some(purpose)), Prefetch);
        }
        assert_eq!(classify(false, Some("")), Human);
        assert_eq!(classify(true, Some("navigate")), Bot);
    }

    #[test]
    fn the_words_read_back() {
        for class in [Human, Bot, Prefetch, Invalid] {
            assert_eq!(ClickClass::parse(class.as_str()), Some(class));
        }
        assert_eq!(ClickClass::parse("Human"), None);
    }

    #[test]
    fn the_marks_are_lower_case() {
        assert!(BOT_MARKS.iter().chain(&BOT_ENDINGS).all(|mark| *mark == mark.to_ascii_lowercase()));
    }

    proptest! {
        #[test]
        fn judging_never_panics(user_agent in any::<String>(), purpose in any::<String>()) {
            let _ = classify(is_bot(&user_agent), Some(&purpose));
        }
    }
}
