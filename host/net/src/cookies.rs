//! The cookies of one source. `cookie_store` decides by RFC 6265 where they are sent; this module limits their number, as a server
//! may set any number.
//!
//! A cookie is kept for the host that set it, or for a domain of this host, until it expires. Limits: [`COOKIE_BYTES_MAX`],
//! [`COOKIES_PER_ANSWER_MAX`], [`COOKIES_PER_HOST_MAX`], [`COOKIES_MAX`]; above the last two, the oldest cookie is removed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use cookie_store::{Cookie, CookieStore};
use reqwest::header::HeaderValue;
use url::Url;

use crate::limits::{COOKIE_BYTES_MAX, COOKIES_MAX, COOKIES_PER_ANSWER_MAX, COOKIES_PER_HOST_MAX};

/// A cookie jar with limits, as reqwest uses it.
#[derive(Debug, Default)]
pub struct Jar(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    store: CookieStore,
    /// The cookies in the order in which they were set, oldest first.
    order: VecDeque<Id>,
}

/// The identity of a cookie by RFC 6265.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Id {
    domain: String,
    path: String,
    name: String,
}

impl Id {
    fn of(cookie: &Cookie<'_>) -> Self {
        let (domain, path) = (String::from(&cookie.domain), String::from(&cookie.path));
        Self { domain, path, name: cookie.name().to_owned() }
    }
}

impl Held {
    fn add(&mut self, text: &str, url: &Url) {
        let Ok(cookie) = Cookie::parse(text, url).map(Cookie::into_owned) else { return };
        let id = Id::of(&cookie);
        // A domain without a dot is a top-level domain, shared by everybody, unless it is the host itself.
        if !id.domain.contains('.') && url.host_str() != Some(&id.domain) {
            return;
        }
        let expired = cookie.is_expired();
        if self.store.insert(cookie, url).is_err() && !expired {
            return;
        }
        self.order.retain(|known| *known != id);
        if expired {
            self.store.remove(&id.domain, &id.path, &id.name);
            return;
        }
        let of_host = self.order.iter().filter(|known| known.domain == id.domain).count();
        let oldest = if of_host >= COOKIES_PER_HOST_MAX {
            self.order.iter().position(|known| known.domain == id.domain)
        } else {
            (self.order.len() >= COOKIES_MAX).then_some(0)
        };
        if let Some(old) = oldest.and_then(|at| self.order.remove(at)) {
            self.store.remove(&old.domain, &old.path, &old.name);
        }
        self.order.push_back(id);
    }

    fn sweep(&mut self) {
        let over: Vec<Id> = self.store.iter_any().filter(|cookie| cookie.is_expired()).map(Id::of).collect();
        for id in over {
            self.store.remove(&id.domain, &id.path, &id.name);
            self.order.retain(|known| *known != id);
        }
    }
}

impl reqwest::cookie::CookieStore for Jar {
    fn set_cookies(&self, headers: &mut dyn Iterator<Item = &HeaderValue>, url: &Url) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.sweep();
        let texts = headers.take(COOKIES_PER_ANSWER_MAX).filter(|text| text.len() <= COOKIE_BYTES_MAX);
        for text in texts.filter_map(|text| text.to_str().ok()) {
            held.add(text, url);
        }
    }

    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = held.store.get_request_values(url).map(|(name, value)| format!("{name}={value}"));
        let text = pairs.collect::<Vec<_>>().join("; ");
        if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::cookie::CookieStore as _;

    use super::*;

    fn set(jar: &Jar, url: &str, cookies: &[String]) {
        let headers: Vec<HeaderValue> = cookies.iter().map(|text| HeaderValue::try_from(text).unwrap()).collect();
        jar.set_cookies(&mut headers.iter(), &url.parse().unwrap());
    }

    fn sent(jar: &Jar, url: &str) -> Vec<String> {
        let text = jar.cookies(&url.parse().unwrap()).map(|value| value.to_str().unwrap().to_owned());
        let mut pairs: Vec<String> = text.unwrap_or_default().split("; ").map(str::to_owned).collect();
        pairs.retain(|pair| !pair.is_empty());
        pairs.sort();
        pairs
    }

    fn held(jar: &Jar) -> (usize, usize) {
        let held = jar.0.lock().unwrap();
        (held.order.len(), held.store.iter_any().count())
    }

    #[test]
    fn cookies_go_where_they_came_from() {
        let jar = Jar::default();
        set(&jar, "https://a.example/live/x", &["k=1; Path=/live".into(), "d=2; Domain=example; Path=/".into()]);
        set(&jar, "https://a.example/", &["w=3; Domain=a.example; Path=/".into(), "o=4; Domain=b.example".into()]);
        assert_eq!(sent(&jar, "https://a.example/live/y"), ["k=1", "w=3"], "not for a domain that it is not in");
        assert_eq!(sent(&jar, "https://c.a.example/"), ["w=3"]);
        assert_eq!(sent(&jar, "https://b.example/"), [""; 0]);
        set(
            &jar,
            "https://a.example/live/x",
            &["k=9; Path=/live".into(), "w=; Domain=a.example; Path=/; Max-Age=0".into()],
        );
        assert_eq!((sent(&jar, "https://a.example/live/y"), held(&jar)), (vec!["k=9".to_owned()], (1, 1)));
    }

    #[test]
    fn what_is_too_much_pushes_out_the_oldest() {
        let jar = Jar::default();
        for n in 0..10_000 {
            set(&jar, "http://h.test/", &[format!("c{n}={n}; Path=/{n}")]);
        }
        assert_eq!(held(&jar), (COOKIES_PER_HOST_MAX, COOKIES_PER_HOST_MAX));
        assert_eq!(sent(&jar, "http://h.test/9999"), ["c9999=9999"]);
        for n in 0..1000 {
            set(&jar, &format!("http://h{n}.test/"), &["a=1".into(), "b=2".into()]);
        }
        assert_eq!(held(&jar), (COOKIES_MAX, COOKIES_MAX));
        let many: Vec<String> = (0..1000).map(|n| format!("m{n}=1")).collect();
        set(&jar, "http://many.test/", &many);
        assert_eq!(sent(&jar, "http://many.test/").len(), COOKIES_PER_ANSWER_MAX.min(COOKIES_PER_HOST_MAX));
    }

    #[test]
    fn large_and_expired_ones_are_not_kept() {
        let jar = Jar::default();
        set(&jar, "http://h.test/", &[format!("large={}", "x".repeat(COOKIE_BYTES_MAX))]);
        set(&jar, "http://h.test/", &["old=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT".into(), "new=1".into()]);
        assert_eq!((sent(&jar, "http://h.test/"), held(&jar)), (vec!["new=1".to_owned()], (1, 1)));
    }
}
