// One sample of squeeze and excitation with its residual: every pass over the large tensors, in fp32 arithmetic.
//
// A sample has `channels` channels of `places` values. Planes: each channel's values lie side by side. Channels last:
// each place's channels do. Values are fp32, or bf16 that is widened when it is read and rounded when it is written.
#pragma once

#include <cstdint>
#include <cstring>

#include "simd.h"

namespace hotloop {

struct Bf16 {
  uint16_t bits;
};

// As wide as the machine's registers: of wider vectors the compiler takes comparisons apart into single values.
#if defined(__AVX512BW__)
#define HOTLOOP_WIDTH 16
#elif defined(__AVX2__)
#define HOTLOOP_WIDTH 8
#else
#define HOTLOOP_WIDTH 4
#endif
constexpr int64_t kLanes = HOTLOOP_WIDTH;
typedef float Lanes __attribute__((vector_size(4 * HOTLOOP_WIDTH), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(4 * HOTLOOP_WIDTH), aligned(4), may_alias));
typedef uint16_t Halves __attribute__((vector_size(2 * HOTLOOP_WIDTH), aligned(2), may_alias));

HOTLOOP_INLINE Lanes load(const float* at) { return *reinterpret_cast<const Lanes*>(at); }
HOTLOOP_INLINE void store(float* at, Lanes value) { *reinterpret_cast<Lanes*>(at) = value; }

HOTLOOP_INLINE Lanes load(const Bf16* at) {
  const Halves bits = *reinterpret_cast<const Halves*>(at);
  return reinterpret_cast<Lanes>(__builtin_convertvector(bits, Words) << 16);
}

// To the nearest, ties to even; NaN becomes the quiet NaN that torch writes.
HOTLOOP_INLINE void store(Bf16* at, Lanes value) {
  const Words bits = reinterpret_cast<Words>(value);
  const Words rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const Words is_number = reinterpret_cast<Words>(value == value);
  const Words kept = (rounded & is_number) | (~is_number & 0x7fc0u);
  *reinterpret_cast<Halves*>(at) = __builtin_convertvector(kept, Halves);
}

HOTLOOP_INLINE float load_one(const float* at) { return *at; }
HOTLOOP_INLINE void store_one(float* at, float value) { *at = value; }

HOTLOOP_INLINE float load_one(const Bf16* at) { return as_float(static_cast<int32_t>(uint32_t{at->bits} << 16)); }

HOTLOOP_INLINE void store_one(Bf16* at, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  at->bits = value == value ? static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16) : uint16_t{0x7fc0};
}

HOTLOOP_INLINE float sum_of(Lanes value) {
  float sum = 0.0f;
  for (int i = 0; i < kLanes; ++i) sum += value[i];
  return sum;
}

// NaN stays NaN, as in torch's relu and in its derivative, which keeps the gradient where the output is NaN.
HOTLOOP_INLINE Lanes positive(Lanes value) { return value < 0.0f ? Lanes{} : value; }
HOTLOOP_INLINE float positive(float value) { return value < 0.0f ? 0.0f : value; }
HOTLOOP_INLINE Lanes passed(Lanes grad, Lanes output) { return output <= 0.0f ? Lanes{} : grad; }
HOTLOOP_INLINE float passed(float grad, float output) { return output <= 0.0f ? 0.0f : grad; }

struct Sizes {
  int64_t channels, places, hidden;
  bool is_last;    // channels last
  bool has_shift;  // the second matrix gives a shift beside each scale

  int64_t outputs() const { return has_shift ? 2 * channels : channels; }
  int64_t values() const { return channels * places; }
};

// Sums are taken in chunks of this many places, so that their rounding grows with the root of the number of places.
constexpr int64_t kChunk = 128;

// sums[c] = the sum over all places of channel c; `value(at)` is that of kLanes values from offset `at` of the sample on,
// `one(at)` that of a single one.
template <typename Value, typename One>
HOTLOOP_INLINE void sum_places(const Sizes& s, float* sums, Value value, One one) {
  if (!s.is_last) {
    for (int64_t c = 0; c < s.channels; ++c) {
      const int64_t start = c * s.places, end = start + s.places;
      Lanes lanes{};
      int64_t at = start;
      for (; at + kLanes <= end; at += kLanes) lanes += value(at);
      float rest = 0.0f;
      for (; at < end; ++at) rest += one(at);
      sums[c] = sum_of(lanes) + rest;
    }
    return;
  }
  constexpr int64_t kVectors = 4, kWide = kVectors * kLanes;
  int64_t c = 0;
  for (; c + kWide <= s.channels; c += kWide) {
    Lanes all[kVectors]{};
    for (int64_t from = 0; from < s.places; from += kChunk) {
      const int64_t to = from + kChunk < s.places ? from + kChunk : s.places;
      Lanes part[kVectors]{};
      for (int64_t place = from; place < to; ++place) {
        const int64_t at = place * s.channels + c;
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) part[v] += value(at + v * kLanes);
      }
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) all[v] += part[v];
    }
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) store(sums + c + v * kLanes, all[v]);
  }
  for (; c < s.channels; ++c) {
    double sum = 0.0;
    for (int64_t place = 0; place < s.places; ++place) sum += one(place * s.channels + c);
    sums[c] = static_cast<float>(sum);
  }
}

// `many(at, scale, shift)` writes kLanes values and `one` a single one, with the scale and shift of their channels.
template <typename Many, typename One>
HOTLOOP_INLINE void for_places(const Sizes& s, const float* scale, const float* shift, Many many, One one) {
  if (!s.is_last) {
    for (int64_t c = 0; c < s.channels; ++c) {
      const Lanes by = Lanes{} + scale[c], plus = Lanes{} + shift[c];
      const int64_t end = (c + 1) * s.places;
      int64_t at = c * s.places;
      for (; at + kLanes <= end; at += kLanes) many(at, by, plus);
      for (; at < end; ++at) one(at, scale[c], shift[c]);
    }
    return;
  }
  for (int64_t place = 0; place < s.places; ++place) {
    const int64_t start = place * s.channels;
    int64_t c = 0;
    for (; c + kLanes <= s.channels; c += kLanes) many(start + c, load(scale + c), load(shift + c));
    for (; c < s.channels; ++c) one(start + c, scale[c], shift[c]);
  }
}

// y = matrix x + bias for a matrix of `rows` times `columns`.
HOTLOOP_INLINE void times(const float* matrix, const float* bias, const float* x, int64_t rows, int64_t columns,
                          float* y) {
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = matrix + r * columns;
    Lanes lanes{};
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) lanes += load(row + c) * load(x + c);
    float rest = bias[r];
    for (; c < columns; ++c) rest += row[c] * x[c];
    y[r] = sum_of(lanes) + rest;
  }
}

// y = matrix^T x for a matrix of `rows` times `columns`.
HOTLOOP_INLINE void transposed_times(const float* matrix, const float* x, int64_t rows, int64_t columns, float* y) {
  std::memset(y, 0, static_cast<size_t>(columns) * sizeof(float));
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = matrix + r * columns;
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) store(y + c, load(y + c) + x[r] * load(row + c));
    for (; c < columns; ++c) y[c] += x[r] * row[c];
  }
}

struct Weights {
  const float *squeeze, *squeeze_bias, *excite, *excite_bias;
};

// What forward keeps of a sample: the mean of each channel, the hidden units, scale (and shift) of each channel.
struct Kept {
  float *means, *hidden, *gates;
};

template <typename T>
void forward_sample(const Sizes& s, const T* y, const T* residual, const Weights& w, const float* zeros, Kept kept,
                    T* out) {
  sum_places(s, kept.means, [=](int64_t at) { return load(y + at); }, [=](int64_t at) { return load_one(y + at); });
  for (int64_t c = 0; c < s.channels; ++c) kept.means[c] /= static_cast<float>(s.places);
  times(w.squeeze, w.squeeze_bias, kept.means, s.hidden, s.channels, kept.hidden);
  for (int64_t r = 0; r < s.hidden; ++r) kept.hidden[r] = positive(kept.hidden[r]);
  times(w.excite, w.excite_bias, kept.hidden, s.outputs(), s.hidden, kept.gates);
  for (int64_t c = 0; c < s.channels; ++c) kept.gates[c] = sigmoid(kept.gates[c]);
  const float* shift = s.has_shift ? kept.gates + s.channels : zeros;
  for_places(
      s, kept.gates, shift,
      [=](int64_t at, Lanes by, Lanes plus) {
        store(out + at, positive(load(y + at) * by + plus + load(residual + at)));
      },
      [=](int64_t at, float by, float plus) {
        store_one(out + at, positive(load_one(y + at) * by + plus + load_one(residual + at)));
      });
}

// What backward writes of a sample: the gradients of the hidden units and gates before their activations.
struct Slopes {
  float *hidden, *gates;
};

template <typename T>
void backward_sample(const Sizes& s, const T* grad, const T* out, const T* y, const Weights& w, Kept kept,
                     Slopes slopes, float* means, T* dy, T* dresidual) {
  sum_places(
      s, slopes.gates, [=](int64_t at) { return passed(load(grad + at), load(out + at)) * load(y + at); },
      [=](int64_t at) { return passed(load_one(grad + at), load_one(out + at)) * load_one(y + at); });
  for (int64_t c = 0; c < s.channels; ++c) slopes.gates[c] *= kept.gates[c] * (1.0f - kept.gates[c]);
  if (s.has_shift) {
    sum_places(
        s, slopes.gates + s.channels, [=](int64_t at) { return passed(load(grad + at), load(out + at)); },
        [=](int64_t at) { return passed(load_one(grad + at), load_one(out + at)); });
  }
  transposed_times(w.excite, slopes.gates, s.outputs(), s.hidden, slopes.hidden);
  for (int64_t r = 0; r < s.hidden; ++r) slopes.hidden[r] = passed(slopes.hidden[r], kept.hidden[r]);
  transposed_times(w.squeeze, slopes.hidden, s.hidden, s.channels, means);
  for (int64_t c = 0; c < s.channels; ++c) means[c] /= static_cast<float>(s.places);
  for_places(
      s, kept.gates, means,
      [=](int64_t at, Lanes by, Lanes plus) {
        const Lanes through = passed(load(grad + at), load(out + at));
        store(dresidual + at, through);
        store(dy + at, through * by + plus);
      },
      [=](int64_t at, float by, float plus) {
        const float through = passed(load_one(grad + at), load_one(out + at));
        store_one(dresidual + at, through);
        store_one(dy + at, through * by + plus);
      });
}

}  // namespace hotloop
