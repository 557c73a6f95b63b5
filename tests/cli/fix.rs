//! `check --fix`: what has one mend is mended, and nothing else is touched.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::harness::Folder;
use crate::runner::{CLEAN, run, with_catalog};

/// With each kind of mend, and a comment wherever one can stand.
const BROKEN: &str = r#"# head
minimum_api_version: 2.10 # version
services:
  # before the id
  - id: 6f2b6f54-9d7c-4c39-9a36-5f7f0e0e6f10 # the id
    name: shared-postgres
    description: A database
    bindable: true
    # above the vendor's key
    cost_center: 12 # beside it
    invoice:
      # inside it
      code: "a # no comment"
    binding:
      credentials:
        user: {{ binding.id }} # unquoted
        host: db.example.com
    plans:
      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11
        name: small # the name
        description: 1 GB
        flow_vendor: { a: 1 } # in braces
# foot
"#;

fn comments(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .lines()
        .filter_map(|line| line.split_once("# "))
        .map(|(_, comment)| comment.trim_end().to_owned())
        .collect();
    found.sort();
    found
}

#[test]
fn what_has_one_mend_is_mended_and_comments_stay() {
    let folder = with_catalog(BROKEN);
    let path = folder.path().join("catalog.yaml");
    run(&folder, &["check"]).exits(1);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        BROKEN,
        "check alone changes nothing"
    );

    let ran = run(&folder, &["check", "--fix"]).exits(0);
    let fixed = fs::read_to_string(&path).unwrap();
    assert_eq!(comments(&fixed), comments(BROKEN), "{fixed}");
    assert_eq!(comments(BROKEN).len(), 12, "the search sees the comments");
    for mended in ["minimum_api_version", "cost_center", "user"] {
        let told = ": mended: ";
        let line = ran
            .out
            .lines()
            .find(|line| line.contains(told) && line.contains(mended));
        assert!(line.is_some(), "{mended}: {}", ran.out);
    }
    for written in [
        "minimum_api_version: \"2.10\" # version",
        "    extensions:\n",
        "user: \"{{ binding.id }}\" # unquoted",
    ] {
        assert!(fixed.contains(written), "{written}: {fixed}");
    }
    // Everything else is as it was, to the byte.
    let kept = |text: &str| {
        let lines = text
            .lines()
            .map(|line| line.replace('"', "").trim().to_owned());
        let mut lines: Vec<_> = lines.filter(|line| line != "extensions:").collect();
        lines.sort();
        lines
    };
    assert_eq!(kept(&fixed), kept(BROKEN));

    run(&folder, &["check"]).exits(0);
    let again = run(&folder, &["check", "--fix"]).exits(0);
    assert!(!again.out.contains("mended"), "{again:?}");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        fixed,
        "a second time changes nothing"
    );
    // What a vendor added is published beside the rest, as before.
    let published = run(&folder, &["render"]).exits(0).json();
    assert_eq!(
        published["services"][0]["invoice"]["code"],
        "a # no comment"
    );
}

/// A vendor's key that is the first of its list item: what follows the dash has to stay an item.
#[test]
fn the_first_key_behind_a_dash_moves_too() {
    let plan = "      - id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11\n        name: small # the name\n";
    let rest = "        description: 1 GB\n        flow_vendor: { a: 1 } # in braces\n";
    assert!(BROKEN.contains(&format!("{plan}{rest}")));
    let id = "id: 0c1e3a0e-4a2b-4f38-9a3e-0f6a4f1c2d11\n";
    for (first, extensions) in [
        ("tier: gold # how good", ""),
        ("tier:\n          # inside\n          level: gold", ""),
        (
            "tier: gold # how good",
            "        extensions:\n          more: 1\n",
        ),
        ("tier: gold # how good", "        extensions: { more: 1 }\n"),
    ] {
        let written = format!(
            "      # above\n      - {first}\n        {id}{extensions}        name: small # the name\n"
        );
        let document = BROKEN.replace(plan, &written);
        let folder = with_catalog(&document);
        let ran = run(&folder, &["check", "--fix"]);
        let fixed = fs::read_to_string(folder.path().join("catalog.yaml")).unwrap();
        if extensions.contains('{') {
            // Not line by line: it is told and left.
            ran.exits(1);
            assert!(fixed.contains(&written), "{fixed}");
            continue;
        }
        ran.exits(0);
        assert_eq!(comments(&fixed), comments(&document), "{fixed}");
        let published = run(&folder, &["render"]).exits(0).json();
        let plan = &published["services"][0]["plans"][0];
        let tier = &plan["tier"];
        assert!(tier == "gold" || tier["level"] == "gold", "{fixed}");
        assert_eq!(plan["flow_vendor"]["a"], 1, "{fixed}");
        assert_eq!(plan["name"], "small");
    }
}

#[test]
fn what_cannot_be_mended_is_told_and_left() {
    let document = BROKEN.replace("bindable: true", "bindable: perhaps");
    let folder = with_catalog(&document);
    let ran = run(&folder, &["check", "--fix"]).exits(1);
    assert!(
        ran.out.contains("mended: minimum_api_version"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("error: services[0].bindable"),
        "{}",
        ran.out
    );
    assert!(ran.out.ends_with("1 error\n"), "{}", ran.out);
    let fixed = fs::read_to_string(folder.path().join("catalog.yaml")).unwrap();
    assert!(fixed.contains("bindable: perhaps\n"), "{fixed}");
}

#[test]
fn machines_get_what_is_left_and_people_beside_them_what_was_changed() {
    let folder = with_catalog(BROKEN);
    let ran = run(&folder, &["check", "--fix", "--format", "json"]).exits(0);
    assert_eq!(ran.json(), serde_json::json!({ "findings": [] }));
    assert!(ran.err.contains("mended: minimum_api_version"), "{ran:?}");
}

#[test]
fn permissions_and_links_stay_and_nothing_is_left_beside() {
    let folder = Folder::new();
    let path = folder.write("real/catalog.yaml", BROKEN);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real/catalog.yaml", folder.path().join("catalog.yaml")).unwrap();
    run(&folder, &["check", "--fix"]).exits(0);
    let link = fs::symlink_metadata(folder.path().join("catalog.yaml")).unwrap();
    assert!(link.file_type().is_symlink());
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert_ne!(fs::read_to_string(&path).unwrap(), BROKEN);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn of_a_folder_the_files_with_findings_are_written_and_vars_files_never() {
    let folder = Folder::new();
    let (head, services) = BROKEN.split_once("services:").unwrap();
    let one = folder.write("parts/a.yaml", head);
    let other = folder.write("parts/b.yaml", &format!("services:{services}"));
    // This has a mend too, and is no file of the document.
    let vars = folder.write("vars.yaml", "host: {{ x }}\n");
    let ran = run(&folder, &["check", "--fix", "parts", "--vars", "vars.yaml"]).exits(1);
    assert!(ran.out.contains("parts/a.yaml:2:22: mended"), "{ran:?}");
    assert!(ran.out.contains("vars.yaml:1:7: error"), "{ran:?}");
    assert!(fs::read_to_string(&one).unwrap().contains("\"2.10\""));
    assert!(fs::read_to_string(&other).unwrap().contains("extensions:"));
    assert_eq!(fs::read_to_string(&vars).unwrap(), "host: {{ x }}\n");
}

#[test]
fn a_file_without_findings_is_not_written() {
    let folder = Folder::new();
    let (_, services) = CLEAN.split_once("services:").unwrap();
    let clean = folder.write("parts/b.yaml", &format!("services:{services}"));
    folder.write("parts/a.yaml", "minimum_api_version: 2.10\n");
    let inode = |path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&clean);
    run(&folder, &["check", "--fix", "parts"]).exits(0);
    assert_eq!(inode(&clean), before);
}

#[test]
fn line_ends_and_a_byte_order_mark_stay() {
    for document in [
        CLEAN.replace('\n', "\r\n"),
        format!("\u{feff}{CLEAN}"),
        CLEAN.replace("A database", "Ä 数 🐘"),
    ] {
        let folder = with_catalog(&document.replace("\"2.10\"", "2.10"));
        run(&folder, &["check", "--fix"]).exits(0);
        let fixed = fs::read_to_string(folder.path().join("catalog.yaml")).unwrap();
        assert_eq!(fixed, document);
    }
}

#[test]
fn what_is_not_utf_8_is_not_written() {
    let folder = Folder::new();
    let mut bytes = BROKEN.as_bytes().to_vec();
    bytes.extend(b"# \xff\n");
    let path = folder.write("catalog.yaml", "");
    fs::write(&path, &bytes).unwrap();
    let ran = run(&folder, &["check", "--fix"]);
    assert!([1, 2].contains(&ran.code), "{ran:?}");
    assert!(!ran.out.contains("mended"), "{ran:?}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
