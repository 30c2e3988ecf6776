"""An ONNX graph that can be rewritten: its nodes in order, its constants as arrays, who gives and who uses a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from bitproof.core import ModelError

Array = NDArray[Any]

#: Nodes that are kept although all their inputs are constant: the small integers are what the file is for.
_KEPT = ("DequantizeLinear",)


class Graph:
    """The graph of ``model``: constants apart, nodes in topological order; ``model()`` puts it together again."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.constants: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.nodes: list[Any] = list(model.graph.node)
        self.outputs = [output.name for output in model.graph.output]
        for node in self.nodes:
            if any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute):
                raise ModelError(
                    f"The network's graph branches on data ({node.op_type}); only one without branches can be exported."
                )

    def giver(self, tensor: str) -> Any:
        """The node that makes ``tensor``, None for a constant or the graph's input."""
        return next((node for node in self.nodes if tensor in node.output), None)

    def users(self, tensor: str) -> list[Any]:
        """The nodes that read ``tensor``; None stands for the graph's output."""
        nodes: list[Any] = [node for node in self.nodes if tensor in node.input]
        return nodes + [None] * self.outputs.count(tensor)

    def sole_user(self, tensor: str) -> Any:
        """The one node that reads ``tensor``, None where there are several or where it is an output."""
        users = self.users(tensor)
        return users[0] if len(users) == 1 else None

    def constant(self, name: str, value: Array) -> str:
        """Keep ``value`` under ``name`` and return the name."""
        self.constants[name] = value
        return name

    def put(self, before: Any, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
        """Insert a node in front of ``before``; its name is that of its output."""
        node = helper.make_node(op, list(inputs), [output], name=output, **attributes)
        self.nodes.insert(self._position(before), node)
        return node

    def drop(self, node: Any, instead: str) -> None:
        """Remove ``node``; whoever read its output reads ``instead``."""
        del self.nodes[self._position(node)]
        self.rewire(node.output[0], instead)

    def rewire(self, old: str, new: str) -> None:
        """Let all that read ``old`` read ``new``. An output keeps its name: the node that makes ``new`` then makes it."""
        for node in self.nodes:
            node.input[:] = [new if name == old else name for name in node.input]
        if old in self.outputs:
            giver = self.giver(new)
            self.rewire(new, old)
            giver.output[:] = [old if name == new else name for name in giver.output]

    def _position(self, node: Any) -> int:
        return next(i for i, other in enumerate(self.nodes) if other is node)

    def fold(self) -> None:
        """Compute every node whose inputs are all constant, the dequantized weights apart."""
        left = []
        for node in self.nodes:
            known = all(name in self.constants or not name for name in node.input)
            if not known or node.op_type in _KEPT or node.domain:
                left.append(node)
                continue
            for name, value in zip(node.output, self._computed(node), strict=True):
                self.constants[name] = np.asarray(value)
        self.nodes = left

    def _computed(self, node: Any) -> Sequence[Any]:
        given = {name: self.constants[name] for name in node.input if name}
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for name, a in given.items()
        ]
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
        model = helper.make_model(helper.make_graph([node], "one", inputs, outputs), opset_imports=self._model.opset_import)
        values: Sequence[Any] = ReferenceEvaluator(model).run(None, given)
        return values

    def model(self) -> Any:
        """Return the model of what is left, without nodes and constants that nothing reads."""
        self.sweep()
        read = {name for node in self.nodes for name in node.input} | set(self.outputs)
        result = onnx.ModelProto()
        result.CopyFrom(self._model)
        del result.graph.node[:], result.graph.initializer[:], result.graph.value_info[:]
        result.graph.node.extend(self.nodes)
        result.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in self.constants.items() if name in read)
        kept = [opset for opset in result.opset_import if not opset.domain]
        kept += [helper.make_opsetid(domain, 1) for domain in sorted({node.domain for node in self.nodes} - {""})]
        del result.opset_import[:]
        result.opset_import.extend(kept)
        result.producer_name = "bitproof"
        onnx.checker.check_model(result)
        return result

    def sweep(self) -> None:
        """Remove the nodes whose outputs nothing reads."""
        read, left = set(self.outputs), []
        for node in reversed(self.nodes):
            if read.intersection(node.output):
                left.append(node)
                read.update(node.input)
        self.nodes = left[::-1]
