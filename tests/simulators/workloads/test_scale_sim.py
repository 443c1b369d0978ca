"""SCALE-Sim's topologies: every column read by its name, and one error line for what is not understood."""

from pathlib import Path

import pytest

from simulators import Conv2d, InputError, Matmul
from simulators.workloads.operations import AnyLayer
from simulators.workloads.workload import load_workload

SIZES = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter"
HEADER = f"{SIZES}, Strides,\n"
ROW = "c1, 32, 64, 3, 3, 16, 32, 1,\n"
DENSE = 30 * 62 * 32 * 144
"""Products of `ROW`: outputs times the length of the reduction."""


def layers_of(folder: Path, text: str) -> tuple[AnyLayer, ...]:
    file = folder / "topology.csv"
    file.write_bytes(text.encode())
    return load_workload(str(file), "8").layers


@pytest.mark.parametrize(
    "text",
    [
        HEADER + ROW,
        HEADER + ",,,,,,,,\n" + ROW + "\n\n",
        HEADER + "Encoder,,,,,,,,\n" + ROW + "Decoder,\n",
        "Encoder (one),\n" + HEADER + ROW,
        HEADER + ROW + HEADER,
        "\ufeff" + HEADER + ROW,
        (HEADER + ROW).replace("\n", "\r\n"),
        (HEADER + ROW).replace(",", "\t"),
        "\n" + (HEADER + ROW).replace(", ", "\t").replace(",", ""),
        (HEADER + ROW).replace(", ", ",\t "),
        HEADER + ROW.rstrip("\n"),
        HEADER + ROW.replace("1,\n", "1\n"),
        HEADER + ROW.replace("1,\n", "1,#dw, as in MobileNet\n"),
        "# of Conv1,\n" + HEADER + "# c0, 1, 1\n" + ROW,
        HEADER + ROW.replace("c1", '"c1"'),
        HEADER.upper() + ROW,
        HEADER.replace("IFMAP Height", "IFMAP Width") + ROW,
        HEADER.replace("Channels", "channel").replace("Num Filter", "num filters").replace(" H", "_h") + ROW,
        HEADER.replace("Strides,", "Strides, Batch Size,") + ROW,
        HEADER + ROW.replace("1,\n", "1, 1\n"),
        HEADER.replace("Strides,", "Sparsity, Strides,") + ROW.replace("32, 1,", "32, 1:1, 1,"),
        HEADER + "\t" + ROW.replace(",\n", ", \n"),
        HEADER + ROW.replace(", ", "          ,"),
        HEADER.replace(",\n", "\n") + ",,,,,,,\n" + ROW.replace(",\n", "\n"),
        "Num Filter, Strides, " + HEADER.replace(", Num Filter, Strides", "") + "32, 1, c1, 32, 64, 3, 3, 16\n",
    ],
)
def test_one_convolution_however_it_is_written(tmp_path: Path, text: str) -> None:
    (layer,) = layers_of(tmp_path, text)
    assert isinstance(layer, Conv2d)
    assert (layer.name, layer.macs, layer.weight_sparsity, layer.stride) == ("c1", DENSE, None, (1, 1))


def test_stride_height_and_width(tmp_path: Path) -> None:
    row = ROW.replace("1,\n", "1, 2,\n")
    (layer,) = layers_of(tmp_path, f"{SIZES}, Stride height, Stride width,\n" + row)
    assert layer.macs == 4_285_440 == 30 * 31 * 32 * 144
    (layer,) = layers_of(tmp_path, f"{SIZES}, Strides, Stride width,\n" + row)
    assert layer.macs == 4_285_440
    (layer,) = layers_of(tmp_path, f"{SIZES}, Stride width, Stride height,\n" + row)
    assert layer.macs == 15 * 62 * 32 * 144


def test_a_batch_multiplies_the_inputs_and_not_the_weights(tmp_path: Path) -> None:
    (layer,) = layers_of(tmp_path, HEADER.replace("Strides,", "Strides, Batch Size,") + ROW.replace("1,\n", "1, 4,\n"))
    assert (layer.macs, layer.parameters) == (34_283_520, 32 * 144)
    (layer,) = layers_of(tmp_path, "Layer,M,N,K,Batch\ng,5,7,11,4\n")
    assert (layer.macs, layer.parameters) == (4 * 5 * 7 * 11, 7 * 11)


def test_frames_of_a_batch_keep_it(tmp_path: Path) -> None:
    file = tmp_path / "g.csv"
    file.write_text("Layer,M,N,K,Batch\ng,5,7,11,4\n")
    trace = load_workload(str(file), "8")
    trace.save(tmp_path / "g.yaml")
    again = load_workload(str(tmp_path / "g.yaml"), steps=3)
    assert again.layers == load_workload(str(file), "8", 3).layers
    with pytest.raises(InputError, match="layer g runs 60 times for 7"):
        again.model_copy(update={"steps": 7}).at_steps(2)


def test_files_of_several_networks(tmp_path: Path) -> None:
    """One header, titles between, names that come again, and an apostrophe that quotes nothing."""
    text = f"{HEADER}\nFirst (with a remark),\n{ROW}\nSecond,\n{ROW}Q x K', 1, 64, 1, 1, 64, 1, 1, \n"
    layers = layers_of(tmp_path, text)
    assert [layer.macs for layer in layers] == [DENSE, DENSE, 64 * 64]
    assert [layer.name for layer in layers] == ["c1", "c1.7", "Q_x_K'"]


def test_dp_in_a_name_is_depthwise(tmp_path: Path) -> None:
    (layer,) = layers_of(tmp_path, HEADER + "c1_DP, 32, 64, 3, 3, 16, 2, 1,\n")
    assert isinstance(layer, Conv2d)
    assert (layer.groups, layer.out_channels) == (16, 32)
    assert layer.outputs_total().elements == 30 * 62 * 32
    (layer,) = layers_of(tmp_path, "Layer,M,N,K\nDP,5,7,11\n")
    assert isinstance(layer, Matmul)


def test_sparsity(tmp_path: Path) -> None:
    """64 outputs of 64 inputs, two of four weights kept, each with 2 bits that say which."""
    (layer,) = layers_of(tmp_path, "Layer,M,N,K,Sparsity,\ng,64,64,64,2:4,\n")
    assert isinstance(layer, Matmul)
    assert layer.weight_sparsity == (2, 4)
    assert layer.parameter_bits == 64 * 32 * (8 + 2)
    for text in (HEADER.replace("Strides,", "Strides, Sparsity,"), HEADER):  # SCALE-Sim knows it by its place
        (layer,) = layers_of(tmp_path, text + ROW.replace("1,\n", "1, 1:4,\n"))
        assert layer.parameter_bits == 32 * 36 * (8 + 2)
    (layer,) = layers_of(tmp_path, "Layer,M,N,K,Sparsity,\ng,64,64,64,1,\n")
    assert layer.parameter_bits == 64 * 64 * 8


def test_a_batch_and_sparsity_of_each_layer(tmp_path: Path) -> None:
    text = "layer name,m,n,k,batch,sparsity ratio,\ng,6,24,16,5,2:4,\nh,3,8,24,2,1:4,\n"
    first, second = layers_of(tmp_path, text)
    assert (first.macs, first.weight_sparsity) == (5 * 6 * 24 * 16, (2, 4))
    assert (second.macs, second.weight_sparsity) == (2 * 3 * 8 * 24, (1, 4))
    header = HEADER.replace("Strides,", "Strides, Batch Size, Sparsity,")
    first, second = layers_of(
        tmp_path, header + ROW.replace("1,\n", "1, 3, 1:1,\n") + ROW.replace("1,\n", "1, , 1:4,\n")
    )
    assert (first.macs, first.weight_sparsity) == (3 * DENSE, None)
    assert (second.macs, second.weight_sparsity) == (DENSE, (1, 4))


def test_layers_named_by_numbers_and_products_as_convolutions(tmp_path: Path) -> None:
    layers = layers_of(tmp_path, "Layer,M,N,K\r\n1,20,30,4\r\n\r\n2,4,20,30")
    assert [(layer.name, layer.macs) for layer in layers] == [("1", 2400), ("2", 2400)]
    layers = layers_of(tmp_path, HEADER + "Bot/MLP 0,20,13,1,13,1,30,1, \nQ x K', 1, 6, 1, 1, 9 ,5, 1, \n")
    assert [(layer.name, layer.macs) for layer in layers] == [("Bot/MLP_0", 20 * 13 * 30), ("Q_x_K'", 6 * 9 * 5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{SIZES}, Strides, Padding,\n" + ROW,
            ":1:9: column Padding: unknown; the columns here are Layer name, IFMAP",
        ),
        (f"{SIZES}, Stride,s\n" + ROW, ":1:9: column s: unknown"),
        ("Layer,M,N,K,Sparsitty\ng,1,1,1,1\n", ":1:5: column Sparsitty: unknown; did you mean Sparsity?"),
        ("Layer,M,N,K,Strides\ng,1,1,1,1\n", ":1:5: column Strides: unknown"),
        ("Layer,M,N,K,M\ng,1,1,1,1\n", ":1:5: column M: it stands twice"),
        ("Layer,M,N\ng,1,1\n", ":1:1: header Layer,M,N: column K is missing"),
        (f"{SIZES}\n" + ROW, "column Strides is missing"),
        (f"{SIZES}, Stride height\n" + ROW, "column Stride width is missing"),
        (f"{SIZES}, Strides, Stride height, Stride width\n" + ROW, ":1:8: column Strides: Stride height and Stride"),
        ("a,1,2,3\nb,1,2,3\n", ":1:1: header a,1,2,3: neither `Layer, M, N, K` nor"),
        (HEADER + "Encoder,,,\n", ":1:1: a header and at least one layer"),
        (HEADER + ROW.replace("1,\n", "2, 3,\n"), ":2:9: '3': its column has no name; it may be Stride height, Stride"),
        ("Layer,M,N,K\ng,1,1,1,4\n", ":2:5: '4': its column has no name; it may be Batch Size, Sparsity"),
        (f"{SIZES}, Strides,, Target\n" + ROW.replace("1,\n", "1, NPU\n"), ":1:10: column Target: unknown"),
        (f"{SIZES}, Strides,,,Eh,Ew\n" + ROW.replace("\n", ",,,\n"), ":1:11: column Eh: unknown"),
        (HEADER + ROW.replace("32, 1", "B, 1"), ":2:7: 'B': expected a whole number from 1 as Num Filter"),
        (HEADER + ROW.replace(" 16,", " ,"), ":2:6: '': expected a whole number from 1 as Channels"),
        ("Layer,M,N,K,Sparsity\ng,1,1,1,4:2\n", ":2:5: '4:2': expected N:M as Sparsity"),
        ("Layer,M,N,K,Sparsity\ng,1,1,1,half\n", ":2:5: 'half': expected N:M as Sparsity"),
        ("Layer,M,N,K,Batch\ng,1,1,1,0\n", ":2:5: '0': expected a whole number from 1 as Batch Size"),
        ("Layer,M,N,K\n" + "g,16777216,16777216,16777216\n", "more than 2^52"),
    ],
)
def test_what_is_not_understood_is_one_line_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        layers_of(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "topology.csv"))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
