"""What the documentation says of the routes that deploy models."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from zypher_api.answers import ModelList, UploadForm
from zypher_api.openapi import Answer, Content, Operation
from zypher_api.routes.predict_docs import NAME, VERSION
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.deployment import ModelDetail, Traffic, VersionDetail, VersionState
from zypher_jobs.contracts.model import ModelInfo, ModelManifest
from zypher_jobs.models import ServedModel

SHA256 = "1f0e4e1b6a7f0f6a3d1c5b0d9f7e2c8a4b6d8e0f1a3c5e7092b4d6f8a0c2e4f6"

_NOT_DONE = ("deploy_off", "redis_unavailable", "version_not_ready", "store_unavailable")


class Operations(msgspec.Struct, frozen=True):
    """One for each route."""

    upload: Operation
    live: Operation
    roll_back: Operation
    delete_version: Operation
    delete_model: Operation


def example_detail(served: ServedModel) -> ModelDetail:
    """A model with a deployed version beside the one of the settings."""
    known: dict[str, Any] = {
        field: getattr(served.info, field) for field in ModelInfo.__struct_fields__ if field not in ("ready", "error")
    }
    here = {"api-1": VersionState(state="ready"), "worker-1": VersionState(state="ready")}
    there = {name: VersionState(state="ready", sha256=SHA256) for name in here}
    return ModelDetail(
        **known,
        ready=True,
        versions=[
            VersionDetail(version=served.version, share=0.9, ready=True, processes=here),
            VersionDetail(
                version="2",
                share=0.1,
                sha256=SHA256,
                size_bytes=49_112,
                uploaded_at=datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC),
                ready=True,
                processes=there,
            ),
        ],
        comparisons=[],
        previous=Traffic(shares={served.version: 1}),
        revision=3,
    )


def operations(served: ServedModel) -> Operations:
    """All of them, with a served model as their example."""
    detail = Content(type=ModelDetail, example=example_detail(served))
    return Operations(
        upload=Operation(
            method="put",
            path="/models/{name}/versions/{version}",
            operation_id="upload_version",
            scopes=(Scope.DEPLOY,),
            tag="models",
            summary="Upload a version: an ONNX file with its manifest",
            description="It is checked, stored, and made ready in every process before this answers; a model's first "
            "version goes live at once. The same file once more changes nothing.",
            parameters=(NAME, VERSION),
            body=Content(
                type=UploadForm,
                example=UploadForm(
                    manifest=ModelManifest(name="flowers", version="2", sha256=SHA256, labels=["daisy", "rose"]),
                    file=b"...",
                ),
                media_type="multipart/form-data",
            ),
            answers={201: Answer(description="Every process serves it.", content=detail)},
            problems=(
                *("malformed_request", "upload_too_large", "unsupported_media_type", "invalid_upload", "conflict"),
                *_NOT_DONE,
            ),
        ),
        live=Operation(
            method="put",
            path="/models/{name}/live",
            operation_id="set_live",
            scopes=(Scope.DEPLOY,),
            tag="models",
            summary="Send the traffic to versions, by shares",
            description="Every process loads them first; if one cannot, nothing has changed.",
            parameters=(NAME,),
            body=Content(type=Traffic, example=Traffic(shares={served.version: 90, "2": 10})),
            answers={200: Answer(description="The traffic has moved.", content=detail)},
            problems=(
                *("malformed_input", "unsupported_media_type", "body_too_large", "invalid_upload", "unknown_model"),
                *("unknown_version", "conflict"),
                *_NOT_DONE,
            ),
        ),
        roll_back=Operation(
            method="post",
            path="/models/{name}/rollback",
            operation_id="roll_back",
            scopes=(Scope.DEPLOY,),
            tag="models",
            summary="Send the traffic where it was before the last switch",
            parameters=(NAME,),
            answers={200: Answer(description="The traffic is back.", content=detail)},
            problems=("unknown_model", "unknown_version", "conflict", *_NOT_DONE),
        ),
        delete_version=Operation(
            method="delete",
            path="/models/{name}/versions/{version}",
            operation_id="delete_version",
            scopes=(Scope.DEPLOY,),
            tag="models",
            summary="Delete a version that has no traffic",
            parameters=(NAME, VERSION),
            answers={200: Answer(description="It is gone.", content=detail)},
            problems=("unknown_model", "unknown_version", "conflict", "deploy_off", "redis_unavailable"),
        ),
        delete_model=Operation(
            method="delete",
            path="/models/{name}",
            operation_id="delete_model",
            scopes=(Scope.DEPLOY,),
            tag="models",
            summary="Delete all that was deployed of a model",
            parameters=(NAME,),
            description="What the settings have of it goes on.",
            answers={
                200: Answer(
                    description="It is gone; every model that is left.",
                    content=Content(
                        type=ModelList,
                        example=ModelList(models=[msgspec.structs.replace(served.info, ready=True, error=None)]),
                    ),
                )
            },
            problems=("unknown_model", "conflict", "deploy_off", "redis_unavailable"),
        ),
    )
