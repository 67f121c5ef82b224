//! Links in the pages of sites: what they count from, what generators find by other means, and what a build makes.

use std::path::{Path, PathBuf};

use interlock::sequence::{
    lint::{Entry, Library, Site, Source, lint},
    mermaid::Mode,
};

use crate::findings::{Texts, said, written};

/// A site with pages in a folder of its own.
struct Pages(Texts, Site);

impl Library for Pages {
    fn site(&self, _: &Path) -> Option<Site> {
        Some(self.1.clone())
    }

    fn ignored(&self, path: &Path) -> bool {
        path.ends_with("reference/made.md")
    }

    fn entry(&self, path: &Path) -> Entry {
        self.0.entry(path)
    }

    fn any(&self, folder: &Path, pattern: &str) -> bool {
        self.0.any(folder, pattern)
    }

    fn text(&self, path: &Path) -> Option<String> {
        self.0.text(path)
    }

    fn folders(&self, document: &Path) -> Vec<PathBuf> {
        self.0.folders(document)
    }
}

fn of_site(files: &[(&str, &'static str)], site: Site) -> String {
    let sources: Vec<Source> =
        files.iter().map(|(path, text)| Source { path: path.into(), text: (*text).to_owned() }).collect();
    let texts = Texts(files.iter().map(|(path, text)| (PathBuf::from(path), *text)).collect());
    written(&sources, &lint(&sources, &Pages(texts, site), Mode::Lenient))
}

#[test]
fn links_of_a_site_count_from_its_root_and_need_no_ending() {
    let files = [
        (
            "docs/guide/doc.md",
            "# T\n\n[a](/guide/pay) [b](./pay) [c](/guide/pay.html#two) [d](/guide/) [e](../pay) [f](pay.md#Two_Words)\n\n\
             [gone](/guide/gone) [gone](./gone) [gone](gone.md) [gone](/guide/pay#three) [i](../../issues) [v]({{ site.url }}/x) [s](@site/x)\n",
        ),
        ("docs/guide/pay.md", "# Pay\n\n## Two {#two}\n\n## Two words\n"),
        ("docs/guide/index.md", "# Guide\n"),
    ];
    let lint_of = |named: bool| {
        let text = of_site(&files, Site { roots: vec!["docs".into()], named, labels: false });
        text.lines().filter_map(|line| Some(line.split_once(' ')?.1.to_owned() + "\n")).collect::<String>()
    };
    insta::assert_snapshot!(lint_of(true), @r"
    IL-SEQ-040 there is no `/guide/gone`
    IL-SEQ-040 there is no `docs/guide/gone`
    IL-SEQ-040 there is no `docs/guide/gone.md`
    IL-SEQ-041 `/guide/pay` has no anchor `three`
    ");
    // What a generator makes of other things cannot be known; a file that is named is a file.
    insta::assert_snapshot!(lint_of(false), @r"
    IL-SEQ-047 there is no file for `/guide/gone`; the site's generator may make the page of something else
    IL-SEQ-047 there is no file for `./gone`; the site's generator may make the page of something else
    IL-SEQ-040 there is no `docs/guide/gone.md`
    IL-SEQ-041 `/guide/pay` has no anchor `three`
    ");
    // Without a site, a leading slash is the project's folder.
    insta::assert_snapshot!(said(&[("docs/a.md", "[a](/docs/b.md) [b](/b)\n"), ("docs/b.md", "# B\n")]), @"docs/a.md:1:17 IL-SEQ-040 there is no `/b`");
}

/// Folders beside the root of a site appear in it under their own names, and links between both are as the site has them.
#[test]
fn a_site_is_put_together_from_several_folders() {
    let files = [
        ("plans/one/index.md", "# P\n\n[a](../../guide/pay.md) [b](../../index.md) [gone](../../guide/gone.md)\n"),
        ("pages/guide/pay.md", "# Pay\n\n[a](../plans/one/index.md#p) [gone](../plans/two/index.md)\n"),
        ("pages/index.md", "# I\n"),
        ("README.md", "[no page of it](guide/pay.md)\n"),
    ];
    insta::assert_snapshot!(of_site(&files, Site { roots: vec!["pages".into()], ..Site::default() }), @r"
    plans/one/index.md:3:45 IL-SEQ-040 there is no `guide/gone.md`
    pages/guide/pay.md:3:30 IL-SEQ-040 there is no `pages/plans/two/index.md`
    README.md:1:1 IL-SEQ-040 there is no `guide/pay.md`
    ");
}

/// What a build makes is in no fresh clone: a page of HTML, and what git ignores.
#[test]
fn what_a_build_makes_is_no_error_on_a_site() {
    let files = [(
        "docs/guide/doc.md",
        "# T\n\n[a](../api/index.html) [b](../reference/made.md) [gone](../reference/lost.md)\n",
    )];
    insta::assert_snapshot!(of_site(&files, Site { roots: vec!["docs".into()], ..Site::default() }), @r"
    docs/guide/doc.md:3:1 IL-SEQ-047 there is no file for `../api/index.html`; the site's generator may make the page of something else
    docs/guide/doc.md:3:24 IL-SEQ-047 there is no file for `../reference/made.md`; the site's generator may make the page of something else
    docs/guide/doc.md:3:50 IL-SEQ-040 there is no `docs/reference/lost.md`
    ");
    // A forge shows the files of a clone, and nothing else.
    insta::assert_snapshot!(said(&files), @r"
    docs/guide/doc.md:3:1 IL-SEQ-040 there is no `docs/api/index.html`
    docs/guide/doc.md:3:24 IL-SEQ-040 there is no `docs/reference/made.md`
    docs/guide/doc.md:3:50 IL-SEQ-040 there is no `docs/reference/lost.md`
    ");
}

/// Pages are known by their front matter, too: their links need no ending, and may count from their own folder on the site.
#[test]
fn pages_are_known_by_their_front_matter() {
    let files = [
        (
            "docs/guide/doc.md",
            "---\ntitle: D\n---\n\n[a](./root.tsx) [b](../../conf/one.yaml) [gone](two.yaml) [c](/docs/#x)\n",
        ),
        ("docs/guide/root.tsx.md", "# R\n"),
        // No page of that site, as far as is known.
        ("docs/README.md", "# R\n"),
        ("docs/conf/one.yaml", "a: b\n"),
        ("docs/guide/plain.md", "[gone](./root.tsx)\n"),
    ];
    insta::assert_snapshot!(said(&files), @r"
    docs/guide/doc.md:5:42 IL-SEQ-040 there is no `docs/guide/two.yaml`
    docs/guide/plain.md:1:1 IL-SEQ-040 there is no `docs/guide/root.tsx`
    ");
}

/// Sphinx and MyST find labels of any document, and objects of the code.
#[test]
fn labels_and_objects_are_found_over_all_documents() {
    let files = [
        (
            "docs/a.md",
            "# A\n\n[x](#elsewhere) [y](#of-the-code) [z](till.pay.Till) [gone](gone.md) [gone](b.md#gone)\n",
        ),
        ("docs/b.md", "# B\n\n(elsewhere)=\n## C\n"),
    ];
    let site = |labels| Site { roots: vec!["docs".into()], named: false, labels };
    insta::assert_snapshot!(of_site(&files, site(true)), @r"
    docs/a.md:3:17 IL-SEQ-047 no document defines the label `of-the-code`; the site's generator may know it from elsewhere
    docs/a.md:3:35 IL-SEQ-047 there is no file for `till.pay.Till`; the site's generator may make the page of something else
    docs/a.md:3:54 IL-SEQ-040 there is no `docs/gone.md`
    docs/a.md:3:70 IL-SEQ-041 `docs/b.md` has no anchor `gone`
    ");
    assert_eq!(of_site(&files, site(false)).matches("IL-SEQ-04").count(), 5);
}
