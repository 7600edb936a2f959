"""Well-known architectures, written as functions that extend a Network and return it finished."""

# The normalisation at the end of a residual branch. Scales are below one, so that a block changes its input rather than
# replaces it; with scales near one, random blocks enlarge every rounding error of the blocks before.
BRANCH = {"gamma": (0.3, 0.7), "beta": 0}


def vgg(net, plan):
    """Simonyan and Zisserman 2014, for 32x32 images: batch normalisation, two hidden dense layers of 512."""
    x, index = net.input, 0
    for width in plan:
        if width == "pool":
            x = net.max_pool(x, f"pool{index}", 2, 2)
            continue
        index += 1
        x = net.conv(x, f"conv{index}", width, 3, pad=1)
        x = net.relu(net.norm(x, f"norm{index}"), f"relu{index}")
    x = net.flatten(x, "flatten")
    for i in (1, 2):
        x = net.relu(net.dense(x, f"fc{i}", 512), f"fc{i}.relu")
    return net.finish(net.classify(x, "fc3", 10), "logits")


def vgg11(net):
    return vgg(net, [64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"])


def vgg16(net):
    return vgg(net, [64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool",
                     512, 512, 512, "pool"])


def conv_norm(net, x, name, channels, kernel, stride=1, **norm):
    x = net.conv(x, name, channels, kernel, stride, kernel // 2, bias=False)
    return net.norm(x, name + ".norm", **norm)


def shortcut(net, x, name, channels, stride):
    """The identity, or a 1x1 convolution where the shape changes."""
    if stride == 1 and x.data.shape[1] == channels:
        return x
    return conv_norm(net, x, name + ".down", channels, 1, stride)


def basic_block(net, x, name, channels, stride):
    y = net.relu(conv_norm(net, x, name + ".conv1", channels, 3, stride), name + ".relu1")
    y = conv_norm(net, y, name + ".conv2", channels, 3, **BRANCH)
    return net.relu(net.add(y, shortcut(net, x, name, channels, stride), name + ".add"), name + ".relu2")


def bottleneck(net, x, name, channels, stride):
    """The stride is in the 3x3 convolution, as in most training frameworks (the paper has it in the first 1x1)."""
    y = net.relu(conv_norm(net, x, name + ".conv1", channels, 1), name + ".relu1")
    y = net.relu(conv_norm(net, y, name + ".conv2", channels, 3, stride), name + ".relu2")
    y = conv_norm(net, y, name + ".conv3", 4 * channels, 1, **BRANCH)
    return net.relu(net.add(y, shortcut(net, x, name, 4 * channels, stride), name + ".add"), name + ".relu3")


def residual_stages(net, x, block, counts):
    for stage, count in enumerate(counts):
        for i in range(count):
            stride = 2 if stage > 0 and i == 0 else 1
            x = block(net, x, f"layer{stage + 1}.{i}", 64 << stage, stride)
    return net.average(x, "average")


def resnet18(net):
    """He et al. 2015, with the 3x3 stem without pooling that is usual for 32x32 images."""
    x = net.relu(conv_norm(net, net.input, "stem", 64, 3), "stem.relu")
    x = residual_stages(net, x, basic_block, [2, 2, 2, 2])
    return net.finish(net.classify(x, "fc", 10), "logits")


def resnet50(net):
    """He et al. 2015."""
    x = net.relu(conv_norm(net, net.input, "stem", 64, 7, 2), "stem.relu")
    x = net.max_pool(x, "stem.pool", 3, 2, 1)
    x = residual_stages(net, x, bottleneck, [3, 4, 6, 3])
    return net.finish(net.classify(x, "fc", 1000), "logits")


def conv_relu6(net, x, name, channels, kernel, stride=1, group=1):
    """Scales above one, so that the upper end of ReLU6 is met by some values."""
    x = net.conv(x, name, channels, kernel, stride, kernel // 2, group, bias=False)
    return net.relu6(net.norm(x, name + ".norm", gamma=(0.8, 2)), name + ".relu6")


def inverted_residual(net, x, name, expansion, channels, stride):
    hidden = x.data.shape[1] * expansion
    y = x if expansion == 1 else conv_relu6(net, x, name + ".expand", hidden, 1)
    y = conv_relu6(net, y, name + ".depthwise", hidden, 3, stride, group=hidden)
    if stride == 2 or channels != x.data.shape[1]:
        return conv_norm(net, y, name + ".project", channels, 1)
    return net.add(conv_norm(net, y, name + ".project", channels, 1, **BRANCH), x, name + ".add")


def mobilenetv2(net):
    """Sandler et al. 2018, width 1.0."""
    x = conv_relu6(net, net.input, "stem", 32, 3, 2)
    plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for stage, (expansion, channels, count, stride) in enumerate(plan):
        for i in range(count):
            x = inverted_residual(net, x, f"stage{stage}.{i}", expansion, channels, stride if i == 0 else 1)
    x = net.average(conv_relu6(net, x, "last", 1280, 1), "average")
    return net.finish(net.classify(x, "fc", 1000), "logits")


def double_conv(net, x, name, channels):
    for i in (1, 2):
        x = net.relu(conv_norm(net, x, f"{name}.conv{i}", channels, 3), f"{name}.relu{i}")
    return x


def unet(net):
    """Ronneberger et al. 2015, with padding, three levels and few channels; one logit per pixel."""
    skips, x = [], net.input
    for i, channels in enumerate((16, 32, 64)):
        x = double_conv(net, x, f"down{i}", channels)
        skips.append(x)
        x = net.max_pool(x, f"down{i}.pool", 2, 2)
    x = double_conv(net, x, "bottom", 128)
    for i, skip in reversed(list(enumerate(skips))):
        channels = skip.data.shape[1]
        x = net.concat(skip, net.upsample(x, f"up{i}", channels), f"up{i}.concat")
        x = double_conv(net, x, f"up{i}", channels)
    return net.finish(net.conv(x, "head", 1, 1), "mask")


def keyword(net):
    """A convolutional network on the waveform, after the M5 of Dai et al. 2016; 35 keywords."""
    x = net.relu(net.norm(net.conv(net.input, "conv1", 64, 80, 16), "norm1"), "relu1")
    for i, channels in ((2, 64), (3, 128), (4, 128)):
        x = net.max_pool(x, f"pool{i}", 4, 4)
        x = net.relu(net.norm(net.conv(x, f"conv{i}", channels, 3, pad=1), f"norm{i}"), f"relu{i}")
    return net.finish(net.classify(net.average(x, "average"), "fc", 35), "logits")
