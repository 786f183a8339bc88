"""List of the nodes that ComfyUI asks for; each family's are in `comfy_nodes`."""

from __future__ import annotations

from comfy_api.v0_0_2 import ComfyExtension, io

from .animation.registry import architectures
from .comfy_nodes.articulate import Articulate_Runner
from .comfy_nodes.choosers import FOMM_Seg5Chooser, FOMM_Seg10Chooser, FOMM_Seg15Chooser
from .comfy_nodes.face_parsing import FirstOrderMotion_FaceParser, FirstOrderMotion_FaceParts
from .comfy_nodes.faces import FirstOrderMotion_CropFaces, FirstOrderMotion_PasteFaces
from .comfy_nodes.fomm import FOMM_Runner
from .comfy_nodes.fsrt import FSRT_Runner
from .comfy_nodes.generic import generic_runners
from .comfy_nodes.inspection import FirstOrderMotion_InspectMotion
from .comfy_nodes.live import FirstOrderMotion_Live
from .comfy_nodes.motion import (
    FirstOrderMotion_AnimateByMotion,
    FirstOrderMotion_LoadMotion,
    FirstOrderMotion_MixMotions,
    FirstOrderMotion_ReadMotion,
    FirstOrderMotion_SaveMotion,
)
from .comfy_nodes.mrfa import MRFA_Runner
from .comfy_nodes.options import FirstOrderMotion_Options, FirstOrderMotion_RunnerOptions
from .comfy_nodes.partswap import FOMM_Partswap
from .comfy_nodes.runtime import folders, live
from .comfy_nodes.runtime.sample import place_samples
from .comfy_nodes.runtime.side_by_side import Watch
from .comfy_nodes.sample import FirstOrderMotion_Sample
from .comfy_nodes.spline import Spline_Runner
from .comfy_nodes.video import FirstOrderMotion_AnimateVideo

_FAMILIES: list[type[io.ComfyNode]] = [
    *(FOMM_Runner, Spline_Runner, Articulate_Runner, MRFA_Runner, FSRT_Runner, FirstOrderMotion_Sample),
    *(FOMM_Partswap, FOMM_Seg5Chooser, FOMM_Seg10Chooser, FOMM_Seg15Chooser),
    *(FirstOrderMotion_FaceParser, FirstOrderMotion_FaceParts),
    *(FirstOrderMotion_CropFaces, FirstOrderMotion_PasteFaces),
    *(
        FirstOrderMotion_Options,
        FirstOrderMotion_RunnerOptions,
        FirstOrderMotion_AnimateVideo,
        FirstOrderMotion_AnimateByMotion,
    ),
    *(FirstOrderMotion_ReadMotion, FirstOrderMotion_SaveMotion, FirstOrderMotion_LoadMotion),
    *(FirstOrderMotion_MixMotions, FirstOrderMotion_InspectMotion, FirstOrderMotion_Live),
]
NODES = [*_FAMILIES, *generic_runners(architectures().values(), _FAMILIES)]


class FirstOrderExtension(ComfyExtension):
    """Extension with all nodes but those whose id another pack has already taken."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """List the nodes; packs that come later may take their ids, which is told once all are loaded."""
        watch = Watch(NODES)
        watch.watch()
        return watch.left()


def build_extension() -> FirstOrderExtension:
    """Register the model folder, put samples where loaders find them, mount live, and return the extension."""
    folders.register()
    place_samples()
    live.mount()
    return FirstOrderExtension()
