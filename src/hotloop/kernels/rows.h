// The loops: one pass over a row forward, one backward, plain C++ that knows nothing of tensors.
//
// A row is either all features at one place (ByFeature: parameters change along the row) or all places of one feature
// (otherwise: parameters stand still). Forward keeps y and c = A exp(-d g(z)) cos(f z + phase), so that backward needs
// neither sine nor exponential.
#pragma once

#include <cmath>
#include <cstdint>

#include "simd.h"

namespace hotloop {

enum Decay : int64_t { kNone = 0, kAbs = 1, kRelu = 2 };

// Amplitude, frequency, decay (positive, bounded) and phase, one of each for a feature.
struct Wave {
  const float* amplitude;
  const float* frequency;
  const float* decay;
  const float* phase;  // null: none
};

template <int64_t Mode>
HOTLOOP_INLINE float distance(float z) {
  if (Mode == kNone) return 0.0f;
  if (Mode == kAbs) return __builtin_fabsf(z);
  return z < 0.0f ? 0.0f : z;
}

// The derivative of `distance`; 0 at 0, as torch has it.
template <int64_t Mode>
HOTLOOP_INLINE float direction(float z) {
  const float up = z > 0.0f ? 1.0f : 0.0f;
  if (Mode == kNone) return 0.0f;
  return Mode == kRelu ? up : (z < 0.0f ? -1.0f : up);
}

template <int64_t Mode>
HOTLOOP_INLINE float envelope(float amplitude, float decay, float z) {
  return Mode == kNone ? amplitude : amplitude * exp(-decay * distance<Mode>(z));
}

template <int64_t Mode, bool ByFeature, bool HasPhase>
void forward_row(int64_t n, const float* __restrict z, const Wave& wave, float* __restrict y, float* __restrict c) {
  const float* __restrict amplitude = wave.amplitude;
  const float* __restrict frequency = wave.frequency;
  const float* __restrict decay = wave.decay;
  const float* __restrict phase = wave.phase;
  int far = 0;
#pragma omp simd reduction(| : far)
  for (int64_t i = 0; i < n; ++i) {
    const int64_t p = ByFeature ? i : 0;
    const float angle = HasPhase ? frequency[p] * z[i] + phase[p] : frequency[p] * z[i];
    const float size = envelope<Mode>(amplitude[p], decay[p], z[i]);
    float s, k;
    sincos(angle, s, k);
    far |= !(__builtin_fabsf(angle) <= kLargestAngle);
    y[i] = size * s;
    c[i] = size * k;
  }
  if (__builtin_expect(far, 0)) {  // huge, infinite or NaN: the slow functions of the C library are right there
    for (int64_t i = 0; i < n; ++i) {
      const int64_t p = ByFeature ? i : 0;
      const float angle = HasPhase ? frequency[p] * z[i] + phase[p] : frequency[p] * z[i];
      const float size = envelope<Mode>(amplitude[p], decay[p], z[i]);
      y[i] = size * std::sin(angle);
      c[i] = size * std::cos(angle);
    }
  }
}

// What one feature's parameters get from the places seen so far: sums of g y, g c z, g y distance, g c and dz.
struct Sums {
  float* gy;
  float* gcz;
  float* gyd;
  float* gc;
  float* dz;
};

// Row of all features: adds to sums[feature].
template <int64_t Mode>
void backward_by_feature(int64_t n, const float* __restrict g, const float* __restrict z, const float* __restrict y,
                         const float* __restrict c, const Wave& wave, float* __restrict dz, const Sums& sums) {
  const float* __restrict frequency = wave.frequency;
  const float* __restrict decay = wave.decay;
  float* __restrict sum_gy = sums.gy;
  float* __restrict sum_gcz = sums.gcz;
  float* __restrict sum_gyd = sums.gyd;
  float* __restrict sum_gc = sums.gc;
  float* __restrict sum_dz = sums.dz;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float gy = g[i] * y[i];
    const float gc = g[i] * c[i];
    const float d = gc * frequency[i] - decay[i] * direction<Mode>(z[i]) * gy;
    dz[i] = d;
    sum_gy[i] += gy;
    sum_gcz[i] += gc * z[i];
    sum_gyd[i] += gy * distance<Mode>(z[i]);
    sum_gc[i] += gc;
    sum_dz[i] += d;
  }
}

// Row of all places of one feature: adds to the first element of each sum.
template <int64_t Mode>
void backward_one_feature(int64_t n, const float* __restrict g, const float* __restrict z, const float* __restrict y,
                          const float* __restrict c, const Wave& wave, float* __restrict dz, const Sums& sums) {
  const float frequency = wave.frequency[0];
  const float decay = wave.decay[0];
  float sum_gy = 0, sum_gcz = 0, sum_gyd = 0, sum_gc = 0, sum_dz = 0;
#pragma omp simd reduction(+ : sum_gy, sum_gcz, sum_gyd, sum_gc, sum_dz)
  for (int64_t i = 0; i < n; ++i) {
    const float gy = g[i] * y[i];
    const float gc = g[i] * c[i];
    const float d = gc * frequency - decay * direction<Mode>(z[i]) * gy;
    dz[i] = d;
    sum_gy += gy;
    sum_gcz += gc * z[i];
    sum_gyd += gy * distance<Mode>(z[i]);
    sum_gc += gc;
    sum_dz += d;
  }
  sums.gy[0] += sum_gy;
  sums.gcz[0] += sum_gcz;
  sums.gyd[0] += sum_gyd;
  sums.gc[0] += sum_gc;
  sums.dz[0] += sum_dz;
}

// One row x of all features: y = x * inverse * weight, inverse = 1 / sqrt(mean(x^2) + eps), which is returned.
HOTLOOP_INLINE float norm_row(int64_t n, const float* __restrict x, const float* __restrict weight, float eps,
                              float* __restrict y) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t i = 0; i < n; ++i) squares += x[i] * x[i];
  const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(n) + eps);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * inverse * weight[i];
  return inverse;
}

// Adds to dweight; writes dx = inverse * (g w - x inverse^2 mean(g w x)), plus `skip` where that is not null.
HOTLOOP_INLINE void norm_row_backward(int64_t n, const float* __restrict g, const float* __restrict x,
                                      const float* __restrict weight, float inverse, const float* skip,
                                      float* __restrict dx, float* __restrict dweight) {
  float dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t i = 0; i < n; ++i) {
    dot += g[i] * weight[i] * x[i];
    dweight[i] += g[i] * x[i] * inverse;
  }
  const float pull = dot / static_cast<float>(n) * inverse * inverse * inverse;
  if (skip != nullptr) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) dx[i] = skip[i] + (g[i] * weight[i] * inverse - x[i] * pull);
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) dx[i] = g[i] * weight[i] * inverse - x[i] * pull;
  }
}

// `n` places of one sample whose `channels` lie `stride` apart; n is at most kTile. Writes inverse[0..n).
constexpr int64_t kTile = 256;

HOTLOOP_INLINE void norm_tile(int64_t n, int64_t channels, int64_t stride, const float* __restrict x,
                              const float* __restrict weight, float eps, float* __restrict y, float* __restrict inverse) {
  float squares[kTile] = {};
  for (int64_t c = 0; c < channels; ++c) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) squares[i] += x[c * stride + i] * x[c * stride + i];
  }
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) inverse[i] = 1.0f / std::sqrt(squares[i] / static_cast<float>(channels) + eps);
  for (int64_t c = 0; c < channels; ++c) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[c * stride + i] = x[c * stride + i] * inverse[i] * weight[c];
  }
}

HOTLOOP_INLINE void norm_tile_backward(int64_t n, int64_t channels, int64_t stride, const float* __restrict g,
                                       const float* __restrict x, const float* __restrict weight,
                                       const float* __restrict inverse, float* __restrict dx,
                                       float* __restrict dweight) {
  float pull[kTile] = {};
  for (int64_t c = 0; c < channels; ++c) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) {
      const float gx = g[c * stride + i] * x[c * stride + i];
      pull[i] += gx * weight[c];
      sum += gx * inverse[i];
    }
    dweight[c] += sum;
  }
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) pull[i] *= inverse[i] * inverse[i] * inverse[i] / static_cast<float>(channels);
  for (int64_t c = 0; c < channels; ++c) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      dx[c * stride + i] = g[c * stride + i] * weight[c] * inverse[i] - x[c * stride + i] * pull[i];
    }
  }
}

}  // namespace hotloop
