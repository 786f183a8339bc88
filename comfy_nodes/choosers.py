"""Chooser nodes of learnt parts, one for each number of parts."""

from __future__ import annotations

from typing import ClassVar

from comfy_api.v0_0_2 import io

from ..module_partswap.parts import from_switches, part_names, stored_ids
from .schema import Node, make_schema


class SegChooser(Node):
    """Node with a switch for each part of the weights with `COUNT` parts."""

    COUNT: ClassVar[int]

    @classmethod
    def define_schema(cls) -> io.Schema:
        ids, names = stored_ids(cls.COUNT), part_names(cls.COUNT)
        return make_schema(
            node_id=f"FOMM_Seg{cls.COUNT}Chooser",
            display_name=f"FOMM Seg{cls.COUNT} Chooser",
            description=f"Chooses which of the {cls.COUNT} parts of vox-{cls.COUNT}segments FOMM Partswap swaps.",
            aliases=["face parts", "face swap", "part swap", "face mask"],
            inputs=[
                io.Boolean.Input(
                    name,
                    display_name=f"{number} {shown}",
                    default=number > 0,
                    tooltip=f"Part {number}: {shown} (stored as {name}).",
                )
                for number, (name, shown) in enumerate(zip(ids, names, strict=True))
            ],
            outputs=[
                io.String.Output(
                    "chosen_seg_indices",
                    display_name="chosen_seg_indices",
                    tooltip="The numbers of the parts that are on, for FOMM Partswap.",
                )
            ],
        )

    @classmethod
    def execute(cls, **switches: bool) -> io.NodeOutput:
        return io.NodeOutput(from_switches(cls.COUNT, switches))


class FOMM_Seg5Chooser(SegChooser):
    """Chooser for vox-5segments."""

    COUNT = 5


class FOMM_Seg10Chooser(SegChooser):
    """Chooser for vox-10segments."""

    COUNT = 10


class FOMM_Seg15Chooser(SegChooser):
    """Chooser for vox-15segments."""

    COUNT = 15
