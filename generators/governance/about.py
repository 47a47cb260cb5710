"""What people say of a dataset: the block `governance` of dataset.json, which users edit. Nothing here is measured.

What nobody has said stays empty, and the cards say "not stated". A text may be given once, or in English and Japanese.
"""

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from generators.config import ConfigError, load_yaml
from sim.errors import nearest

_SETTINGS = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, str_min_length=1)
_ALL_HOLD = (
    *("creator", "out_of_scope_use", "sim_to_real_gaps", "personal_data"),
    *("data_residency", "export_control", "custody", "languages"),
)


class Translated(BaseModel):
    """A text in two languages; where one is missing, the other stands for it."""

    model_config = _SETTINGS

    en: str | None = None
    ja: str | None = None


class Creator(BaseModel):
    """Who made a dataset."""

    model_config = _SETTINGS

    name: str
    kind: Literal["organization", "person"] = "organization"
    url: str | None = None


def _several(value: Any) -> Any:  # noqa: ANN401 - YAML
    if value is None:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _creators(value: Any) -> Any:  # noqa: ANN401 - YAML
    return tuple({"name": v} if isinstance(v, str) else v for v in _several(value))


def _license(text: str) -> str:
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        raise ValueError("it is no SPDX licence, such as CC-BY-4.0, Apache-2.0 or LicenseRef-Proprietary") from None


def _url(text: str) -> str:
    if not text.startswith(("https://", "http://")):
        raise ValueError("it is no address that begins with https://")
    return text


Text = str | Translated
Texts = Annotated[tuple[Text, ...], BeforeValidator(_several)]
Spdx = Annotated[str, AfterValidator(_license)]


class About(BaseModel):
    """What people say of a dataset.

    Attributes:
        name: what it is called; default: its tasks.
        version: the maker's own number for it.
        url: where it can be had.
        license: of the data, as SPDX writes it.
        asset_licenses: of meshes and models of others that the scenes use: name -> SPDX.
        creator: who made it: a name, or name, kind (organization, person) and url.
        contact: whom to ask.
        intended_use: what it is for.
        out_of_scope_use: what it must not be used for.
        sim_to_real_gaps: what is known to differ from the real machine.
        personal_data: whether there is any.
        data_residency: where the data may be kept.
        export_control: what it is classified as.
        custody: who has had it, in order.
        languages: of the work orders.
        evaluator: who or what decided which episodes are successes.
        citation: how to cite it, best as BibTeX.
        published: the day, "2026-11-27".
        changes: since earlier versions.
    """

    model_config = _SETTINGS

    name: Text | None = None
    version: str | None = None
    url: Annotated[str, AfterValidator(_url)] | None = None
    license: Spdx | None = None
    asset_licenses: dict[str, Spdx] = Field(default_factory=dict)
    creator: Annotated[tuple[Creator, ...], BeforeValidator(_creators)] = ()
    contact: str | None = None
    intended_use: Texts = ()
    out_of_scope_use: Texts = (
        Translated(en="Approving the safety of a real machine.", ja="実機の安全性の認可または証明。"),
    )
    sim_to_real_gaps: Texts = (
        Translated(en="Transfer to a real machine has not been measured.", ja="実機への転移は測定していません。"),
    )
    personal_data: Texts = (
        Translated(en="None: everything is simulated.", ja="含みません。すべてシミュレーションで生成しています。"),
    )
    data_residency: Texts = ()
    export_control: Texts = ()
    custody: Texts = ()
    languages: tuple[str, ...] = ("en", "ja")
    evaluator: Text | None = Translated(
        en="The tasks' own success and failure functions, applied to the simulated state.",
        ja="各タスクに定義された成功・失敗の判定関数(シミュレーションの状態に対して適用)。",
    )
    citation: str | None = None
    published: datetime.date | None = None
    changes: Texts = ()


def default_governance() -> dict[str, Any]:
    """Return the block of a dataset that was simulated and of which nobody has said anything."""
    return to_json(About())


def to_json(about: About) -> dict[str, Any]:
    """Return what is said as plain data, `make_about`'s inverse."""
    return about.model_dump(mode="json")


def make_about(data: Mapping[str, Any]) -> About:
    """Check plain data against `About`.

    Raises:
        ConfigError: the first thing wrong, in one sentence, with the nearest right key.
    """
    for key in data:
        if key not in About.model_fields:
            raise ConfigError(f"no key {key!r} in what is said of a dataset{nearest(key, About.model_fields)}")
    try:
        return About.model_validate(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("str", "constrained-str", "Translated"))
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{where}: {message[0].lower()}{message[1:]}, got {first['input']!r:.80}") from None


def read_about(path: Path) -> dict[str, Any]:
    """Read what is said of a dataset from YAML: keys as in `About`.

    Raises:
        ConfigError: the file cannot be read, or says what cannot be said.
    """
    data = load_yaml(path)
    make_about(data)
    return data


def amend(known: Mapping[str, Any], changes: Mapping[str, Any], settings: Sequence[str] = ()) -> dict[str, Any]:
    """Return the block with some of it said anew.

    Args:
        known: the block as it is.
        changes: keys as in `About`; each replaces what is there.
        settings: "key=text" or "key.ja=text"; a key that is given again adds to it.

    Raises:
        ConfigError: a key that does not exist, or a value that it does not take.
    """
    data = dict(known) | dict(changes)
    given: dict[str, list[Any]] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        key, _, language = name.partition(".")
        if not equals or language not in ("", "en", "ja"):
            raise ConfigError(f"--set takes key=text, key.en=text or key.ja=text, got {setting!r}")
        values = given.setdefault(key, [])
        if language and values and isinstance(values[-1], dict) and language not in values[-1]:
            values[-1][language] = value
        else:
            values.append({language: value} if language else value)
    return to_json(make_about(data | {k: v if len(v) > 1 else v[0] for k, v in given.items()}))


def merge_governance(blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what still holds of data taken from several datasets, or from a part of one.

    Name, version and url are of the whole that they were given to, and do not go on. Licences join with AND, and none
    is stated where one is missing; what it is for goes on where all agree; limits and custody of all of them hold.

    Args:
        blocks: of the datasets; one that is empty counts as the default.
    """
    parts = [make_about(block) for block in blocks if block] or [About()]
    every = parts + [About()] * any(not block for block in blocks)
    licenses = sorted({p.license or "" for p in every})
    joined = licenses[0] if len(licenses) == 1 else " AND ".join(_grouped(text) for text in licenses)
    out: dict[str, Any] = {"license": joined if all(licenses) else None}
    out["asset_licenses"] = {k: v for p in every for k, v in p.asset_licenses.items()}
    for key in _ALL_HOLD:
        out[key] = _union(every, key)
    for key, nothing in (("contact", None), ("intended_use", ()), ("evaluator", None)):
        values = [getattr(p, key) for p in every]
        out[key] = values[0] if all(v == values[0] for v in values) else nothing
    return to_json(About(**out))


def _grouped(license_text: str) -> str:
    return f"({license_text})" if " OR " in license_text else license_text


def _union(parts: Sequence[About], key: str) -> tuple[Any, ...]:
    found: list[Any] = []
    for part in parts:
        found += [value for value in getattr(part, key) if value not in found]
    return tuple(found)
