// What stands between products: instructions of a plan, an attention by signs, and a sound's front end. Memory is as large as it must
// be and no larger, so that a sanitizer sees what is read or written beyond it.
#include <algorithm>
#include <cmath>

#include "plan.hpp"
#include "selftest.hpp"
#include "spectra.hpp"

using namespace bitproof;

namespace {

using Floats = std::vector<float>;

Floats draw(Random& random, size_t n) {
  Floats all(n);
  for (float& value : all) value = float(random.upto(0, 4000)) / 1000.0f - 2.0f;
  return all;
}

bool near(const Floats& found, const std::vector<double>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!(std::fabs(found[i] - expected[i]) <= 1e-4 * (1 + std::fabs(expected[i])))) return false;
  }
  return found.size() == expected.size();
}

// A plan of one instruction over x that writes y.
template <class Add>
Floats ran(const Kernels& kernels, Floats& x, size_t n, size_t threads, const Add& add) {
  Floats y(n, NAN);
  Plan plan(kernels);
  const Place from = {plan.slot(x.data()), 0}, to = {plan.slot(y.data()), 0};
  add(plan, from, to);
  plan.run(0, plan.size(), threads);
  return y;
}

bool multiplies(const Kernels& kernels, Random& random, size_t threads) {
  const size_t positions = random.upto(1, 40), terms = random.upto(1, 50), outputs = random.upto(1, 40), step = random.upto(1, 5);
  const size_t blocks = (outputs + kLanes - 1) / kLanes, reach = random.upto(0, 9);
  std::vector<uint32_t> offsets(terms);
  for (uint32_t& offset : offsets) offset = uint32_t(random.upto(0, reach));
  const size_t last = *std::max_element(offsets.begin(), offsets.end());
  Floats x = draw(random, (positions - 1) * step + last + 1), w = draw(random, blocks * terms * kLanes), bias = draw(random, blocks * kLanes);
  const Floats y = ran(kernels, x, positions * outputs, threads, [&](Plan& plan, Place from, Place to) {
    plan.dense(from, {w.data(), bias.data(), offsets.data(), terms, outputs}, {1, 1, positions}, {0, 0, step}, to);
  });
  std::vector<double> expected;
  for (size_t p = 0; p < positions; ++p)
    for (size_t o = 0; o < outputs; ++o) {
      double sum = bias[o];
      for (size_t k = 0; k < terms; ++k) sum += double(x[p * step + offsets[k]]) * w[(o / kLanes * terms + k) * kLanes + o % kLanes];
      expected.push_back(sum);
    }
  return near(y, expected);
}

bool norms(const Kernels& kernels, Random& random, size_t threads) {
  const size_t rows = random.upto(1, 5), n = random.upto(1, 90);
  Floats x = draw(random, rows * n), w = draw(random, n), b = draw(random, n);
  const Floats normed = ran(kernels, x, rows * n, threads, [&](Plan& plan, Place from, Place to) {
    plan.norm(from, rows, n, w.data(), b.data(), 0.1f, to);
  });
  const Floats means = ran(kernels, x, n, threads, [&](Plan& plan, Place from, Place to) { plan.means(from, 1, rows, n, to); });
  std::vector<double> expected, mean(n, 0);
  for (size_t r = 0; r < rows; ++r) {
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; ++i) sum += x[r * n + i] / double(n), mean[i] += x[r * n + i] / double(rows);
    for (size_t i = 0; i < n; ++i) square += (x[r * n + i] - sum) * (x[r * n + i] - sum) / double(n);
    for (size_t i = 0; i < n; ++i) expected.push_back((x[r * n + i] - sum) / std::sqrt(square + 0.1) * w[i] + b[i]);
  }
  return near(normed, expected) && near(means, mean);
}

bool moves(const Kernels& kernels, Random& random, size_t threads) {
  const size_t rows = random.upto(1, 9), columns = random.upto(1, 50);
  Floats x = draw(random, rows * columns), z = draw(random, columns), between(rows * columns);
  const Floats y = ran(kernels, x, rows * columns, threads, [&](Plan& plan, Place from, Place to) {
    const Place row = {plan.slot(z.data()), 0};
    const Place there = {plan.slot(between.data()), 0};
    plan.pair("sub", from, row, rows, columns, true, there);
    plan.map("clip", there, rows * columns, -1.0f, 1.5f, there);
    plan.copy(there, {{columns, rows}, {1, columns}, {rows, 1}}, to);
  });
  std::vector<double> expected;
  for (size_t c = 0; c < columns; ++c)
    for (size_t r = 0; r < rows; ++r) expected.push_back(std::fmin(1.5, std::fmax(-1.0, double(x[r * columns + c]) - z[c])));
  return near(y, expected);
}

bool attends(const Kernels& kernels, Random& random, size_t threads) {
  const size_t n = random.upto(1, 2), h = random.upto(1, 3), t = random.upto(1, 9), s = random.upto(1, 70), d = random.upto(1, 40);
  Floats q = draw(random, n * t * h * d), k = draw(random, n * s * h * d), v = draw(random, n * s * h * d);
  std::vector<uint8_t> keep(n * t * s);
  for (uint8_t& each : keep) each = random.upto(0, 2) != 0;
  const int least = int(random.upto(0, 8)) - 4;
  const Attention of = {n, h, t, s, d, {t * h * d, d, h * d}, {s * h * d, d, h * d}, {s * h * d, d, h * d}, {t * s, 0, s, 1}, least, 0.5f};
  Floats y(n * t * h * d, NAN);
  attend(kernels, of, q.data(), k.data(), v.data(), keep.data(), y.data(), threads);
  const auto sign = [](float value) { return value < 0 ? -1 : 1; };
  std::vector<double> expected;
  for (size_t i = 0; i < n; ++i)
    for (size_t row = 0; row < t; ++row)
      for (size_t head = 0; head < h; ++head)
        for (size_t column = 0; column < d; ++column) {
          int sum = 0;
          for (size_t key = 0; key < s; ++key) {
            int product = 0;
            for (size_t c = 0; c < d; ++c) product += sign(q[((i * t + row) * h + head) * d + c]) * sign(k[((i * s + key) * h + head) * d + c]);
            if (product >= least && keep[(i * t + row) * s + key]) sum += sign(v[((i * s + key) * h + head) * d + column]);
          }
          expected.push_back(0.5 * sum);
        }
  return near(y, expected);
}

// Whether frames and bands of a wave are sums written one by one, within rounding.
bool hears(const Kernels& kernels, Random& random, size_t) {
  const size_t clips = random.upto(1, 2), samples = random.upto(2, 200), edge = random.upto(0, samples - 1);
  const size_t length = random.upto(1, samples + 2 * edge), hop = random.upto(1, 50), n = 1 + (samples + 2 * edge - length) / hop;
  std::vector<float> x(clips * samples), window(length), y(clips * n * length);
  for (float& value : x) value = float(random.upto(0, 2000)) / 1000.0f - 1.0f;
  for (float& value : window) value = float(random.upto(0, 1000)) / 1000.0f;
  frames(kernels, {window.data(), length, hop, edge, n}, x.data(), clips, samples, y.data());
  const auto at = [&](size_t clip, size_t f, size_t i) {
    const long place = long(f * hop + i) - long(edge), last = long(samples) - 1;
    return x[clip * samples + size_t(place < 0 ? -place : place > last ? 2 * last - place : place)];
  };
  for (size_t clip = 0; clip < clips; ++clip)
    for (size_t f = 0; f < n; ++f)
      for (size_t i = 0; i < length; ++i) {
        if (y[(clip * n + f) * length + i] != at(clip, f, i) * window[i]) return false;
      }
  const uint32_t first[] = {0, uint32_t(random.upto(0, length - 1))}, size[] = {uint32_t(length), uint32_t(length - first[1])};
  std::vector<float> weights(window), sums(clips * 2 * n);
  weights.insert(weights.end(), window.begin(), window.begin() + size[1]);
  bands(kernels, {weights.data(), first, size, 2}, y.data(), clips, n, length, sums.data());
  for (size_t clip = 0; clip < clips; ++clip)
    for (size_t b = 0; b < 2; ++b)
      for (size_t f = 0; f < n; ++f) {
        double expected = 0;
        for (size_t i = 0; i < size[b]; ++i) {
          const double value = y[(clip * n + f) * length + first[b] + i];
          expected += value * value * window[i];
        }
        const double found = sums[(clip * 2 + b) * n + f];
        if (found < 0.9999 * expected || found > 1.0001 * expected) return false;
      }
  return true;
}

}  // namespace

const char* differing(const Kernels& kernels, unsigned seed) {
  Random random{std::mt19937(seed)};
  for (size_t threads : {1, 2}) {
    if (!multiplies(kernels, random, threads)) return "a float product";
    if (!norms(kernels, random, threads)) return "norms and means";
    if (!moves(kernels, random, threads)) return "a pair, a map and a copy";
    if (!attends(kernels, random, threads)) return "an attention";
    if (!hears(kernels, random, threads)) return "frames and bands";
  }
  return nullptr;
}
