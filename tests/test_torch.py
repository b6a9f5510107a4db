"""PyTorch modules: the float pass against torch's own tensors, quantised modules integer for
integer, on every tensor that torch gives. Needs torch (revsim's extra `torch`)."""

import warnings

import numpy as np
import pytest

import revsim as rs
from revsim.errors import InputError
from revsim.frontends.floats.calibrate import calibrate
from revsim.frontends.floats.network import run_floats
from revsim.frontends.torch.operations import read_floats
from revsim.frontends.torch.reader import from_torch
from revsim.frontends.torch.trace import trace
from revsim.network.graph_reference import run_graph

torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
nn, functional = torch.nn, torch.nn.functional
pytestmark = pytest.mark.filterwarnings("ignore")


class Residual(nn.Module):
    """The operations that a module can write in its forward method, functions and methods too."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 6, 3, padding="same")
        self.normalise = nn.BatchNorm2d(6)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.last = nn.Linear(6, 5)
        self.offset = nn.Parameter(torch.linspace(-0.2, 0.2, 6).reshape(6, 1, 1))

    def forward(self, x):
        x = functional.relu(self.normalise(self.first((x - 0.1) / 2)))
        x = functional.hardtanh(x + self.depthwise(x) + self.offset, -0.5, 1.5)
        x = functional.dropout(self.pool(x), 0.5, self.training)
        x = functional.avg_pool2d(functional.leaky_relu(x, 0.2), 2, 1)
        x = x.mean((2, 3))
        return functional.log_softmax(self.last(x.view(x.size(0), -1)), dim=1)


def seeded(module, seed=0):
    torch.manual_seed(seed)
    made = module()
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.3, 0.3)
            part.running_var.uniform_(0.5, 2)
    return made.eval()


def tensors_of(module, rows):
    """What torch gives at every operation, by its name in torch.fx."""
    from torch import fx

    seen = {}
    interpreter = fx.Interpreter(fx.symbolic_trace(module))
    run_node = interpreter.run_node

    def recorded(operation):
        seen[operation.name] = run_node(operation)
        return seen[operation.name]

    interpreter.run_node = recorded
    with torch.no_grad():
        interpreter.run(rows)
    return seen


def test_the_float_pass_is_that_of_torch():
    module = seeded(Residual)
    rows = torch.randn(7, 2, 8, 8)
    network = read_floats(trace(module, rows.numpy()))
    mine, theirs = run_floats(network, rows.numpy()), tensors_of(module, rows)
    compared = 0
    for name, values in mine.items():
        if name in theirs and name != "x":
            assert np.allclose(values, theirs[name].reshape(7, -1), atol=1e-5), name
            compared += 1
    assert compared >= 12 and network.output == "last"


def test_float_modules_are_quantised_on_data():
    module = seeded(Residual, 1)
    rows = torch.randn(150, 2, 8, 8)
    labels = module(rows).argmax(dim=1)
    found = calibrate(module, rows, labels)
    assert found.error < 0.05 and found.accuracy_before == 1 and found.accuracy_after > 0.85
    graph = from_torch(module, rows, power_of_two=True)
    assert graph.tensors[graph.outputs[0]].shape == (1, 5)
    assert module.training is False


def test_a_module_in_training_is_read_in_evaluation_and_left_in_training():
    module = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.ReLU())
    module.train()
    before = module[1].running_mean.clone()
    from_torch(module, np.ones((3, 4)))
    assert module.training and module[2].training
    assert torch.equal(before, module[1].running_mean)


def quantised(seed):
    from torch.ao import quantization

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
            self.first, self.bn, self.relu = (
                nn.Conv2d(3, 8, 3, padding=1),
                nn.BatchNorm2d(8),
                nn.ReLU(),
            )
            self.pool, self.second = nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1, groups=2)
            self.plus = torch.ao.nn.quantized.FloatFunctional()
            self.swish, self.mean2 = nn.Hardswish(), nn.AvgPool2d(2)
            self.mean, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
            self.dense, self.last = nn.Linear(8, 6), nn.Linear(6, 5)
            self.sigmoid, self.rectify = nn.Sigmoid(), nn.ReLU()

        def forward(self, x):
            x = self.pool(self.relu(self.bn(self.first(self.quant(x)))))
            x = self.plus.add_relu(x, self.second(x))
            x = self.mean2(self.swish(x))
            x = self.rectify(self.dense(self.flatten(self.mean(x))))
            return self.dequant(self.sigmoid(self.last(x)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.quantized.engine = "fbgemm"
        module = seeded(Net, seed)
        module.qconfig = quantization.get_default_qconfig("fbgemm")
        module = quantization.fuse_modules(module, [["first", "bn", "relu"], ["dense", "rectify"]])
        prepared = quantization.prepare(module)
        for _ in range(4):
            prepared(torch.randn(16, 3, 8, 8))
        return quantization.convert(prepared)


@pytest.mark.parametrize("seed", range(3))
def test_quantised_modules_are_kept_integer_for_integer(seed):
    module = quantised(seed)
    rows = torch.randn(50, 3, 8, 8) * 0.8
    graph = from_torch(module, rows)
    theirs = tensors_of(module, rows)
    made = run_graph(graph, {graph.inputs[0]: theirs["quant"].int_repr().numpy()})
    compared = [name for name in made if name in theirs]
    for name in compared:
        wanted = theirs[name].int_repr().numpy().reshape(len(rows), -1)
        assert np.array_equal(made[name], wanted), name
    assert len(compared) == 12
    neurons = {node.name.partition(".")[0] for node in graph.nodes if node.neurons}
    assert {"first", "add_relu", "swish", "dense", "sigmoid"} <= neurons
    end = graph.tensors[graph.outputs[0]]
    out = torch.tensor(made[graph.outputs[0]] - end.zero) * end.scale
    assert torch.allclose(out.float(), module(rows))


def test_gates_give_the_integers_of_torch():
    module = quantised(4)
    rows = torch.randn(6, 3, 8, 8) * 0.8
    report = rs.verify(from_torch(module, rows), rows.numpy(), policy="uncompute")
    assert report.holds


def test_dynamic_quantisation_and_floats_between_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dynamic = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(InputError, match=r"\(Linear\): quantised, but its input is not"):
        from_torch(dynamic, np.ones((2, 3)))


def test_brevitas_modules_are_read_through_their_own_export():
    layers = pytest.importorskip(
        "brevitas.nn", reason="brevitas is not installed with all it needs"
    )
    torch.manual_seed(0)
    module = nn.Sequential(
        layers.QuantIdentity(bit_width=4, return_quant_tensor=True),
        layers.QuantLinear(6, 8, bias=True, weight_bit_width=3),
        layers.QuantReLU(bit_width=4, return_quant_tensor=True),
        layers.QuantLinear(8, 3, bias=False, weight_bit_width=3),
    )
    for _ in range(20):
        module(torch.randn(32, 6))
    rows = torch.randn(40, 6)
    graph = from_torch(module.eval(), rows)
    entry, last = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    whole = np.clip(np.rint(rows.numpy() / np.float32(entry.scale)), entry.low, entry.high)
    made = run_graph(graph, {graph.inputs[0]: whole.astype(int)})[last.name]
    wanted = module(rows)
    wanted = getattr(wanted, "value", wanted).detach().numpy()
    ratio = wanted[made != 0] / made[made != 0]
    assert np.allclose(ratio, ratio[0], rtol=1e-4) and np.allclose(wanted[made == 0], 0, atol=1e-6)


class Branches(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Strange(nn.Module):
    def forward(self, x):
        return torch.cumsum(x, 1) + torch.sort(x, 1)[0]


@pytest.mark.parametrize(
    "module, data, words",
    [
        (Branches(), np.ones((1, 3)), "Branches: cannot be traced"),
        (Strange(), np.ones((1, 3)), r"cumsum \(cumsum\)"),
        (nn.Linear(3, 2), np.ones((2, 4)), "cannot be traced"),
        (nn.Sequential(nn.Linear(3, 2)), None, "data are rows"),
        (nn.Sequential(nn.Linear(3, 2)), np.ones(3), "data: numbers"),
        (nn.Sequential(nn.GRU(3, 2)), np.ones((2, 3)), r"_0 \(GRU\): it gives several tensors"),
        ("model.pt", np.ones((2, 3)), "takes a torch.nn.Module, not str"),
    ],
)
def test_mistakes_end_in_one_message(module, data, words):
    with pytest.raises(InputError, match=words):
        from_torch(module, data)
