from torch import nn

class InceptionResnetV1(nn.Module):
    def __init__(self, pretrained: str | None = None, classify: bool = False) -> None: ...
