#include "pool.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace bitproof {
namespace {

using Work = std::function<void(size_t, size_t)>;

class Pool {
 public:
  void run(size_t tasks, size_t helpers, const Work& work) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (threads_ < helpers && start()) {
      }
      work_ = &work;
      tasks_ = tasks;
      helpers_ = helpers;
      next_ = joined_ = 0;
      ++round_;
    }
    wake_.notify_all();
    drain(0);
    std::unique_lock<std::mutex> lock(mutex_);
    helpers_ = 0;  // who has not come yet need not come
    done_.wait(lock, [this] { return busy_ == 0; });
  }

  std::mutex callers;

 private:
  bool start() {
    try {
      std::thread([this, seen = round_] { serve(seen); }).detach();
    } catch (const std::system_error&) {
      return false;  // no thread to be had: fewer do the work
    }
    ++threads_;
    return true;
  }

  void serve(size_t seen) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      if (joined_ >= helpers_) continue;
      const size_t worker = ++joined_;
      ++busy_;
      lock.unlock();
      drain(worker);
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void drain(size_t worker) {
    for (size_t task = next_++; task < tasks_; task = next_++) (*work_)(worker, task);
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<size_t> next_{0};
  const Work* work_ = nullptr;
  size_t tasks_ = 0, round_ = 0;
  size_t threads_ = 0, helpers_ = 0, joined_ = 0, busy_ = 0;  // there, wanted, come in this round, not done yet
};

Pool*& shared() {
  static Pool* pool = new Pool;  // never deleted: its threads outlive static destructors
  return pool;
}

// A forked child has none of the threads: it begins with a pool of its own.
[[maybe_unused]] void renew() { shared() = new Pool; }

Pool& pool() {
#if defined(__unix__) || defined(__APPLE__)
  static const int registered = pthread_atfork(nullptr, nullptr, renew);
  (void)registered;
#endif
  return *shared();
}

}  // namespace

void parallel(size_t tasks, size_t threads, const Work& work) {
  if (threads > tasks) threads = tasks;
  if (threads > 1) {
    Pool& all = pool();
    std::unique_lock<std::mutex> lock(all.callers, std::try_to_lock);
    if (lock.owns_lock()) return all.run(tasks, threads - 1, work);
  }
  for (size_t task = 0; task < tasks; ++task) work(0, task);
}

}  // namespace bitproof
