from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

NetworkWriter = Callable[..., Path]


@pytest.fixture
def write_network(tmp_path: Path) -> NetworkWriter:
    def write(
        outputs: Mapping[str, NDArray[np.float64]],
        *,
        shape: tuple[int | str, ...] = (1, 3, 64, 64),
        kind: int = TensorProto.FLOAT,
        name: str = "network.onnx",
        only_width: int | None = None,
    ) -> Path:
        """An ONNX network that answers every picture with the same numbers, or fails on all but those of one width."""
        nodes = [  # 0 times the picture is added to every output, so that none is a constant
            helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.FLOAT),
            *([helper.make_node("MatMul", ["numbers", "weights"], ["product"])] if only_width else []),
            helper.make_node(
                "ReduceMean",
                ["product" if only_width else "numbers"],
                ["mean"],
                axes=list(range(1, len(shape))),
                keepdims=0,
            ),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
            *(helper.make_node("Add", [f"{key} values", "nothing"], [key]) for key in outputs),
        ]
        values = [
            numpy_helper.from_array(np.asarray(value, np.float32), f"{key} values") for key, value in outputs.items()
        ]
        factors = [numpy_helper.from_array(np.zeros((only_width, 1), np.float32), "weights")] if only_width else []
        graph = helper.make_graph(
            nodes,
            "answers",
            [helper.make_tensor_value_info("input", kind, shape)],
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, value.shape) for key, value in outputs.items()],
            [numpy_helper.from_array(np.zeros(1, np.float32), "zero"), *values, *factors],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return write
