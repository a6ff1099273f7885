//! Compares language codes: playlists use ISO 639-1 (`de`, `en-GB`; RFC 5646), transport streams and MP4 use ISO 639-2 (`deu`, or
//! `ger` in its bibliographic form). Pure functions.

/// The languages with a code of two letters (ISO 639-1): it, the terminology code of ISO 639-2, and the bibliographic one where it
/// differs.
const CODES: &str = "aa aar,ab abk,ae ave,af afr,ak aka,am amh,an arg,ar ara,as asm,av ava,ay aym,az aze,ba bak,be bel,bg bul,\
    bi bis,bm bam,bn ben,bo bod tib,br bre,bs bos,ca cat,ce che,ch cha,co cos,cr cre,cs ces cze,cu chu,cv chv,\
    cy cym wel,da dan,de deu ger,dv div,dz dzo,ee ewe,el ell gre,en eng,eo epo,es spa,et est,eu eus baq,\
    fa fas per,ff ful,fi fin,fj fij,fo fao,fr fra fre,fy fry,ga gle,gd gla,gl glg,gn grn,gu guj,gv glv,ha hau,\
    he heb,hi hin,ho hmo,hr hrv,ht hat,hu hun,hy hye arm,hz her,ia ina,id ind,ie ile,ig ibo,ii iii,ik ipk,\
    io ido,is isl ice,it ita,iu iku,ja jpn,jv jav,ka kat geo,kg kon,ki kik,kj kua,kk kaz,kl kal,km khm,kn kan,\
    ko kor,kr kau,ks kas,ku kur,kv kom,kw cor,ky kir,lb ltz,lg lug,li lim,ln lin,lo lao,lt lit,lu lub,lv lav,\
    mg mlg,mh mah,mi mri mao,mk mkd mac,ml mal,mn mon,mr mar,ms msa may,mt mlt,my mya bur,na nau,nb nob,nd nde,\
    ne nep,ng ndo,nl nld dut,nn nno,no nor,nr nbl,nv nav,ny nya,oc oci,oj oji,om orm,or ori,os oss,pa pan,\
    pi pli,pl pol,ps pus,pt por,qu que,rm roh,rn run,ro ron rum,ru rus,rw kin,sa san,sc srd,sd snd,se sme,\
    sg sag,si sin,sk slk slo,sl slv,sm smo,sn sna,so som,sq sqi alb,sr srp,ss ssw,st sot,su sun,sv swe,sw swa,\
    ta tam,te tel,tg tgk,th tha,ti tir,tk tuk,tl tgl,tn tsn,to ton,tr tur,ts tso,tt tat,tw twi,ty tah,ug uig,\
    uk ukr,ur urd,uz uzb,ve ven,vi vie,vo vol,wa wln,wo wol,xh xho,yi yid,yo yor,za zha,zh zho chi,zu zul";

/// Whether two codes mean the same language. Case and everything after the first `-` do not count: `en` is `en-GB` and `eng`. A
/// code that is not in the table is equal only to itself.
pub fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (primary(one), primary(other));
    let known = |code: &str| CODES.split(',').find(|language| language.split(' ').any(|known| known == code));
    !one.is_empty()
        && (one == other || known(&one).is_some_and(|language| language.split(' ').any(|code| code == other)))
}

/// Whether a text is a language code that can be looked for: letters, digits and `-`, as in RFC 5646, with two or three letters first.
pub fn is_code(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let letters = matches!(first.len(), 2 | 3) && first.bytes().all(|byte| byte.is_ascii_alphabetic());
    letters && parts.all(|part| matches!(part.len(), 1..=8) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn primary(code: &str) -> String {
    code.split('-').next().unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_one_language_are_the_same() {
        for (one, other) in [
            ("de", "deu"),
            ("ger", "de"),
            ("GER", "deu"),
            ("en", "en-GB"),
            ("en-US", "eng"),
            ("qaa", "QAA"),
            ("zh", "chi"),
        ] {
            assert!(is_same(one, other) && is_same(other, one), "{one} {other}");
        }
        for (one, other) in
            [("de", "en"), ("deu", "dan"), ("", ""), ("", "de"), ("qaa", "qab"), ("e", "en"), ("en,", "en")]
        {
            assert!(!is_same(one, other) && !is_same(other, one), "{one} {other}");
        }
    }

    #[test]
    fn each_code_is_of_one_language() {
        let mut codes: Vec<&str> = CODES.split([',', ' ']).collect();
        assert!(
            codes.iter().all(|code| matches!(code.len(), 2 | 3) && code.bytes().all(|byte| byte.is_ascii_lowercase()))
        );
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn texts_that_are_no_codes() {
        assert!(["de", "deu", "en-GB", "zh-Hant-TW", "DE"].iter().all(|code| is_code(code)));
        assert!(["", "d", "german", "d3", "de-", "de_AT", "de-toolongapart"].iter().all(|code| !is_code(code)));
    }
}
