"""From what is asked for to a whole configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from debias_cl.config import DataConfig, TrainConfig, from_dict, to_dict
from debias_cl.errors import UsageError
from debias_cl.resolve import beside_configs, override, resolve, run_name


def test_defaults_come_from_the_data_set_and_the_preset() -> None:
    config = resolve(DataConfig(), objective="contex")
    assert (config.data.attr, config.data.bias_attr) == ("digit", ("colour",))
    assert config.preset == "quick"
    assert config.data.rho == pytest.approx(0.9)
    assert config.views.touches_bias


def test_a_configuration_survives_json() -> None:
    config = resolve(DataConfig(), objective="supcon", seed=3)
    assert from_dict(TrainConfig, to_dict(config)) == config


def test_overrides_keep_their_types() -> None:
    config = override(
        TrainConfig(),
        ["fit.epochs=3", "objective.temperature=1", "views.crop_scale=[0.2, 1]", "fit.amp=True"],
    )
    assert config.fit.epochs == 3
    assert config.objective.temperature == 1
    assert config.views.crop_scale == (0.2, 1)
    assert config.fit.amp is True


@pytest.mark.parametrize(
    "text", ["fit.epochs=3.5", "fit.amp=1", "fit=3", "fit.epochs.x=1", "nothing=1", "fit.epochs=[]"]
)
def test_wrong_overrides_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        override(TrainConfig(), [text])


def test_run_names_differ_by_configuration_but_not_by_place() -> None:
    one = resolve(DataConfig(), objective="contex")
    assert run_name(one) == run_name(resolve(DataConfig(data_root="x"), objective="contex"))
    assert run_name(one) == run_name(override(one, ["device=cuda"]))
    assert run_name(one) != run_name(override(one, ["fit.epochs=3"]))


def test_beside_runs_share_all_but_the_objective() -> None:
    config = resolve(DataConfig(), objective="contex")
    others = beside_configs(config, ["supcon", "contex", "cross_entropy", "supcon"])
    assert [other.objective.name for other in others] == ["supcon", "cross_entropy"]
    assert all(other.views == config.views and other.seed == config.seed for other in others)


def test_a_setting_at_its_default_does_not_name_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    import debias_cl.resolve as module

    config = resolve(DataConfig(), objective="contex", preset="quick")
    before = run_name(config)
    plain = module.to_dict

    def newer(value: object) -> dict[str, object]:
        return {**plain(value), "added_later": "as before"}

    monkeypatch.setattr(module, "to_dict", newer)
    assert run_name(config) == before
    assert run_name(replace(config, seed=1)) != before
