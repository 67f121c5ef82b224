//! Platform files: the ones we ship load, wrong ones show their place, and the schema covers what may be written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{folder, interlock, interlock_with, platform, scenarios};

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => found.extend(yaml_files(&path)),
            path if path.extension().is_some_and(|e| e == "yaml" || e == "yml") => found.push(path),
            _ => {}
        }
    }
    found
}

/// The configuration and the users of scripted services.
fn is_beside_scripts(file: &Path) -> bool {
    let is_script = |path: &Path| path.extension().is_some_and(|e| e == "rhai");
    let mut beside = fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    (file.ends_with("config.yaml") || file.ends_with("users.yaml")) && beside.any(|path| is_script(&path))
}

/// Platform files load with the SLO files that they name, scenarios fit their diagrams, scripted services have nothing wrong; no
/// file lies there that nobody reads.
#[test]
fn every_document_that_is_shipped_loads() {
    let files = yaml_files(&scenarios());
    let mut read = Vec::new();
    for file in files.iter().filter(|file| fs::read_to_string(file).unwrap().contains("\nkind: Platform")) {
        let loaded = interlock::document::load(file, &[], []).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        read.push(file.clone());
        read.extend(loaded.platform.slos.iter().map(|slo| loaded.folder.join(slo)));
    }
    assert!(!read.is_empty());
    for file in files.iter().filter(|file| fs::read_to_string(file).unwrap().contains("\nkind: Scenario")) {
        let linted = interlock(&scenarios(), &["sequence", "lint", file.to_str().unwrap()]);
        assert_eq!(linted.code, 0, "{}", linted.out);
        read.push(file.clone());
    }
    for file in files.iter().filter(|file| fs::read_to_string(file).unwrap().contains("\nkind: Drill")) {
        let (name, text) = (file.display().to_string(), fs::read_to_string(file).unwrap());
        let document = interlock::document::only(&name, &text).unwrap();
        let drill: interlock::document::Drill = document.parse().unwrap();
        drill.check(&document).unwrap();
        read.push(file.clone());
    }
    for file in files.iter().filter(|file| is_beside_scripts(file)) {
        #[cfg(feature = "lab")]
        {
            let checked = interlock(&scenarios(), &["lab", "check", file.parent().unwrap().to_str().unwrap()]);
            assert_eq!(checked.code, 0, "{}", checked.out);
        }
        read.push(file.clone());
    }
    for file in files {
        assert!(read.contains(&file), "{} is read by nobody", file.display());
    }
}

/// The page on an application of one's own shows the files that the cluster's tests take.
#[test]
fn the_page_shows_the_platform_files_as_they_are() {
    let page = fs::read_to_string(scenarios().join("../docs/bring-your-own-application.md")).unwrap();
    for scenario in ["site", "site-selector"] {
        let file = fs::read_to_string(scenarios().join(scenario).join("interlock.yaml")).unwrap();
        assert!(page.contains(&format!("```yaml\n{file}```\n")), "{scenario}");
    }
}

#[test]
fn an_unknown_key_shows_its_place_and_the_nearest_key() {
    let (_guard, folder) = platform();
    let file = folder.join("interlock.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("  maxBake:", "  maxBakr:");
    fs::write(&file, text).unwrap();
    insta::assert_snapshot!(interlock(&folder, &["switchover", "plan", "tenant", "--to", "green"]).told(&folder), @r"
    exit 2
    -- out
    -- err
      x unknown key `maxBakr`
        ,-[[folder]/interlock.yaml:25:3]
     24 |   bake: 20s
     25 |   maxBakr: 60s
        :   ^^^|^^^
        :      `-- here
     26 |   baseline: 5s
        `----
      help: did you mean `maxBake`?
    ");
}

#[test]
fn a_fault_in_an_slo_file_shows_its_place_there() {
    let (_guard, folder) = platform();
    let file = folder.join("slo.yaml");
    let text = fs::read_to_string(&file).unwrap().replacen("target: 0.999", "target: 99.9", 1);
    fs::write(&file, text).unwrap();
    insta::assert_snapshot!(interlock(&folder, &["slo", "rules"]).told(&folder), @r"
    exit 2
    -- out
    -- err
      x the target leaves no room, or is no share
        ,-[[folder]/slo.yaml:29:39]
     28 |   objectives:
     29 |     - {displayName: answered, target: 99.9}
        :                                       ^^|^
        :                                         `-- here
     30 | ---
        `----
      help: write a share between 0 and 1 as `target`, or between 0 and 100 as `targetPercent`
    ");
}

#[test]
fn without_a_platform_file_it_says_how_to_name_one() {
    let (_guard, folder) = folder();
    insta::assert_snapshot!(interlock(&folder, &["switchover", "plan", "tenant", "--to", "green"]).told(&folder), @r"
    exit 2
    -- out
    -- err
      x there is no interlock.yaml in [folder] or above it
      help: write one, or name it with `--platform FILE` or INTERLOCK_PLATFORM
    ");
    insta::assert_snapshot!(interlock(&folder, &["--platform", "gone.yaml", "slo", "rules"]).told(&folder), @r"
    exit 2
    -- out
    -- err
      x cannot read gone.yaml: No such file or directory (os error 2)
      help: `--platform` or INTERLOCK_PLATFORM names the platform file
    ");
    let said = interlock_with(&folder, &["slo", "rules"], &[("INTERLOCK_PLATFORM", "gone.yaml")]);
    assert_eq!(said.code, 2);
}

#[test]
fn a_variable_that_is_empty_names_nothing() {
    let (_guard, folder) = platform();
    let empty = ["INTERLOCK_PLATFORM", "INTERLOCK_STORE", "INTERLOCK_DEFAULTS_BAKE", "INTERLOCK_LAB"];
    for args in [&["slo", "rules"][..], &["runs", "list"]] {
        let said = interlock_with(&folder, args, &empty.map(|name| (name, "")));
        assert_eq!((said.code, &said.out), (0, &interlock(&folder, args).out), "{args:?}: {}", said.err);
    }
}

#[test]
fn a_time_below_zero_is_named_as_that() {
    let (_guard, folder) = platform();
    let said = interlock(&folder, &["switchover", "plan", "tenant", "--to", "green", "--bake", "-5s"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("`-5s` is below zero; a duration is such as 90s or 5m"), "{}", said.err);
}

/// Every command that a hint names in backquotes is one that there is.
#[test]
fn the_schema_that_hints_name_is_a_command_that_works() {
    let (_guard, folder) = folder();
    let listed = interlock(&folder, &["schema"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    let commands: Vec<_> = listed.out.lines().filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in commands {
        let said = interlock(&folder, &command.split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(said.code, 0, "{command}: {}", said.err);
        assert!(said.json().is_object(), "{command}");
    }
}

#[test]
fn what_is_set_from_outside_is_checked_like_the_file() {
    let (_guard, folder) = platform();
    insta::assert_snapshot!(interlock(&folder, &["--set", "defaults.bak=1m", "slo", "rules"]).told(&folder), @r"
    exit 2
    -- out
    -- err
      x unknown key `bak`
       ,-[--set defaults.bak:1:1]
     1 | --set defaults.bak
       : ^^|^^
       :   `-- here
       `----
      help: did you mean `bake`?
    ");
    insta::assert_snapshot!(interlock(&folder, &["--set", "defaults.bake=soon", "slo", "rules"]).told(&folder), @r"
    exit 2
    -- out
    -- err
      x `soon` is no duration such as 90s or 5m: expected number at 0
       ,-[--set defaults.bake:1:1]
     1 | --set defaults.bake
       : ^^|^^
       :   `-- here
       `----
      help: fix it here; `interlock schema` names what prints all that may stand here
    ");
    insta::assert_snapshot!(interlock(&folder, &["--set", "defaults.bake", "slo", "rules"]).told(&folder), @r"
    exit 2
    -- out
    -- err
      x there is no `=`
       ,-[--set defaults.bake:1:1]
     1 | --set defaults.bake
       : ^^|^^
       :   `-- here
       `----
      help: write `--set PATH=VALUE`, such as `--set defaults.bake=1m`
    ");
}

#[test]
fn a_cluster_that_cannot_be_found_says_how_to_look_for_it() {
    let (_guard, folder) = platform();
    let file = folder.join("interlock.yaml");
    let cluster = "  kubernetes: {context: prod, namespace: shop}";
    let text = fs::read_to_string(&file).unwrap().replace("  lab: {}", cluster);
    let reach = "    slots: {blue: {workload: deployment/blue}, green: {workload: deployment/green}}\n    \
                 traffic: {selector: {service: tenant, preview: {blue: blue, green: green}}}\n    smoke:";
    let metrics = "  prometheus: {url: 'http://127.0.0.1:9'}";
    let text = text.replace("    smoke:", reach).replace("  lab: {source: auto}", metrics);
    fs::write(&file, text).unwrap();
    let plan = ["switchover", "plan", "tenant", "--to", "green"];
    let said = interlock_with(&folder, &plan, &[("KUBECONFIG", "/nowhere")]);
    insta::assert_snapshot!(said.told(&folder), @r#"
exit 4
-- out
-- err
  x cannot reach the cluster: failed to read kubeconfig from '"/nowhere"': No such file or
  | directory (os error 2)
  help: does `kubectl cluster-info` work? KUBECONFIG and the context of the platform file say
        which cluster
"#);
}

/// Whether a schema has a place for everything in a value; names the first thing that it has none for.
fn covers(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = root.pointer(name.trim_start_matches('#')).ok_or_else(|| format!("{name} leads nowhere"))?;
        return covers(root, target, value, at);
    }
    for any in ["anyOf", "oneOf"] {
        if let Some(several) = schema[any].as_array() {
            let tried: Vec<_> = several.iter().filter_map(|one| covers(root, one, value, at).err()).collect();
            return if tried.len() < several.len() { Ok(()) } else { Err(tried.join(", or ")) };
        }
    }
    match value {
        Value::Object(map) => map.iter().try_for_each(|(key, inner)| {
            let at = format!("{at}.{key}");
            let of_key = &schema["properties"][key];
            match if of_key.is_null() { &schema["additionalProperties"] } else { of_key } {
                Value::Bool(true) => Ok(()),
                schema @ Value::Object(_) => covers(root, schema, inner, &at),
                _ => Err(format!("the schema has no place for {at}")),
            }
        }),
        Value::Array(items) => items.iter().try_for_each(|item| covers(root, &schema["items"], item, at)),
        _ => Ok(()),
    }
}

#[test]
fn the_schema_covers_what_we_ship() {
    let (_guard, folder) = folder();
    for (name, file) in [("platform", "interlock.yaml"), ("slo", "slo.yaml")] {
        let said = interlock(&folder, &["schema", name]);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        let schema = said.json();
        let text = fs::read_to_string(scenarios().join("lab").join(file)).unwrap();
        for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
            covers(&schema, &schema, &document, name).unwrap();
        }
        let strange = serde_json::json!({ "apiVersion": "x", "colour": "blue" });
        covers(&schema, &schema, &strange, name).unwrap_err();
    }
}

#[test]
fn the_rules_that_are_shipped_are_those_of_the_slos() {
    let (_guard, here) = folder();
    let platform = scenarios().join("lab").join("interlock.yaml");
    let said = interlock(&here, &["--platform", platform.to_str().unwrap(), "slo", "rules"]);
    let shipped = scenarios().join("../manifests/prometheus/tenant-slo-rules.yaml");
    assert_eq!(said.out, fs::read_to_string(shipped).unwrap(), "write them anew with `interlock slo rules`");
}

/// What never ends is refused before it is opened, whoever is to read it.
#[test]
fn no_device_is_read_as_a_document() {
    let (_guard, folder) = platform();
    for args in [
        &["slo", "import", "/dev/zero"][..],
        #[cfg(feature = "sql")]
        &["drill", "plan", "/dev/zero"],
        &["--platform", "/dev/zero", "slo", "rules"],
        &["sequence", "lint", "--baseline", "/dev/zero", "."],
    ] {
        fs::write(folder.join("a.md"), "# A\n").unwrap();
        let refused = interlock(&folder, args);
        assert_eq!(refused.code, 2, "{args:?}: {}", refused.out);
        assert!(refused.err.contains("it is no regular file"), "{args:?}: {}", refused.err);
    }
}
