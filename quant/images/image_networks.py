"""Two small convolutional networks: after MobileNet-V2 (Sandler et al. 2018), and after ResNet (He et al. 2016).

A network is a list of convolutions, a mean over what is left of the picture, and a product for the classes. Training,
whole numbers and traces all read this list, so that they cannot be of different networks.
"""

from dataclasses import dataclass

from quant.sites.site import Role, Site

PIXELS = "pixels"
"""What a layer reads that reads the picture."""
CLASSIFIER = "FC"
"""Name of the product for the classes."""


@dataclass(frozen=True)
class ConvLayer:
    """A square convolution with a bias, and what comes behind it: a sum with another layer's result, a ReLU."""

    name: str
    source: str
    """The layer whose result it reads, or `PIXELS`."""
    inputs: int
    """Channels that it reads."""
    outputs: int
    """Channels that it leaves."""
    kernel: int = 1
    """Rows and columns of a kernel: odd; the picture is padded with zeros by half of it."""
    stride: int = 1
    """Pixels from one window to the next, in both ways."""
    groups: int = 1
    """1, or as many as there are channels: a depthwise convolution."""
    relu: bool = True
    added: str | None = None
    """The layer whose result is added before the ReLU."""

    def size_behind(self, size: int) -> int:
        """Rows and columns that it leaves of so many."""
        return (size - 1) // self.stride + 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Sizes of its weights: outputs, inputs of a group, rows and columns of a kernel."""
        return self.outputs, self.inputs // self.groups, self.kernel, self.kernel


@dataclass(frozen=True)
class ImageNetwork:
    """A network for square pictures of one channel."""

    layers: tuple[ConvLayer, ...]
    """In the order of the computation."""
    classes: int = 10
    """Classes that it tells apart."""

    @property
    def features(self) -> int:
        """Inputs of the product for the classes."""
        return self.layers[-1].outputs

    @property
    def sites(self) -> tuple[Site, ...]:
        """Every convolution and the product for the classes: what gets bits."""
        of_layers = [Site(x.name, x.outputs, x.inputs // x.groups * x.kernel**2) for x in self.layers]
        return *of_layers, Site(CLASSIFIER, self.classes, self.features, Role.OUTPUT)

    def sizes(self, size: int) -> dict[str, int]:
        """Rows and columns of what every layer leaves, given those of a picture."""
        sizes = {PIXELS: size}
        for layer in self.layers:
            sizes[layer.name] = layer.size_behind(sizes[layer.source])
        return sizes

    def is_unsigned(self, site: str) -> bool:
        """Whether a site reads what is never negative: pixels, or results of a ReLU."""
        relu = {layer.name: layer.relu for layer in self.layers} | {PIXELS: True}
        sources = {layer.name: layer.source for layer in self.layers} | {CLASSIFIER: self.layers[-1].name}
        return relu[sources[site]]


def mobilenet() -> ImageNetwork:
    """After MobileNet-V2: a depthwise and a pointwise convolution, then inverted residuals that widen four times, with
    linear ends, and sums where neither stride nor channels change."""
    layers = [
        ConvLayer("stem", PIXELS, 1, 16, kernel=3, stride=2),
        ConvLayer("b1.depthwise", "stem", 16, 16, kernel=3, groups=16),
        ConvLayer("b1.project", "b1.depthwise", 16, 8, relu=False),
    ]
    channels, source = 8, "b1.project"
    for number, (outputs, stride) in enumerate(((16, 2), (16, 1), (24, 2), (24, 1)), 2):
        wide, b = 4 * channels, f"b{number}"
        added = source if stride == 1 and outputs == channels else None
        layers += [
            ConvLayer(f"{b}.expand", source, channels, wide),
            ConvLayer(f"{b}.depthwise", f"{b}.expand", wide, wide, kernel=3, stride=stride, groups=wide),
            ConvLayer(f"{b}.project", f"{b}.depthwise", wide, outputs, relu=False, added=added),
        ]
        channels, source = outputs, f"{b}.project"
    return ImageNetwork((*layers, ConvLayer("head", source, channels, 96)))


def resnet() -> ImageNetwork:
    """After ResNet, eight weighted layers deep: three blocks of two convolutions, the second and third of half the size
    and twice the channels, with a pointwise convolution on their shortcut."""
    layers = [ConvLayer("stem", PIXELS, 1, 16, kernel=3, stride=2)]
    channels, source = 16, "stem"
    for number, outputs in enumerate((16, 32, 64), 1):
        b, stride = f"b{number}", 1 if outputs == channels else 2
        shortcut = source
        if stride == 2:
            shortcut = f"{b}.shortcut"
            layers.append(ConvLayer(shortcut, source, channels, outputs, stride=2, relu=False))
        layers += [
            ConvLayer(f"{b}.first", source, channels, outputs, kernel=3, stride=stride),
            ConvLayer(f"{b}.second", f"{b}.first", outputs, outputs, kernel=3, added=shortcut),
        ]
        channels, source = outputs, f"{b}.second"
    return ImageNetwork(tuple(layers))
