"""Which models are served: the built-in ones, then those of the settings; how a setting that names none is refused."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from zypher_jobs.errors import ModelDefinitionError, SettingError, UnknownModel
from zypher_jobs.models import ModelRegistry
from zypher_jobs.settings import Settings, load_settings

EXAMPLES = Path(__file__).parents[2] / "examples"


def registry(*models: str, default_model: str = "mock") -> ModelRegistry:
    return ModelRegistry.from_settings(Settings(models=models, default_model=default_model))


def test_mock_and_digits_are_built_in() -> None:
    """Without a setting there are two; neither is loaded yet."""
    built_in = registry()
    assert built_in.names() == ["mock", "digits"]
    assert [info.ready for info in built_in.infos()] == [False, False]


def test_an_unknown_model_names_the_known() -> None:
    """So that the caller can choose one."""
    with pytest.raises(UnknownModel, match=r"No model is called 'mok'\. Known models: digits, mock\."):
        registry().get("mok")


async def test_one_line_of_settings_serves_an_own_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's example, from its own folder, by ``ZYPHER_MODELS=word_count:WordCount``."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(EXAMPLES / "word_count")
    settings = load_settings({"ZYPHER_MODELS": "word_count:WordCount"})
    served = ModelRegistry.from_settings(settings)
    await served.load_all()
    model = served.get("word-count")
    assert model.info.description == "Counts the words of a text."
    output = await model.run(model.decode(b'{"text": "to be or not to be"}'), timeout_s=10)
    assert model.encode(output) == b'{"words":6}'
    await served.close()


MODEL = """\
import msgspec
from zypher_jobs.models import Model

class Text(msgspec.Struct):
    text: str

class Echo(Model[Text, Text]):
    def predict(self, input: Text) -> Text:
        return input

class Wrong(Model[Text, Text]):
    def predict(self, input: Text) -> str:
        return input

class Mock(Echo):
    pass

helper = 5
"""


def test_annotations_may_be_strings(project: Path) -> None:
    """``from __future__ import annotations`` changes nothing."""
    (project / "later.py").write_text("from __future__ import annotations\n" + MODEL)
    assert registry("later:Echo").names() == ["mock", "digits", "echo"]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("my_models", "ZYPHER_MODELS: 'my_models' must be module:Class, such as word_count:WordCount."),
        (":Echo", "ZYPHER_MODELS: ':Echo' must be module:Class, such as word_count:WordCount."),
        (
            "my_model:Echo",
            "ZYPHER_MODELS: 'my_model:Echo': no module is called my_model, here or installed. Did you mean my_models?",
        ),
        (
            "my_models:Ecko",
            "ZYPHER_MODELS: 'my_models:Ecko': module my_models has no Ecko. Did you mean my_models:Echo?",
        ),
        (
            "my_models:helper",
            (
                "ZYPHER_MODELS: 'my_models:helper': helper in my_models is not a subclass of zypher_jobs.models.Model. "
                "Known there: Echo, Wrong, Mock."
            ),
        ),
        ("my_models:Mock", "Two models are called 'mock', both of version '1'; give one another `name` or `version`."),
    ],
)
def test_a_setting_that_names_no_model_is_refused(project: Path, entry: str, sentence: str) -> None:
    """With the nearest name, where there is one."""
    (project / "my_models.py").write_text(MODEL)
    with pytest.raises(SettingError) as refused:
        registry(entry)
    assert refused.value.message == sentence


def test_a_module_that_fails_says_where(project: Path) -> None:
    """The error of the user's own module, with file and line."""
    (project / "failing.py").write_text("\nimport no_such_package\n")
    with pytest.raises(SettingError) as refused:
        registry("failing:Echo")
    assert refused.value.message == (
        "ZYPHER_MODELS: 'failing:Echo': importing failing failed: "
        f"ModuleNotFoundError: No module named 'no_such_package' ({project / 'failing.py'}:2)."
    )
    (project / "failing.py").write_text("def (:")
    with pytest.raises(SettingError, match=r"importing failing failed: SyntaxError: .*failing\.py, line 1"):
        registry("failing:Echo")


def test_a_mistake_in_the_bases_names_the_line_in_the_users_file(project: Path) -> None:
    """Not that of the standard library, which finds it."""
    (project / "short.py").write_text(MODEL.replace("Echo(Model[Text, Text])", "Echo(Model[Text])"))
    with pytest.raises(SettingError) as refused:
        registry("short:Echo")
    assert "TypeError: Too few arguments for " in refused.value.message
    assert refused.value.message.endswith(f" ({project / 'short.py'}:7).")


def test_a_class_that_is_no_model_says_what_to_write(project: Path) -> None:
    """The base class with its types."""
    (project / "bare.py").write_text("class Echo:\n    pass\n")
    with pytest.raises(SettingError) as refused:
        registry("bare:Echo")
    assert refused.value.message == (
        "ZYPHER_MODELS: 'bare:Echo': Echo is no model; write `class Echo(Model[YourInput, YourOutput])`."
    )


def test_a_class_that_does_not_fit_names_its_line(project: Path) -> None:
    """File and line of its predict."""
    (project / "wrong.py").write_text(MODEL)
    with pytest.raises(ModelDefinitionError) as refused:
        registry("wrong:Wrong")
    assert refused.value.message.startswith(f"{project / 'wrong.py'}:12: model Wrong: the annotations of predict")


def test_a_default_model_that_is_none_is_refused() -> None:
    """With the nearest name."""
    with pytest.raises(SettingError, match=r"ZYPHER_DEFAULT_MODEL='digit' is no model\. Did you mean 'digits'\?"):
        registry(default_model="digit")


def test_the_built_in_models_cost_nothing_until_loaded() -> None:
    """Importing and registering loads no numpy, no onnxruntime, no Redis client and no web framework."""
    program = (
        "import sys; from zypher_jobs.models import ModelRegistry; from zypher_jobs.settings import Settings;"
        "ModelRegistry.from_settings(Settings());"
        "print(sorted({'numpy', 'onnxruntime', 'redis', 'arq', 'litestar', 'textual'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_example_validates() -> None:
    """What the documentation shows can be sent as it stands."""
    for name in registry().names():
        model = registry().get(name)
        model.decode(msgspec.json.encode(model.info.input_example))
        msgspec.convert(model.info.output_example, model.output_type)
