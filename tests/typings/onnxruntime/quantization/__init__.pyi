from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto

class QuantFormat(Enum):
    QDQ = 1

class QuantType(Enum):
    QInt8 = 0
    QUInt8 = 1

class CalibrationDataReader:
    def get_next(self) -> dict[str, NDArray[Any]] | None: ...

def quantize_static(
    model_input: ModelProto,
    model_output: Path,
    calibration_data_reader: CalibrationDataReader,
    quant_format: QuantFormat = ...,
    op_types_to_quantize: Sequence[str] = ...,
    per_channel: bool = ...,
    activation_type: QuantType = ...,
    weight_type: QuantType = ...,
    nodes_to_exclude: Sequence[str] = ...,
) -> None: ...
