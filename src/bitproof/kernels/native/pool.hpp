// Threads that wait between calls: starting one costs as much as a small convolution.
#pragma once

#include <cstddef>
#include <functional>

namespace bitproof {

// Runs work(worker, task) for every task < tasks on up to `threads` threads, this one among them; worker < threads.
// Falls back to this thread alone while another call holds the threads. `work` must not throw.
void parallel(size_t tasks, size_t threads, const std::function<void(size_t worker, size_t task)>& work);

}  // namespace bitproof
