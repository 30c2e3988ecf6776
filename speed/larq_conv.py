"""One binary 3 × 3 convolution in Larq Compute Engine, one thread: `larq_conv.py CHANNELS SIZE REPEATS` ends with its µs.

Runs in the environment that kernels.py makes: TensorFlow 2.16 with Keras 2, NumPy 1.
"""

import os
import sys
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import larq
import larq_compute_engine as lce
import numpy as np
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter

channels, size, repeats = map(int, sys.argv[1:])
model = tf.keras.Sequential(
    [
        tf.keras.layers.Input((size, size, channels), batch_size=1),
        larq.layers.QuantConv2D(
            channels, 3, padding="same", pad_values=1.0, use_bias=False, input_quantizer="ste_sign", kernel_quantizer="ste_sign"
        ),
    ]
)
interpreter = Interpreter(lce.convert_keras_model(model), num_threads=1)
x = np.random.default_rng(0).standard_normal((1, size, size, channels)).astype(np.float32)
times = []
for _ in range(repeats + 2):
    start = time.thread_time()
    interpreter.predict(x)
    times.append(time.thread_time() - start)
print(1e6 * min(times[2:]))
