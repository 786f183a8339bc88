from typing import Any

import torch

class ModelPatcher:
    model: Any
    load_device: torch.device
    def __init__(self, model: object, load_device: torch.device, offload_device: torch.device) -> None: ...
    def detach(self, unpatch_all: bool = ...) -> object: ...
    def __del__(self) -> None: ...
