"""Tables ``[model.NAME]`` of ``zypher.toml``: what is said of one that cannot be served."""

import re
import shutil
from pathlib import Path

import pytest

from tests.models.packages import MODEL
from zypher_jobs.errors import ModelDefinitionError, SettingError
from zypher_jobs.models import ModelRegistry
from zypher_jobs.models.shipped import digits
from zypher_jobs.settings import Settings, load_settings


def refusal(project: Path, text: str) -> str:
    """What the start says of that ``zypher.toml``."""
    (project / "zypher.toml").write_text(text)
    with pytest.raises(SettingError) as refused:
        ModelRegistry.from_settings(load_settings({}))
    return refused.value.message


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("", "Field 'file' is missing: the .onnx file."),
        ('runtime = "remote"', "Field 'url' is missing: the server, such as http://triton:8000."),
        (
            'url = "http://triton:8000"',
            "Field 'url' is of a model on another server: set runtime = \"remote\" too, or leave it out.",
        ),
        (
            'file = "iris.onnx"\napi_key_env = "KEY"',
            "Field 'api_key_env' is of a model on another server: set runtime = \"remote\" too, or leave it out.",
        ),
        ('runtime = "remote"\nurll = "http://triton:8000"', "Field 'urll' is not known. Did you mean 'url'?"),
        ('runtime = "onix"', "Field 'runtime' cannot be 'onix'; known: onnx, remote."),
        ('fil = "iris.onnx"', "Field 'fil' is not known. Did you mean 'file'?"),
        ("qqq = 1", "Field 'qqq' is not known. Known: name, version, description, runtime, file, "),
        ("file = 5", "Field 'file' must be a string, got int."),
        ('file = "iris.onnx"\nversion = 2', "Field 'version' must be a string, got int."),
        ('file = "iris.onnx"\nlabels = "a"', "Field 'labels' must be a list, got str."),
        ('file = "iris.onnx"\nmax_batch_size = 0', "Field 'max_batch_size' must be at least 1."),
        ('file = "iris.onnx"\nsha256 = "abc"', "Field 'sha256' must match the pattern '^[0-9a-f]{64}$'."),
        ('file = "iris.onnx"\nname = "Iris 1"', "Field 'name' must match the pattern ^[a-z0-9][a-z0-9._-]{0,63}$: In"),
    ],
)
def test_a_wrong_field_is_named(project: Path, table: str, sentence: str) -> None:
    """The file, the table, the field, and what it may be."""
    said = refusal(project, f"[model.iris]\n{table}\n")
    assert said.startswith(f"zypher.toml: [model.iris]: {sentence}")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ('url = "triton:8000"', "`url` must be that of its server, such as http://triton:8000."),
        ('url = "http://"', "`url` must be that of its server, such as http://triton:8000."),
        ('url = "http://a:x"', "`url` must be that of its server, such as http://triton:8000."),
        ('url = "http://triton:8000?a=b"', "`url` must be that of its server, such as http://triton:8000."),
        ('url = "http://me:secret@triton:8000"', "`url` must not hold a password; name the variable that holds a key "),
        ('url = "http://triton:8000"\nthreads = 2', "`threads` is of a model that runs here, not of one on another "),
        ('url = "http://triton:8000"\nisolation = "process"', "`isolation` is of a model that runs here, not of one "),
        ('url = "http://triton:8000"\nlabels = ["a"]', "`labels` is of a file that runs here, not of a model on "),
        ('url = "http://t"\napi_key_env = "NO_KEY"', "`api_key_env`: the environment variable NO_KEY is not set."),
        ('url = "http://t"\napi_key_env = "BAD_KEY"', "`api_key_env`: the environment variable BAD_KEY holds charact"),
    ],
)
def test_a_model_on_another_server_that_cannot_be_reached_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, more: str, sentence: str
) -> None:
    """Before anything is asked of that server."""
    monkeypatch.setenv("BAD_KEY", "a\nb")
    (project / "zypher.toml").write_text(f'[model.large]\nruntime = "remote"\n{more}\n')
    with pytest.raises(ModelDefinitionError) as refused:
        ModelRegistry.from_settings(load_settings({}))
    assert refused.value.message.startswith(f"zypher.toml: [model.large]: Model 'large': {sentence}")


def test_the_tables_of_the_documentation_are_taken(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of docs/models/remote.md, to the letter."""
    monkeypatch.setenv("IRIS_KEY", "key")
    document = (Path(__file__).parents[2] / "docs" / "models" / "remote.md").read_text(encoding="utf-8")
    (tables,) = re.findall(r"```toml\n(.*?)```", document, re.DOTALL)
    (project / "zypher.toml").write_text(tables)
    names = ModelRegistry.from_settings(load_settings({})).names()
    assert {"resnet", "iris", "sentiment", "digits-there"} <= set(names)


def test_a_name_that_cannot_be_a_path_is_refused(project: Path) -> None:
    """The table's name is the model's, unless the table says another."""
    said = refusal(project, '[model."Iris 1"]\nfile = "iris.onnx"\n')
    assert said.startswith("zypher.toml: [model.Iris 1]: Field 'name' must match the pattern ")


def test_a_file_that_is_not_there_is_named_with_the_nearest(project: Path) -> None:
    """Relative to zypher.toml."""
    (project / "models").mkdir()
    (project / "models" / "iris.onnx").write_bytes(b"")
    said = refusal(project, '[model.iris]\nfile = "models/irsi.onnx"\n')
    assert said == (
        f"zypher.toml: [model.iris]: there is no file 'models/irsi.onnx' in {project}. Did you mean 'models/iris.onnx'?"
    )


def test_a_file_of_the_setting_that_is_not_there(project: Path) -> None:
    """``ZYPHER_MODELS`` may hold a file, too."""
    with pytest.raises(SettingError) as refused:
        ModelRegistry.from_settings(Settings(models=("iris.onnx",)))
    assert refused.value.message == f"ZYPHER_MODELS: 'iris.onnx': there is no file 'iris.onnx' in {project}."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'model = "word_count:WordCount"\n',
            'zypher.toml: a model is a table such as [model.iris]; for classes: models = ["word_count:WordCount"].',
        ),
        (
            '[models.iris]\nfile = "iris.onnx"\n',
            (
                "models in zypher.toml={'iris': {'file': 'iris.onnx'}} cannot be used: it is a list of classes; "
                "describe a model in a table such as [model.iris]."
            ),
        ),
    ],
)
def test_model_and_models_are_told_apart(project: Path, text: str, sentence: str) -> None:
    """One letter must not cost anybody an hour."""
    assert refusal(project, text) == sentence


def test_a_class_of_the_file_that_is_not_there_names_the_file(project: Path) -> None:
    """Not the variable, which is not set."""
    assert refusal(project, 'models = ["no_such_module:Price"]').startswith(
        "models in zypher.toml: 'no_such_module:Price': no module is called no_such_module, here or installed."
    )


def test_a_class_of_the_file_that_does_not_fit_names_its_line(project: Path) -> None:
    """As one of the variable."""
    (project / "shop.py").write_text(MODEL)
    (project / "zypher.toml").write_text('models = ["shop:Untyped"]')
    with pytest.raises(ModelDefinitionError) as refused:
        ModelRegistry.from_settings(load_settings({}))
    assert refused.value.message.startswith(f"{project / 'shop.py'}:16: model Untyped: the annotations of predict do ")


def test_a_table_serves_a_file(project: Path) -> None:
    """Two tables may be versions of one model."""
    shutil.copy(digits.WEIGHTS, project / "net.onnx")
    (project / "zypher.toml").write_text(
        '[model.net]\nfile = "net.onnx"\n[model.net-2]\nname = "net"\nversion = "2"\nfile = "net.onnx"\n'
    )
    served = ModelRegistry.from_settings(load_settings({}))
    assert [info.version for info in served.infos() if info.name == "net"] == ["1", "2"]


def test_a_setting_serves_a_file(project: Path) -> None:
    """Its name is the file's."""
    shutil.copy(digits.WEIGHTS, project / "Net_v1.onnx")
    assert "net-v1" in ModelRegistry.from_settings(Settings(models=("Net_v1.onnx",))).names()
