//! URLs, redirects and headers.

use super::*;

#[tokio::test]
async fn relative_absolute_and_query_addresses() {
    let origin = Origin::start().await;
    let other = Origin::start().await;
    origin.put("/live/hd/a.ts", ts("a")).put("/live/b.ts", ts("b")).put("/top/c.ts", ts("c"));
    origin.put("/live/hd/q.ts", ts("q"));
    other.put("/cdn/d.ts", ts("d"));
    let far = other.url("/cdn/d.ts");
    let words = format!(
        "#EXTINF:1,\na.ts\n#EXTINF:1,\n../b.ts\n#EXTINF:1,\n/top/c.ts\n#EXTINF:1,\n{far}\n#EXTINF:1,\nq.ts?n=1&t=%20x\n"
    );
    origin.put("/live/hd/x.m3u8", format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{words}#EXT-X-ENDLIST\n"));
    let told = Run::start(origin.url("/live/hd/x.m3u8?session=1")).all().await;
    assert_eq!(told, ["0 a", "1 b", "2 c", "3 d", "4 q", "ended"]);
    assert_eq!(origin.asked("/live/hd/x.m3u8")[0].query, "session=1");
    assert_eq!(origin.asked("/live/hd/a.ts")[0].query, "", "a playlist's query is not inherited");
    assert_eq!(origin.asked("/live/hd/q.ts")[0].query, "n=1&t=%20x");
}

#[tokio::test]
async fn five_redirects_and_what_is_relative_to_the_last() {
    let origin = Origin::start().await;
    for hop in 1..=5 {
        origin.put(&format!("/hop{hop}/x.m3u8"), Reply::redirect(&format!("/hop{}/x.m3u8", hop + 1)));
    }
    origin.put("/hop6/x.m3u8", ended(0, "a")).put("/hop6/a.ts", ts("a"));
    assert_eq!(Run::start(origin.url("/hop1/x.m3u8")).all().await, ["0 a", "ended"]);
    origin.put("/hop0/x.m3u8", Reply::redirect("/hop1/x.m3u8"));
    let error = Run::start(origin.url("/hop0/x.m3u8")).error().await.to_string();
    assert!(error.contains("redirects") && error.contains("at most 5"), "{error}");
}

#[tokio::test]
async fn no_redirect_leaves_http() {
    let origin = Origin::start().await;
    origin.put("/x.m3u8", Reply::redirect("file:///etc/passwd?token=secret"));
    let error = Run::start(origin.url("/x.m3u8")).error().await.to_string();
    assert!(error.contains("redirects") && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn compressed_playlists() {
    let origin = origin_with("a").await;
    origin.put("/x.m3u8", Reply::from(ended(0, "a")).gzip());
    assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, ["0 a", "ended"]);
    assert_eq!(origin.asked("/x.m3u8")[0].header("accept-encoding"), "gzip");
}

#[tokio::test]
async fn cookies_come_back() {
    let origin = origin_with("a").await;
    origin.put("/x.m3u8", Reply::from(ended(0, "a")).header("set-cookie", "session=abc; Path=/"));
    assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, ["0 a", "ended"]);
    assert_eq!(origin.asked("/a.ts")[0].header("cookie"), "session=abc");
}

#[tokio::test]
async fn headers_go_home_and_where_they_are_listed() {
    let (origin, other, listed) = (origin_with("a").await, origin_with("b d").await, origin_with("c").await);
    let (far, near) = (other.url("/b.ts"), listed.url("/c.ts"));
    // A redirect may go wherever a playlist may.
    origin.put("/d.ts", Reply::redirect(other.url("/d.ts").as_str()));
    origin.put(
        "/x.m3u8",
        format!("#EXTM3U\n#EXTINF:1,\na.ts\n#EXTINF:1,\n{far}\n#EXTINF:1,\n{near}\n#EXTINF:1,\nd.ts\n#EXT-X-ENDLIST\n"),
    );
    let run = Run::with(origin.url("/x.m3u8"), |config| {
        let headers =
            [("Referer", "https://site/"), ("Authorization", "Bearer abc"), ("X-Key", "1"), ("User-Agent", "u/1")];
        config.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        config.header_hosts = vec![HeaderHost::parse(&format!("http://{}", near.authority())).unwrap()];
    });
    assert_eq!(run.all().await, ["0 a", "1 b", "2 c", "3 d", "ended"]);
    let secrets = ["authorization", "x-key", "referer"];
    for (home, path) in [(&origin, "/x.m3u8"), (&origin, "/a.ts"), (&origin, "/d.ts"), (&listed, "/c.ts")] {
        let asked = &home.asked(path)[0];
        assert_eq!(secrets.map(|name| asked.header(name)), ["Bearer abc", "1", "https://site/"], "{path}");
        assert_eq!(asked.header("user-agent"), "u/1");
    }
    for path in ["/b.ts", "/d.ts"] {
        let asked = &other.asked(path)[0];
        assert_eq!(secrets.map(|name| asked.header(name)), ["", "", ""], "{path}");
        assert_eq!(asked.header("user-agent"), "u/1");
    }
}

#[tokio::test]
async fn media_is_taken_as_it_is_and_not_unpacked() {
    let origin = origin_with("a").await;
    origin.put("/b.ts", Reply::ok(ts("b")).gzip()).put("/x.m3u8", ended(0, "a b"));
    let mut run = Run::start(origin.url("/x.m3u8"));
    assert_eq!(run.take(2).await, ["started vod", "0 a"]);
    let event = run.event().await;
    let Some(SourceEvent::Gap(Gap { reason: GapReason::Unusable(why), .. })) = event else { panic!("{event:?}") };
    let what = "expected media that is not compressed, got a body with Content-Encoding gzip";
    assert_eq!(why, format!("{}: {what}", origin.url("/b.ts")));
    assert!(origin.asked("/b.ts").iter().all(|asked| asked.header("accept-encoding") == "identity"));
}

#[tokio::test]
async fn a_login_in_the_url_is_used_at_home_and_shown_nowhere() {
    let (origin, other) = (origin_with("a").await, origin_with("b").await);
    let far = other.url("/b.ts");
    origin.put("/x.m3u8", format!("#EXTM3U\n#EXTINF:1,\na.ts\n#EXTINF:1,\n{far}\n#EXT-X-ENDLIST\n"));
    let mut url = origin.url("/x.m3u8");
    url.set_username("ann").unwrap();
    url.set_password(Some("p%40ss")).unwrap();
    let mut run = Run::with(url, |config| config.headers = vec![("User-Agent".into(), "mine/1".into())]);
    let told = run.take(4).await;
    assert_eq!(told, ["started vod", "0 a", "1 b", "ended"]);
    assert!(!run.last.unwrap().identity.uri.contains("ann"));
    for path in ["/x.m3u8", "/a.ts"] {
        let asked = &origin.asked(path)[0];
        assert_eq!(asked.header("authorization"), "Basic YW5uOnBAc3M=", "{path}");
        assert_eq!(asked.header("user-agent"), "mine/1");
    }
    assert_eq!(other.asked("/b.ts")[0].header("authorization"), "");
}
