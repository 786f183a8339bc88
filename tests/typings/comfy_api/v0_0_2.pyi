from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any

from torch import Tensor

class ComfyExtension:
    async def get_node_list(self) -> list[type[io.ComfyNode]]: ...

class io:  # noqa: N801
    class Input:
        extra_dict: dict[str, Any]

    class Output: ...

    @dataclass(kw_only=True)
    class Schema:
        node_id: str
        display_name: str
        category: str
        description: str
        inputs: list[io.Input]
        outputs: list[io.Output]
        hidden: list[io.Hidden] = ...
        is_input_list: bool = ...
        is_output_node: bool = ...
        search_aliases: list[str] = ...

    class Hidden:
        prompt: io.Hidden
        unique_id: io.Hidden

    class HiddenHolder:
        prompt: dict[str, Any] | None
        unique_id: str | None

    class NodeOutput:
        def __init__(self, *results: object, ui: dict[str, list[str]] | None = ...) -> None: ...

    class ComfyNode:
        hidden: io.HiddenHolder
        @classmethod
        def define_schema(cls) -> io.Schema: ...

    class Wire:
        class Input(io.Input):
            def __init__(self, id: str, *, optional: bool = ..., tooltip: str) -> None: ...

        class Output(io.Output):
            def __init__(self, id: str, *, display_name: str, tooltip: str, is_output_list: bool = ...) -> None: ...

    class Image(Wire): ...

    @staticmethod
    def Custom(io_type: str) -> type[io.Wire]: ...  # noqa: N802

    class Audio(Wire): ...
    class Video(Wire): ...
    class UpscaleModel(Wire): ...

    class Float:
        class Input(io.Input):
            def __init__(
                self, id: str, *, default: float, min: float, max: float, step: float, optional: bool = ..., tooltip: str
            ) -> None: ...

        class Output(io.Output):
            def __init__(self, id: str, *, display_name: str, tooltip: str) -> None: ...

    class Int:
        class Input(io.Input):
            def __init__(
                self, id: str, *, default: int, min: int, max: int, step: int, optional: bool = ..., tooltip: str
            ) -> None: ...

        class Output(io.Output):
            def __init__(self, id: str, *, display_name: str, tooltip: str) -> None: ...

    class Boolean:
        class Input(io.Input):
            def __init__(
                self, id: str, *, display_name: str = ..., default: bool, optional: bool = ..., tooltip: str
            ) -> None: ...

    class String:
        class Input(io.Input):
            def __init__(self, id: str, *, default: str, optional: bool = ..., tooltip: str) -> None: ...

        class Output(io.Output):
            def __init__(self, id: str, *, display_name: str, tooltip: str) -> None: ...

    class Mask(Wire): ...

    class Combo:
        class Input(io.Input):
            def __init__(
                self, id: str, *, options: list[str], default: str, optional: bool = ..., tooltip: str
            ) -> None: ...

class VideoComponents:
    images: Tensor
    audio: dict[str, Any] | None
    frame_rate: Fraction

class InputImpl:
    class VideoFromFile:
        def __init__(self, file: str | BytesIO) -> None: ...
        def get_stream_source(self) -> str | BytesIO: ...
        def get_components(self) -> VideoComponents: ...
        def save_to(self, path: str) -> None: ...

    class VideoFromComponents:
        def get_stream_source(self) -> BytesIO: ...
        def get_components(self) -> VideoComponents: ...
        def save_to(self, path: str) -> None: ...
