"""What people say of a dataset is checked, kept in both languages, and merged without claiming more than was said."""

import json

import pytest

from generators.config import ConfigError
from generators.governance.about import amend, default_governance, make_about, merge_governance, read_about

PLANT = {"license": "CC-BY-4.0", "creator": "ACME", "contact": "data@acme.example", "intended_use": "training"}


def block(**said):
    return amend(default_governance(), said)


def test_nobody_has_said_anything_by_default():
    found = default_governance()
    assert found["license"] is found["contact"] is None
    assert found["creator"] == found["intended_use"] == found["custody"] == found["export_control"] == []
    assert "not been measured" in found["sim_to_real_gaps"][0]["en"]


def test_the_block_survives_json():
    found = block(**PLANT, name={"en": "Coils", "ja": "コイル"}, published="2026-11-27")
    assert amend(json.loads(json.dumps(found)), {}) == found
    assert found["name"] == {"en": "Coils", "ja": "コイル"}
    assert found["published"] == "2026-11-27"
    assert found["creator"] == [{"name": "ACME", "kind": "organization", "url": None}]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"lisense": "MIT"}, "no key 'lisense' in what is said of a dataset; did you mean 'license'?"),
        ({"license": "MITT"}, "license: it is no SPDX licence, such as CC-BY-4.0"),
        ({"license": ""}, "license: "),
        ({"url": "acme"}, "url: it is no address that begins with https://, got 'acme'"),
        ({"creator": {"name": "ACME", "kind": "firm"}}, "creator.0.kind: "),
        ({"intended_use": [7]}, "intended_use.0"),
        ({"intended_use": {"en": "x", "fr": "y"}}, "intended_use.0"),
        ({"asset_licenses": {"arm": "free"}}, "asset_licenses.arm: it is no SPDX licence"),
        ({"published": "yesterday"}, "published: "),
    ],
)
def test_what_cannot_be_said_is_refused_in_one_sentence(said, words):
    with pytest.raises(ConfigError) as caught:
        make_about(said)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("mit", "MIT"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("apache-2.0 or mit", "Apache-2.0 OR MIT"),
        ("LicenseRef-Plant", "LicenseRef-Plant"),
    ],
)
def test_a_licence_is_kept_as_spdx_writes_it(given, kept):
    assert block(license=given)["license"] == kept


def test_yaml_says_it(tmp_path):
    path = tmp_path / "about.yaml"
    path.write_text("license: MIT\nintended_use:\n- {en: training, ja: 学習}\n- tests\npublished: 2026-11-27\n")
    found = amend(default_governance(), read_about(path))
    assert found["intended_use"] == [{"en": "training", "ja": "学習"}, "tests"]
    assert found["published"] == "2026-11-27"
    path.write_text("license: nothing\n")
    with pytest.raises(ConfigError, match="no SPDX licence"):
        read_about(path)


def test_settings_say_it_once_again_or_in_two_languages():
    settings = ["intended_use.en=training", "intended_use.ja=学習", "custody=A", "custody=B", "contact=x=y"]
    found = amend(block(custody="C", license="MIT"), {"license": "Apache-2.0"}, settings)
    assert found["intended_use"] == [{"en": "training", "ja": "学習"}]
    assert found["custody"] == ["A", "B"]
    assert found["contact"] == "x=y"
    assert found["license"] == "Apache-2.0"


@pytest.mark.parametrize("setting", ["license", "intended_use.fr=x", "=x"])
def test_a_setting_that_is_none_is_refused(setting):
    with pytest.raises(ConfigError):
        amend(default_governance(), {}, [setting])


def test_what_is_said_of_one_goes_on_but_for_its_name():
    one = block(**PLANT, name="Coils", version="1.0.0", url="https://acme.example", custody="A", citation="ACME 2026")
    merged = merge_governance([one])
    assert {k: merged[k] for k in ("name", "version", "url", "citation")} == dict.fromkeys(
        ("name", "version", "url", "citation")
    )
    same = {k: v for k, v in one.items() if k not in ("name", "version", "url", "citation")}
    assert {k: merged[k] for k in same} == same


def test_merging_keeps_every_limit_and_claims_only_what_all_say():
    a = block(**PLANT, export_control="EAR99", sim_to_real_gaps="ropes")
    b = block(license="Apache-2.0 OR MIT", creator=["ACME", "B"], intended_use="tests", sim_to_real_gaps="light")
    merged = merge_governance([a, b])
    assert merged["license"] == "(Apache-2.0 OR MIT) AND CC-BY-4.0"
    assert [c["name"] for c in merged["creator"]] == ["ACME", "B"]
    assert merged["sim_to_real_gaps"] == ["ropes", "light"]
    assert merged["export_control"] == ["EAR99"]
    assert merged["intended_use"] == []
    assert merged["contact"] is None


def test_no_licence_is_stated_where_one_of_them_is_not():
    assert merge_governance([block(license="MIT"), default_governance()])["license"] is None
    assert merge_governance([block(license="MIT"), {}])["license"] is None
    assert merge_governance([block(license="MIT"), block(license="MIT")])["license"] == "MIT"
    assert merge_governance([]) == default_governance()
