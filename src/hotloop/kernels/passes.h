// Sine and norm over whole arrays: rows shared out over threads, sums kept exact enough, raw parameters made positive.
#pragma once

#include <ATen/Parallel.h>
#include <c10/util/ArrayRef.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "rows.h"

namespace hotloop {

constexpr float kFrequencyFloor = 1e-6f;
constexpr int64_t kRoles = 3;  // amplitude, frequency, decay
constexpr int64_t kSums = 5;   // the members of Sums

// `outer` x `features` x `inner`, dense; inner is 1 where the features lie side by side.
struct Layout {
  int64_t outer;
  int64_t features;
  int64_t inner;
};

// Outer rows in chunks: sums are kept in fp32 inside one chunk and in fp64 across them, in the order of the chunks, so
// that they neither depend on the number of threads nor grow inexact with the number of rows.
struct Chunks {
  int64_t rows;
  int64_t count;
  int64_t elements;

  explicit Chunks(const Layout& layout)
      : rows(std::clamp<int64_t>(8192 / std::max<int64_t>(1, layout.features * layout.inner), 1, 256)),
        count((layout.outer + rows - 1) / rows),
        elements(rows * std::max<int64_t>(1, layout.features * layout.inner)),
        outer_(layout.outer) {}

  // Calls work(chunk, first row, end row); several threads where there is enough to do.
  template <typename Work>
  void for_each(const Work& work) const {
    at::parallel_for(0, count, std::max<int64_t>(1, 32768 / elements), [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        work(chunk, chunk * rows, std::min(outer_, (chunk + 1) * rows));
      }
    });
  }

 private:
  int64_t outer_;
};

// What a caller may set for one activation: the decay mode, and least and largest value of each role.
struct Options {
  int64_t mode = kAbs;
  std::array<float, kRoles> low{-HUGE_VALF, -HUGE_VALF, -HUGE_VALF};
  std::array<float, kRoles> high{HUGE_VALF, HUGE_VALF, HUGE_VALF};
};

// `bounds` is empty, or least and largest amplitude, frequency, decay.
inline Options options_of(int64_t mode, at::ArrayRef<double> bounds) {
  TORCH_CHECK(bounds.empty() || bounds.size() == 2 * kRoles, "got ", bounds.size(), " bounds; give none or 6");
  Options options;
  options.mode = mode;
  for (size_t role = 0; role < bounds.size() / 2; ++role) {
    options.low[role] = static_cast<float>(bounds[2 * role]);
    options.high[role] = static_cast<float>(bounds[2 * role + 1]);
  }
  return options;
}

// Positive, bounded parameters of one activation, and the way back from their gradient to that of the raw ones.
class Parameters {
 public:
  Parameters(int64_t features, std::array<const float*, kRoles> raw, const float* phase, const Options& options)
      : features_(features), values_(kRoles * features), raw_(raw), options_(options) {
    wave_ = {values_.data(), values_.data() + features, values_.data() + 2 * features, phase};
    for (int64_t role = 0; role < kRoles; ++role) {
      const float* __restrict from = raw[role];
      float* __restrict value = values_.data() + role * features;
      const float low = options.low[role], high = options.high[role], floor = floor_of(role);
#pragma omp simd
      for (int64_t i = 0; i < features; ++i) {
        const float free = softplus(from[i]) + floor;
        const float raised = free < low ? low : free;
        value[i] = raised > high ? high : raised;
      }
    }
  }

  const Wave& all() const { return wave_; }

  Wave of(int64_t feature) const {
    return {wave_.amplitude + feature, wave_.frequency + feature, wave_.decay + feature,
            wave_.phase == nullptr ? nullptr : wave_.phase + feature};
  }

  int64_t mode() const { return options_.mode; }

  // Gradient of the raw parameters of `role` from that of the positive ones; 0 where a bound holds the value.
  void to_raw(int64_t role, const double* gradient, float* __restrict out) const {
    const float* __restrict from = raw_[role];
    const float low = options_.low[role], high = options_.high[role], floor = floor_of(role);
#pragma omp simd
    for (int64_t i = 0; i < features_; ++i) {
      const float free = softplus(from[i]) + floor;
      const float slope = static_cast<float>(gradient[i]) * sigmoid(from[i]);
      out[i] = free < low || free > high ? 0.0f : slope;
    }
  }

 private:
  static float floor_of(int64_t role) { return role == 1 ? kFrequencyFloor : 0.0f; }

  int64_t features_;
  std::vector<float> values_;
  std::array<const float*, kRoles> raw_;
  Options options_;
  Wave wave_;
};

template <int64_t Mode, bool HasPhase>
void sine_forward_as(const float* z, const Layout& layout, const Parameters& parameters, float* y, float* c) {
  const int64_t features = layout.features, inner = layout.inner;
  Chunks(layout).for_each([&](int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t start = row * features * inner;
      if (inner == 1) {
        forward_row<Mode, true, HasPhase>(features, z + start, parameters.all(), y + start, c + start);
        continue;
      }
      for (int64_t f = 0; f < features; ++f) {
        const int64_t at = start + f * inner;
        forward_row<Mode, false, HasPhase>(inner, z + at, parameters.of(f), y + at, c + at);
      }
    }
  });
}

template <int64_t Mode>
void sine_forward_mode(const float* z, const Layout& layout, const Parameters& parameters, float* y, float* c) {
  if (parameters.all().phase == nullptr) {
    sine_forward_as<Mode, false>(z, layout, parameters, y, c);
  } else {
    sine_forward_as<Mode, true>(z, layout, parameters, y, c);
  }
}

// y = A exp(-d g(z)) sin(f z + phase), and c, the same with the cosine.
inline void sine_pass(const float* z, const Layout& layout, const Parameters& parameters, float* y, float* c) {
  if (parameters.mode() == kAbs) return sine_forward_mode<kAbs>(z, layout, parameters, y, c);
  if (parameters.mode() == kRelu) return sine_forward_mode<kRelu>(z, layout, parameters, y, c);
  sine_forward_mode<kNone>(z, layout, parameters, y, c);
}

template <int64_t Mode>
void sine_backward_mode(const float* g, const float* z, const float* y, const float* c, const Layout& layout,
                        const Parameters& parameters, float* dz, double* totals) {
  const int64_t features = layout.features, inner = layout.inner;
  const Chunks chunks(layout);
  std::vector<float> partial(chunks.count * kSums * features, 0.0f);
  chunks.for_each([&](int64_t chunk, int64_t begin, int64_t end) {
    float* own = partial.data() + chunk * kSums * features;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t start = row * features * inner;
      if (inner == 1) {
        const Sums sums{own, own + features, own + 2 * features, own + 3 * features, own + 4 * features};
        backward_by_feature<Mode>(features, g + start, z + start, y + start, c + start, parameters.all(), dz + start,
                                  sums);
        continue;
      }
      for (int64_t f = 0; f < features; ++f) {
        const int64_t at = start + f * inner;
        float* one = own + f;
        const Sums sums{one, one + features, one + 2 * features, one + 3 * features, one + 4 * features};
        backward_one_feature<Mode>(inner, g + at, z + at, y + at, c + at, parameters.of(f), dz + at, sums);
      }
    }
  });
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    const float* own = partial.data() + chunk * kSums * features;
    for (int64_t i = 0; i < kSums * features; ++i) totals[i] += own[i];
  }
}

// Where the gradients of an activation go; phase and bias may be null.
struct SineGradients {
  float* amplitude;
  float* frequency;
  float* decay;
  float* phase;
  float* bias;  // of the layer before: the sum of dz
};

inline void sine_pass_backward(const float* g, const float* z, const float* y, const float* c, const Layout& layout,
                               const Parameters& parameters, float* dz, const SineGradients& out) {
  const int64_t n = layout.features;
  std::vector<double> totals(kSums * n, 0.0);
  if (parameters.mode() == kAbs) {
    sine_backward_mode<kAbs>(g, z, y, c, layout, parameters, dz, totals.data());
  } else if (parameters.mode() == kRelu) {
    sine_backward_mode<kRelu>(g, z, y, c, layout, parameters, dz, totals.data());
  } else {
    sine_backward_mode<kNone>(g, z, y, c, layout, parameters, dz, totals.data());
  }
  for (int64_t i = 0; i < n; ++i) {
    const float amplitude = parameters.all().amplitude[i];
    totals[i] = amplitude == 0.0f ? 0.0 : totals[i] / amplitude;
    totals[2 * n + i] = parameters.mode() == kNone ? 0.0 : -totals[2 * n + i];
  }
  parameters.to_raw(0, totals.data(), out.amplitude);
  parameters.to_raw(1, totals.data() + n, out.frequency);
  parameters.to_raw(2, totals.data() + 2 * n, out.decay);
  if (out.phase != nullptr) std::copy_n(totals.data() + 3 * n, n, out.phase);
  if (out.bias != nullptr) std::copy_n(totals.data() + 4 * n, n, out.bias);
}

// y = x / sqrt(mean(x^2) + eps) * weight; `inverse` gets one over that root, one for each place.
inline void norm_pass(const float* x, const Layout& layout, const float* weight, float eps, float* y, float* inverse) {
  const int64_t features = layout.features, inner = layout.inner;
  Chunks(layout).for_each([&](int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t start = row * features * inner;
      if (inner == 1) {
        inverse[row] = norm_row(features, x + start, weight, eps, y + start);
        continue;
      }
      for (int64_t i = 0; i < inner; i += kTile) {
        norm_tile(std::min(kTile, inner - i), features, inner, x + start + i, weight, eps, y + start + i,
                  inverse + row * inner + i);
      }
    }
  });
}

// Writes dx (plus `skip`, laid out as x, unless that is null) and dweight.
inline void norm_pass_backward(const float* g, const float* x, const float* weight, const float* inverse,
                               const float* skip, const Layout& layout, float* dx, float* dweight) {
  const int64_t features = layout.features, inner = layout.inner;
  const Chunks chunks(layout);
  std::vector<float> partial(chunks.count * features, 0.0f);
  chunks.for_each([&](int64_t chunk, int64_t begin, int64_t end) {
    float* own = partial.data() + chunk * features;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t start = row * features * inner;
      if (inner == 1) {
        norm_row_backward(features, g + start, x + start, weight, inverse[row],
                          skip == nullptr ? nullptr : skip + start, dx + start, own);
        continue;
      }
      for (int64_t i = 0; i < inner; i += kTile) {
        norm_tile_backward(std::min(kTile, inner - i), features, inner, g + start + i, x + start + i, weight,
                           inverse + row * inner + i, dx + start + i, own);
      }
    }
  });
  std::vector<double> totals(features, 0.0);
  for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
    for (int64_t f = 0; f < features; ++f) totals[f] += partial[chunk * features + f];
  }
  std::copy_n(totals.data(), features, dweight);
}

}  // namespace hotloop
